"""What an audit finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from samdb.core.boxes import Box
from samdb.core.segment import Segment

FindingKind: TypeAlias = Literal["label", "leak", "duplicate", "near_duplicate", "attribute"]

FINDING_KINDS: Final[tuple[FindingKind, ...]] = get_args(FindingKind)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to look at.

    `label`: a segment whose neighbours have another class; `leak`: an image that is in two splits, or nearly
    so; `duplicate`, `near_duplicate`: one that is twice in a split; `attribute`: an image whose neighbours
    have another attribute. `label` is what the dataset says and `suggested` what its neighbours say (empty
    for images that are there twice; of an attribute both are written key=value). `score`: of duplicates the
    cosine of the images, else how much the label is doubted, in [-1, 1]: the order to look in.
    `other_image` is an image's twin.
    """

    kind: FindingKind
    dataset: str
    image_id: str
    score: float
    reason: str
    segment_id: str = ""
    label: str = ""
    suggested: str = ""
    box_xyxy: Box | None = None
    other_dataset: str = ""
    other_image: str = ""
    segment: Segment | None = None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """All findings, kind by kind, the most suspicious first; and what was looked at.

    `n_segments` of `n_stored` labelled whole segments, `n_images` of `n_images_stored` images, and how many
    of them have each attribute.
    """

    recipe: str
    findings: tuple[Finding, ...]
    n_segments: int
    n_stored: int
    n_images: int
    n_images_stored: int
    n_attributes: dict[str, int]

    def of(self, kind: FindingKind) -> tuple[Finding, ...]:
        """The findings of one kind."""
        return tuple(f for f in self.findings if f.kind == kind)
