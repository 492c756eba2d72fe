"""What the readers of all formats hand to `ImageDataset`: image folders and what labels say of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from samdb.core.sample import Attribute, Label


@dataclass(frozen=True, slots=True)
class ImageLabels:
    """What a label source says of one image.

    `has_labels` False means that its label file could not be read; `problems` then says why. Otherwise
    they are the entries left out.
    """

    labels: tuple[Label, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    has_labels: bool = True


class LabelSource(Protocol):
    """Labels of the images of one folder, read when they are first asked for."""

    def labels_of(self, image_id: str) -> ImageLabels | None:
        """What is known of the image at this path (relative to the dataset), None when nothing is."""


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Images of one folder and one split, with the labels that belong to them.

    `folder` and `image_ids` are paths relative to the dataset, with forward slashes; `.` is its own folder.
    """

    folder: str
    split: str
    image_ids: tuple[str, ...]
    source: LabelSource | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What is odd about the files of a dataset.

    `problems` keep labels out that are there: a broken file, an entry without a name. `notices` name what is
    not there or not needed, which may be meant so: labels without images, images without labels, spare files.
    """

    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def merged(found: Iterable[Findings]) -> Findings:
    """All findings as one, each said once."""
    findings = list(found)
    return Findings(
        tuple(dict.fromkeys(text for f in findings for text in f.problems)),
        tuple(dict.fromkeys(text for f in findings for text in f.notices)),
    )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All image folders of a dataset, and what was found while looking for them.

    `checks` look into label files, which may take long: they are run when the findings are asked for.
    """

    folders: tuple[ImageFolder, ...]
    found: Findings = Findings()
    checks: tuple[Callable[[], Findings], ...] = ()


def missing_pieces(source: str, labelled: Mapping[str, str], image_keys: frozenset[str]) -> list[str]:
    """One line each way for labels without image and images without labels.

    `labelled` maps the keys of a label file to the names it uses; `image_keys` are the keys of the images.
    """
    found: list[str] = []
    orphans = [name for key, name in labelled.items() if key not in image_keys]
    if orphans:
        found.append(
            f"{source}: {len(orphans):,} of {len(labelled):,} labelled images are not there "
            f"(the first is {min(orphans)}); add the images or ignore this"
        )
    bare = sorted(image_keys - labelled.keys())
    if bare:
        found.append(
            f"{source}: has no entry for {len(bare):,} of {len(image_keys):,} images (the first is {bare[0]})"
        )
    return found
