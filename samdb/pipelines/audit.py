"""Audit a store: labels that their neighbours dispute, images that are there twice, wrong attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from samdb.core.points import Where
from samdb.errors import ConfigError
from samdb.pipelines.audit_findings import AuditReport, Finding
from samdb.pipelines.audit_images import (
    ImageKey,
    find_attributes,
    find_twins,
    image_attributes,
    read_images,
)
from samdb.pipelines.audit_votes import VoteSettings, folds_of, judge_labels
from samdb.pipelines.labelled_sample import LabelledSample, numbered, read_wholes
from samdb.ports import VectorStore

#: what BDD100K says of a whole frame
FRAME_ATTRIBUTES = ("timeofday", "weather", "scene")


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What to audit: labelled whole segments that match `where`, and images, at most `sample` of each.

    `near` is the centred cosine above which two images count as nearly the same.
    """

    recipe: str
    where: Where = ()
    sample: int = 50_000
    near: float = 0.95
    labels: VoteSettings = field(default_factory=VoteSettings)
    attributes: VoteSettings = field(default_factory=VoteSettings)

    def __post_init__(self) -> None:
        if self.sample < 2 or not 0.0 < self.near <= 1.0:
            raise ConfigError("--sample must be at least 2, --near above 0 and at most 1")


def audit(store: VectorStore, request: AuditRequest) -> AuditReport:
    """Look for wrong labels, duplicates, leaks and wrong frame attributes.

    Raises ConfigError on an unknown recipe, InputError when nothing labelled matches.
    """
    sample = read_wholes(store, request.recipe, request.where, request.sample)
    images = read_images(store, request.where, request.sample)
    files = dict(zip(images.keys, images.sha256, strict=True))
    findings = find_labels(sample, files, request.labels) + find_twins(images, request.near)
    counts: dict[str, int] = {}
    for key in FRAME_ATTRIBUTES:
        disputed, counts[key] = find_attributes(
            images, image_attributes(sample.payloads, key), key, request.attributes
        )
        findings += disputed
    return AuditReport(
        recipe=request.recipe,
        findings=tuple(findings),
        n_segments=len(sample),
        n_stored=sample.n_stored,
        n_images=len(images.keys),
        n_images_stored=images.n_stored,
        n_attributes=counts,
    )


def find_labels(
    sample: LabelledSample, files: Mapping[ImageKey, str], settings: VoteSettings
) -> list[Finding]:
    """Segments whose class loses against another in the eyes of other images' segments, worst first.

    `files` is the sha256 of images: copies of an image do not vote for each other, they share its mistakes.
    """
    images = [files.get(key, "\x1f".join(key)) for key in sample.image_keys]
    opinion = judge_labels(
        sample.vectors,
        sample.classes,
        numbered(images),
        folds_of(images),
        len(sample.class_names),
        settings,
    )
    found = []
    for row, (dataset, image_id) in enumerate(sample.image_keys):
        if not opinion.disputed[row]:
            continue
        segment = sample.segment(row)
        suggested = sample.class_names[opinion.suggested[row]]
        found.append(
            Finding(
                kind="label",
                dataset=dataset,
                image_id=image_id,
                score=float(opinion.score[row]),
                reason=f"segments like it, in other images, are {suggested}",
                segment_id=segment.segment_id,
                label=sample.class_names[sample.classes[row]],
                suggested=suggested,
                box_xyxy=segment.label_box_xyxy or segment.box_xyxy,
                segment=segment,
            )
        )
    return sorted(found, key=lambda f: (-f.score, f.segment_id))
