"""One image to its segments, in two halves: asking SAM, and what is made of its answers without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from samdb.core.sample import Sample
from samdb.core.segment import Segment
from samdb.pipelines.grid_pieces import grid_pieces
from samdb.pipelines.label_pieces import label_pieces, usable_labels
from samdb.pipelines.make_segments import make_segments
from samdb.pipelines.piece import Piece, Pieces, Sam
from samdb.ports import EncodedImage, Segmenter

PromptMode: TypeAlias = Literal["labels", "auto", "both"]
PROMPT_MODES: tuple[PromptMode, ...] = get_args(PromptMode)

#: raise this when the rules of cutting change: images cut by older rules are then cut again
CUT_VERSION = 2


@dataclass(frozen=True, slots=True)
class CutSettings:
    """What to cut, and how to describe it."""

    prompts: PromptMode
    recipes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """The segments of an image, and what was left out with its reason."""

    segments: tuple[Segment, ...]
    problems: tuple[str, ...]


def cut_image(
    segmenter: Segmenter, image: EncodedImage, sample: Sample, settings: CutSettings, run: str
) -> Cut:
    """Cut an encoded image into segments.

    Labels prompt SAM with their box; a label with a mask keeps its own mask as the whole. Of the other
    outputs for that box those that lie inside are parts. Automatic masks that repeat a labelled object are
    dropped and the object is flagged as found, those inside one become its parts and inherit its class.
    Labels marked ignore prompt nothing, yet what touches them is not background.
    """
    return assemble(segmenter, find_pieces(segmenter, image, sample, settings), sample, run)


def find_pieces(sam: Sam, image: EncodedImage, sample: Sample, settings: CutSettings) -> Pieces:
    """The first half: ask SAM for the image's masks, choose among them, and ask what their embeddings need.

    Nothing of the image is needed afterwards.
    """
    problems: list[str] = list(sample.problems)
    pieces: list[Piece] = []
    if settings.prompts in ("labels", "both"):
        labels = usable_labels(sample.labels, image.size_hw, problems)
        pieces += label_pieces(sam, image, labels, problems)
    if settings.prompts in ("auto", "both"):
        pieces = grid_pieces(sam, image, sample, pieces)
    pieces = _once_each(pieces)
    description = sam.describe(image, [p.candidate for p in pieces], settings.recipes)
    return Pieces(tuple(pieces), description, tuple(problems))


def assemble(segmenter: Segmenter, found: Pieces, sample: Sample, run: str) -> Cut:
    """The second half: the whole/part tree, embeddings and ids. SAM is asked nothing."""
    return Cut(make_segments(segmenter, found, sample, run), found.problems)


def _once_each(pieces: Sequence[Piece]) -> list[Piece]:
    """One piece per id, the first, even where a dataset gives several labels the same."""
    return list({(p.prompt, p.candidate.output): p for p in reversed(pieces)}.values())[::-1]
