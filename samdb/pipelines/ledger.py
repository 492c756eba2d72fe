"""The ledger: one point per image that says how far its ingestion came, so that ingest can resume.

A segment's points are written before its image is marked done; an image that is not done is cut again, and
as ids are deterministic that only writes the same points once more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, get_args

from samdb.core.ids import image_point_id, make_id
from samdb.core.points import Condition, Payload, Point, Where
from samdb.core.sample import Label, Sample
from samdb.core.vectors import Vector
from samdb.pipelines.cutting import CUT_VERSION, CutSettings
from samdb.ports import VectorStore
from samdb.stores.layout import GLOBAL_VECTOR, IMAGES

#: `pending`: its segments are being replaced, or were when the run was stopped
ImageStatus: TypeAlias = Literal["done", "quarantined", "pending"]

#: set on an image's point before its segments are replaced: it has to be cut again
PENDING: Payload = {"status": "pending"}


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What the ledger says of one image.

    `fingerprint` covers the model, recipes, prompts and labels: when it or the file's `sha256` differs, the
    image must be cut again. `path` is where the image was read, `reason` why it is quarantined, `problems`
    are the labels left out.
    """

    image_id: str
    path: Path
    sha256: str
    fingerprint: str
    status: ImageStatus
    n_segments: int
    reason: str | None
    problems: tuple[str, ...]


def read_ledger(store: VectorStore, dataset: str) -> dict[str, LedgerEntry]:
    """The ledger of one dataset, by image id."""
    where: Where = (Condition("dataset", "=", (dataset,)),)
    entries = (ledger_entry(point.payload) for point in store.scroll(IMAGES, where))
    return {entry.image_id: entry for entry in entries}


def read_entries(store: VectorStore, samples: Sequence[Sample]) -> dict[str, LedgerEntry]:
    """What the ledger says now of some images of one dataset, by image id."""
    ids = [image_point_id(sample.dataset, sample.image_id) for sample in samples]
    entries = (ledger_entry(point.payload) for point in store.get(IMAGES, ids))
    return {entry.image_id: entry for entry in entries}


def ledger_point(
    sample: Sample, entry: LedgerEntry, size_hw: tuple[int, int] | None, vector: Vector | None
) -> Point:
    """The point to write for an image; `vector` is its global vector, None when it could not be read."""
    payload: dict[str, str | int | list[int] | list[str] | None] = {
        "dataset": sample.dataset,
        "split": sample.split,
        "image_id": sample.image_id,
        "path": str(entry.path),
        "sha256": entry.sha256,
        "fingerprint": entry.fingerprint,
        "status": entry.status,
        "reason": entry.reason,
        "n_segments": entry.n_segments,
        "problems": list(entry.problems),
        "size_hw": None if size_hw is None else list(size_hw),
    }
    vectors: Mapping[str, Vector] = {} if vector is None else {GLOBAL_VECTOR: vector}
    present = {k: v for k, v in payload.items() if v is not None}
    return Point(image_point_id(sample.dataset, sample.image_id), vectors, present)


class CutBy(Protocol):
    """What of a segmenter decides an image's segments."""

    @property
    def fingerprint(self) -> str:
        """Names the weights and all that changes a vector."""

    @property
    def automatic_fingerprint(self) -> str:
        """Names the settings that decide which automatic masks there are."""


def fingerprint(segmenter: CutBy, settings: CutSettings, sample: Sample) -> str:
    """Names everything but the pixels that decides an image's segments."""
    return make_id(
        "cut",
        str(CUT_VERSION),
        segmenter.fingerprint,
        settings.prompts,
        "" if settings.prompts == "labels" else segmenter.automatic_fingerprint,
        repr(sorted(settings.recipes)),
        sample.split,
        repr(sample.has_labels),
        repr(sorted(sample.attributes.items())),
        repr([_label_key(label) for label in sample.labels]),
        repr(sample.problems),
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of the file's bytes, or of nothing when it cannot be read (the reader then says why)."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() if _HAS_DIGEST else _digest(file.read())
    except OSError:
        return _digest(b"")


_HAS_DIGEST = hasattr(hashlib, "file_digest")  # Python 3.11


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _label_key(label: Label) -> tuple[object, ...]:
    """All that a label says, in a form whose text is the same in every run."""
    mask = None if label.mask is None else (label.mask.size_hw, label.mask.counts)
    attributes = sorted(label.attributes.items())
    return (label.label_id, label.category, label.class_name, label.box_xyxy, mask, attributes, label.ignore)


def ledger_entry(payload: Payload) -> LedgerEntry:
    """What the payload of an image's point says."""
    known: dict[str, ImageStatus] = {status: status for status in get_args(ImageStatus)}
    problems = payload.get("problems")
    n_segments = payload.get("n_segments")
    reason = payload.get("reason")
    return LedgerEntry(
        image_id=str(payload["image_id"]),
        path=Path(str(payload["path"])),
        sha256=str(payload["sha256"]),
        fingerprint=str(payload["fingerprint"]),
        # a status that another version wrote: cut the image again
        status=known.get(str(payload["status"]), "pending"),
        n_segments=n_segments if isinstance(n_segments, int) else 0,
        reason=None if reason is None else str(reason),
        problems=tuple(map(str, problems)) if isinstance(problems, Sequence) else (),
    )
