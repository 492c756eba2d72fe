"""A FiftyOne dataset, made in FiftyOne's own database, where `fiftyone` is installed.

Each image is a sample, tagged with its split; its objects are `fo.Detections` in the field `segments`,
`labels` or `predictions`, each with its mask inside its box. Source: docs.voxel51.com, "Using FiftyOne
datasets".
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Protocol

from samdb.errors import ConfigError
from samdb.reports.export_record import ExportImage, ExportObject, LeftOuts, frame_attributes

# samples written together: one round trip to the database
_BATCH = 256


class _Dataset(Protocol):
    """What of `fo.Dataset` is used."""

    persistent: bool

    def add_samples(self, samples: Sequence[object], *, progress: bool) -> object:
        """Add samples."""


class FiftyOneWriter:
    """Makes the dataset `name`, whose objects are in the field `field`.

    Raises ConfigError when FiftyOne is not installed, has no database, or has a dataset of that name, unless
    with `force`, which replaces it.
    """

    def __init__(self, name: str, field: str, left_out: LeftOuts, *, force: bool) -> None:
        self._fo = load_fiftyone()
        self._field = field
        self._name = name
        self._left_out = left_out
        try:
            if self._fo.dataset_exists(name) and not force:
                raise ConfigError(
                    f"FiftyOne already has a dataset {name!r}: choose another name, or replace it (--force)"
                )
            # not persistent until it is whole: what a killed run leaves, FiftyOne itself clears away
            self._dataset: _Dataset = self._fo.Dataset(name, overwrite=force, persistent=False)
        except ConfigError:
            raise
        except Exception as exc:  # FiftyOne passes on whatever its database raises
            raise ConfigError(
                f"FiftyOne cannot make the dataset {name!r} ({exc}): check that its database runs "
                "(`fiftyone config`)"
            ) from exc
        self._samples: list[object] = []

    def images_folder(self, split: str) -> str | None:
        """FiftyOne names the images where they are."""
        return None

    def add(self, image: ExportImage, objects: Sequence[ExportObject], *, has_file: bool) -> None:
        """Add a sample."""
        if not image.path.is_file():
            self._left_out.note("images that are not there any more", image.image_id)
            return
        self._samples.append(fiftyone_sample(self._fo, image, objects, self._field))
        if len(self._samples) >= _BATCH:
            self._write()

    def finish(self) -> Sequence[str]:
        """Write the last samples, and keep the dataset."""
        self._write()
        self._dataset.persistent = True
        return (f"look at it: import fiftyone as fo; fo.launch_app(fo.load_dataset({self._name!r}))",)

    def close(self) -> None:
        """No file stays open."""

    def _write(self) -> None:
        if self._samples:
            self._dataset.add_samples(self._samples, progress=False)
            self._samples = []


def load_fiftyone() -> ModuleType:
    """The package. Raises ConfigError when it is not installed."""
    try:
        import fiftyone
    except ImportError as exc:
        raise ConfigError("this needs FiftyOne: pip install fiftyone") from exc
    module: ModuleType = fiftyone
    return module


def fiftyone_sample(
    fo: ModuleType, image: ExportImage, objects: Sequence[ExportObject], field: str
) -> object:
    """An image as `fo.Sample`: boxes are [x, y, w, h] in fractions, masks lie inside their box."""
    height, width = image.size_hw
    metadata = fo.ImageMetadata(width=width, height=height)
    sample = fo.Sample(filepath=str(image.path), tags=[image.split_name], metadata=metadata)
    sample["samdb_dataset"] = image.dataset
    sample["samdb_image_id"] = image.image_id
    for name, value in frame_attributes(objects).items():
        sample[name] = value
    detections = []
    for found in objects:
        s = found.segment
        # FiftyOne stretches a mask over its box, so the box must be the mask's own
        x0, y0, x1, y1 = (int(v) for v in s.box_xyxy)
        detections.append(
            fo.Detection(
                label=found.category,
                bounding_box=[x0 / width, y0 / height, (x1 - x0) / width, (y1 - y0) / height],
                mask=s.mask.decode()[y0:y1, x0:x1],
                confidence=found.score,
                segment_id=s.segment_id,
                parent_id=s.parent_id,
                granularity=s.granularity,
                label_source=s.label_source,
                predicted_iou=s.predicted_iou,
                samdb_attributes=dict(found.own_attributes()),
            )
        )
    sample[field] = fo.Detections(detections=detections)
    return sample
