"""Gathering the labels of one image: bad entries become problems, ids become unique."""

from __future__ import annotations

from collections.abc import Callable

from samdb.core.boxes import Box, box_problem
from samdb.core.sample import Label
from samdb.datasets.json_file import Json, as_id, as_number
from samdb.errors import DatasetError


class LabelList:
    """The labels of one image, as they are read.

    Ids are unique in the image and the same on every reading: an entry without an id is called by its
    position (`#3`), one whose id is already taken by both (`17#3`). An exact repetition is left out.
    """

    def __init__(self) -> None:
        self._labels: dict[str, Label] = {}
        self.problems: list[str] = []

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels so far, in the order of the file."""
        return tuple(self._labels.values())

    def note(self, label_id: str, problem: str) -> None:
        """Record what is wrong with an entry, once."""
        line = f"label {label_id}: {problem}"
        if line not in self.problems:
            self.problems.append(line)

    def add(self, raw_id: Json, position: int, make: Callable[[str], Label | None]) -> None:
        """Add the label that `make` builds for an id; a DatasetError it raises becomes a problem.

        None means that the entry is no object.
        """
        source_id = as_id(raw_id)
        label_id = source_id or f"#{position}"
        try:
            label = make(label_id)
        except DatasetError as exc:
            self.note(label_id, str(exc))
            return
        if label is None:
            return
        if self._labels.get(label_id) == label:
            self.note(label_id, "is given twice")
            return
        while label is not None and label.label_id in self._labels:
            label_id = f"{label_id}#{position}"
            label = make(label_id)
        if label is not None:
            self._labels[label.label_id] = label


def corner_box(x0: Json, y0: Json, x1: Json, y1: Json) -> Box:
    """A box from two corners, x1 and y1 exclusive. Raises DatasetError when it cannot be used."""
    box = (as_number(x0, "x0"), as_number(y0, "y0"), as_number(x1, "x1"), as_number(y1, "y1"))
    problem = box_problem(box)
    if problem:
        raise DatasetError(problem)
    return box
