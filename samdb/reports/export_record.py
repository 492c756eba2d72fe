"""What is exported: images with their objects, whatever the format; and what a format could not hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from samdb.core.boxes import Box
from samdb.core.sample import Attribute
from samdb.core.segment import Segment

#: the category of segments without a class, in formats that want one
NO_CLASS = "no class"
#: attributes of the whole image; all others are of the object
FRAME_ATTRIBUTES = ("weather", "scene", "timeofday", "image_class")


@dataclass(frozen=True, slots=True)
class ExportImage:
    """One image: `number` counts from 1, `name` is a file name that no other image of its folder has.

    `path` is where the image is, `size_hw` its (height, width) in px, upright.
    """

    number: int
    name: str
    dataset: str
    split: str
    image_id: str
    path: Path
    size_hw: tuple[int, int]

    @property
    def stem(self) -> str:
        """The name without its ending; no other image of its folder has it."""
        return Path(self.name).stem

    @property
    def split_name(self) -> str:
        """The split as a folder or file can be called."""
        return split_name(self.split)


@dataclass(frozen=True, slots=True)
class ExportObject:
    """A segment with the class it is exported with, maybe predicted with a score in [0, 1].

    `box_xyxy` is the dataset's own box where labels are exported, else the tight box of the mask.
    """

    segment: Segment
    class_name: str | None
    score: float | None
    box_xyxy: Box

    @property
    def category(self) -> str:
        """The class, or what stands for none."""
        return NO_CLASS if self.class_name is None else self.class_name

    def own_attributes(self) -> dict[str, Attribute]:
        """The attributes of the object itself."""
        return {k: v for k, v in self.segment.attributes.items() if k not in FRAME_ATTRIBUTES}


def frame_attributes(objects: Sequence[ExportObject]) -> dict[str, Attribute]:
    """The attributes of the image, which each of its segments carries."""
    found = objects[0].segment.attributes if objects else {}
    return {k: found[k] for k in FRAME_ATTRIBUTES if k in found}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that the export does not hold: why, how often, and the first example."""

    reason: str
    count: int
    example: str


class LeftOuts:
    """Gathers what is left out, a line for each reason."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}

    def note(self, reason: str, example: str, count: int = 1) -> None:
        """Something is left out for this reason."""
        if count:
            before, first = self._found.get(reason, (0, example))
            self._found[reason] = (before + count, first)

    def items(self) -> tuple[LeftOut, ...]:
        """All of it, in the order of first appearance."""
        return tuple(LeftOut(reason, n, example) for reason, (n, example) in self._found.items())


class ExportWriter(Protocol):
    """Writes one format, image by image."""

    def images_folder(self, split: str) -> str | None:
        """Where the format wants the image files of a split, relative to the export; None: nowhere."""

    def add(self, image: ExportImage, objects: Sequence[ExportObject], *, has_file: bool) -> None:
        """Write an image; `has_file` tells whether its file lies in `images_folder`."""

    def finish(self) -> Sequence[str]:
        """Write what can only be written at the end; returns what a user should know, a line each."""

    def close(self) -> None:
        """Let go of all files, finished or not."""


def split_name(split: str) -> str:
    """A split as a folder or file can be called."""
    return split.replace("/", "_").replace("\\", "_").strip(". ") or "all"


def number_of(classes: Sequence[str]) -> Mapping[str, int]:
    """The number of each class, from 1, in their order."""
    return {name: i for i, name in enumerate(classes, 1)}
