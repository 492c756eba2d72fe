"""Pictures of explanations: a segment beside the real segments that spoke for its class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from samdb.errors import ConfigError, ImageError
from samdb.pipelines.explain import Explanation, Witness
from samdb.pipelines.pictures import segment_tile
from samdb.reports.picture_file import save_png
from samdb.reports.sheet import draw_sheet

# two rows of five: those further down have little of the vote
_MOST_WITNESSES = 10


def write_explanation(found: Explanation, image: Path, path: Path) -> Path:
    """Write the segment, cut out of its image, and the exemplars of its nearest prototypes, as PNG.

    An exemplar that cannot be shown is left out, and the title says how many are. Raises ImageError when the
    image cannot be read any more, ConfigError when `path` cannot be written.
    """
    segment = found.segment
    query = segment_tile(
        image, segment.mask, segment.box_xyxy, caption(found), found.prediction.class_name, None
    )
    if query is None:
        raise ImageError(f"{image} is not there any more, or is another image: classify it again")
    shown = found.witnesses[:_MOST_WITNESSES]
    tiles = [
        segment_tile(
            w.image_path,
            w.exemplar.mask,
            w.exemplar.box_xyxy,
            (f"{w.class_name or 'background'}  {w.cosine:.3f}", _role(w), _origin(w)),
            w.class_name,
            str(rank),
        )
        for rank, w in enumerate(shown, 1)
        if w.exemplar is not None
    ]
    there = [tile for tile in tiles if tile is not None]
    title = f"{verdict(found)}: the nearest prototypes, each by its closest real segment"
    if len(there) < len(shown):
        title += f" ({len(shown) - len(there)} of {len(shown)} not in this store)"
    return save_png(draw_sheet(there, title=title, query_tile=query), path)


def verdict(found: Explanation) -> str:
    """The answer in a few words: `car .83`, `car or truck`, `unknown (background)`."""
    prediction = found.prediction
    if prediction.outcome == "ambiguous":
        return " or ".join(prediction.classes)
    return prediction.class_name or f"unknown ({prediction.reason})"


def caption(found: Explanation) -> tuple[str, ...]:
    """What there is to say of the segment itself, a line each."""
    scores = found.prediction.scores
    lines = [f"{verdict(found)}  {found.prediction.score:.2f}"]
    if len(scores) > 1:
        lines.append(f"margin {found.margin:.2f} over {named(scores[1][0])} ({scores[1][1]:.2f})")
    elif scores:
        lines.append(f"nothing but {named(scores[0][0])} had a vote")
    if found.votes:
        lines.append("its parts: " + shown_votes(found.votes))
    if found.parts:
        lines.append(f"answers for {found.parts} more segment{'' if found.parts == 1 else 's'}")
    return tuple(lines)


def shown_votes(votes: Mapping[str | None, float], most: int = 3) -> str:
    """`car .61, background .20`: what parts say, the first few."""
    return ", ".join(f"{named(name)} {score:.2f}" for name, score in list(votes.items())[:most])


def named(class_name: str | None) -> str:
    """The class, or `background`."""
    return "background" if class_name is None else class_name


def _role(witness: Witness) -> str:
    share = f"{witness.share:.0%} of the vote" if witness.share else "does not vote"
    return f"{share}; {witness.granularity}, stands for {witness.count}"


def _origin(witness: Witness) -> str:
    return "" if witness.exemplar is None else Path(witness.exemplar.image_id).name


def write_explanations(found: Sequence[Explanation], image: Path, folder: Path, most: int) -> list[Path]:
    """Write the first `most` of them into a folder as 01.png, 02.png, ... Raises as `write_explanation`."""
    if folder.is_file():
        raise ConfigError(f"{folder} is a file: give another folder for the pictures")
    return [
        write_explanation(one, image, folder / f"{number:02}.png")
        for number, one in enumerate(found[:most], 1)
    ]
