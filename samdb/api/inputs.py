"""What a user names, checked: a split of a dataset, a single image, how to prompt."""

from __future__ import annotations

from pathlib import Path

from samdb.core.sample import Sample
from samdb.errors import ConfigError, InputError
from samdb.pipelines.cutting import PromptMode
from samdb.ports import Dataset


def best_prompts(dataset: Dataset, split: str | None) -> PromptMode:
    """The labels where the dataset (or its split) has any, else everything that SAM sees."""
    rows = [row for row in dataset.summary() if split in (None, row.split)]
    return "labels" if any(row.n_labelled for row in rows) else "auto"


def check_split(dataset: Dataset, split: str | None) -> None:
    """Raise ConfigError unless the dataset has that split (None: no matter)."""
    known = dict.fromkeys(row.split for row in dataset.summary())
    if split is not None and split not in known:
        there = ", ".join(name or "one without a name" for name in known)
        raise ConfigError(f"{dataset.name} has no split {split!r}: there is {there}")


def one_image(path: Path) -> Sample:
    """A single image file as a sample without labels. Raises InputError when it is not a file."""
    if not path.is_file():
        raise InputError(f"{path} is not a file: give an image")
    return Sample(dataset=path.parent.name, split="", image_id=path.name, path=path)
