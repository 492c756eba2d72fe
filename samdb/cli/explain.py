"""What `samdb classify --explain` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samdb.cli import show
from samdb.core.points import PayloadValue

if TYPE_CHECKING:
    from samdb.pipelines.explain import Explanation

_COLUMNS = ("prototype of", "granularity", "cosine", "share", "stands for", "exemplar")
# on the screen; --json has all of them
_MOST = 5


def explained(why: Explanation) -> dict[str, PayloadValue]:
    """An explanation as the JSON value of the key `explain`."""
    return {
        "margin": why.margin,
        "votes": [{"class_name": name, "score": score} for name, score in why.votes.items()],
        "prototypes": [
            {
                "prototype_id": w.prototype_id,
                "class_name": w.class_name,
                "granularity": w.granularity,
                "cosine": w.cosine,
                "share": w.share,
                "count": w.count,
                "exemplar_id": w.exemplar_id,
                "exemplar_image": None if w.image_path is None else str(w.image_path),
                "exemplar_box_xyxy": None if w.exemplar is None else list(w.exemplar.box_xyxy),
            }
            for w in why.witnesses
        ],
    }


def print_reason(why: Explanation) -> None:
    """Print why one segment got its answer, as lines and a small table."""
    from samdb.pipelines.explain_pictures import caption, named

    box = ",".join(f"{v:.0f}" for v in why.segment.box_xyxy)
    show.line("")
    show.line(f"{box}: {'; '.join(caption(why))}")
    rows = [
        [
            named(w.class_name),
            w.granularity,
            f"{w.cosine:.3f}",
            f"{w.share:.0%}",
            str(w.count),
            w.exemplar_id if w.exemplar is not None and w.exemplar_id else "not in this store",
        ]
        for w in why.witnesses[:_MOST]
    ]
    show.table(_COLUMNS, rows, right=("cosine", "share", "stands for"))
