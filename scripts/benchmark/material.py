"""The photographs that a benchmark works on."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from samdb import wiring
from samdb.errors import InputError
from samdb.sam.weights import user_weights_dir
from scripts.fetch_sample import fetch_sample


@dataclass(frozen=True, slots=True)
class Material:
    """A dataset: `split` is what `ingest` reads (`limit` images of it after the first), `images` are single
    photographs, held out where the dataset has a split `val`; a bank is built from `bank_split`.
    """

    data: Path
    split: str
    bank_split: str
    limit: int
    images: tuple[Path, ...]
    shown: str

    @classmethod
    def none(cls) -> Material:
        """For what needs no photographs."""
        return cls(Path(), "", "", 0, (), "no images")


def choose_material(data: Path | None, n_images: int) -> Material:
    """`n_images` of a dataset, fewer where it has no more; the demo's photographs when no data is given.

    Raises DatasetError or InputError when there is nothing usable, FetchError when nothing can be fetched.
    """
    folder = (data or fetch_sample(user_weights_dir().parent / "samples")).absolute()
    dataset = wiring.open_dataset(folder)
    by_split = {row.split: row for row in dataset.summary() if row.n_images}
    labelled = [split for split, row in by_split.items() if row.n_labelled]
    if not by_split:
        raise InputError(f"{folder} has no images: give a BDD100K or COCO folder with --data")
    learn = "train" if "train" in labelled else next(iter(labelled), next(iter(by_split)))
    held_out = "val" if "val" in by_split else learn
    images = tuple(sample.path for sample in islice(dataset.samples(held_out or None), n_images))
    limit = max(1, min(n_images, by_split[learn].n_images - 1))
    name = folder.name if data else "the demo's COCO photographs"
    return Material(folder, learn, learn, limit, images, name)
