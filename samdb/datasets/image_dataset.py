"""The dataset that all formats give: image folders with label sources behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from samdb.core.sample import Sample
from samdb.datasets.records import Catalogue, Findings, ImageFolder, ImageLabels, merged
from samdb.errors import DatasetError
from samdb.ports import SplitSummary

_NOTHING = ImageLabels(has_labels=False)


class ImageDataset:
    """Images of a folder with whatever labels came with them; fills the port `Dataset`.

    Nothing is read before it is asked for: `load` looks for the images when they are first counted, and a
    label file is parsed when the first image that needs it is read. Labels are built image by image.
    """

    def __init__(self, name: str, format: str, root: Path, load: Callable[[], Catalogue]) -> None:
        self.name = name
        self.format = format
        self.root = root
        self._load = load

    def __len__(self) -> int:
        """How many images there are."""
        return sum(len(folder.image_ids) for folder in self._catalogue.folders)

    def splits(self) -> list[str]:
        """The names that `samples` takes, in the dataset's order."""
        return list(dict.fromkeys(folder.split for folder in self._catalogue.folders))

    def samples(self, split: str | None = None) -> Iterator[Sample]:
        """The images, in a stable order; only those of `split` when it is given.

        Raises DatasetError when there is no such split.
        """
        if split is not None and split not in self.splits():
            known = ", ".join(self.splits()) or "none"
            raise DatasetError(f"{self.root} has no split {split!r}; it has: {known}")
        return (
            self._sample(folder, image_id)
            for folder in self._catalogue.folders
            if split in (None, folder.split)
            for image_id in folder.image_ids
        )

    def summary(self) -> Sequence[SplitSummary]:
        """What was found, a row per image folder and split; `samdb.datasets.describe` puts it into words.

        Counts what `samples` gives. Labels marked ignore (crowds, "other vehicle") are not counted, and
        `n_labelled` counts images with at least one label. Reads all labels, once.
        """
        return self._counted[0]

    def problems(self) -> Sequence[str]:
        """Labels that are there but cannot be used, with the reason: a broken file, an entry without a name.

        Reads all labels, once. Entries left out of a label file that could be read are in `Sample.problems`.
        """
        return self._counted[1].problems

    def notices(self) -> Sequence[str]:
        """What is not there or not needed, which may be meant: labels without image, images without labels.

        Reads all labels, once.
        """
        return self._counted[1].notices

    @cached_property
    def _catalogue(self) -> Catalogue:
        return self._load()

    @cached_property
    def _counted(self) -> tuple[tuple[SplitSummary, ...], Findings]:
        checked = [check() for check in self._catalogue.checks]
        problems: list[str] = []
        rows = tuple(_count(folder, problems) for folder in self._catalogue.folders)
        return rows, merged([self._catalogue.found, *checked, Findings(tuple(problems))])

    def _sample(self, folder: ImageFolder, image_id: str) -> Sample:
        found = _read(folder, image_id)
        return Sample(
            dataset=self.name,
            split=folder.split,
            image_id=image_id,
            path=self.root / image_id,
            labels=found.labels,
            has_labels=found.has_labels,
            attributes=found.attributes,
            problems=found.problems,
        )


def _read(folder: ImageFolder, image_id: str) -> ImageLabels:
    found = folder.source.labels_of(image_id) if folder.source is not None else None
    return found if found is not None else _NOTHING


def _count(folder: ImageFolder, problems: list[str]) -> SplitSummary:
    """Counts over one folder; label files that cannot be read are added to `problems`."""
    n_labelled = n_boxes = n_masks = 0
    classes: set[str] = set()
    for image_id in folder.image_ids:
        found = _read(folder, image_id)
        if not found.has_labels:
            problems += found.problems
        used = [label for label in found.labels if not label.ignore]
        n_labelled += bool(used)
        n_boxes += sum(label.box_xyxy is not None for label in used)
        n_masks += sum(label.mask is not None for label in used)
        classes.update(label.class_name for label in used)
    n_images = len(folder.image_ids)
    return SplitSummary(folder.folder, folder.split, n_images, n_labelled, n_boxes, n_masks, len(classes))
