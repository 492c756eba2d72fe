"""The head: what turns stored embeddings into the projected vectors that a trained bank compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from samdb.core.vectors import Vector, normalise

Rows: TypeAlias = NDArray[np.float32]

#: the named vector that a head writes, and the payload key that says which head wrote it
PROJECTED: Final = "proj"
HEAD_KEY: Final = "proj_head"


@dataclass(frozen=True, slots=True)
class Layer:
    """An affine layer: rows (N, I) become rows @ weight.T + bias, (N, O).

    `weight` is (O, I) float32, `bias` (O,) float32.
    """

    weight: Rows
    bias: Rows

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[:1]:
            raise ValueError(f"a layer of weights {self.weight.shape} cannot have biases {self.bias.shape}")


@dataclass(frozen=True, slots=True)
class Head:
    """A projection as numpy can apply it.

    The input of a segment is its unit embeddings of `recipes`, side by side in that order, divided by the
    square root of how many they are: a unit vector (D,). It is standardised ((x - `mean`) / `scale`), goes
    through the `stem`, an affine layer that all members share, if there is one, and then
    through each of the `members`: layers with a ReLU between them, the outcome scaled to norm 1. The members'
    outcomes, side by side, are multiplied by `mix` (P, sum of their widths) and scaled to norm 1: a linear
    projection is one member of one layer, several seeds trained apart are several members.
    """

    recipes: tuple[str, ...]
    mean: Rows
    scale: Rows
    members: tuple[tuple[Layer, ...], ...]
    mix: Rows
    stem: Layer | None = None

    def __post_init__(self) -> None:
        if not self.recipes or not self.members or not all(self.members):
            raise ValueError("a head needs at least one recipe and one member of at least one layer")
        if self.mean.shape != self.scale.shape or self.mean.ndim != 1 or not (self.scale > 0).all():
            raise ValueError("a head's mean and scale must be (D,), and its scale positive")
        if self.stem is not None and self.stem.weight.shape[1] != self.dim_in:
            raise ValueError(f"a stem of {self.stem.weight.shape} cannot read rows of {self.dim_in} numbers")
        for member in self.members:
            width = self.dim_in if self.stem is None else self.stem.weight.shape[0]
            for layer in member:
                if layer.weight.shape[1] != width:
                    raise ValueError(f"a layer of {layer.weight.shape} cannot read rows of {width} numbers")
                width = layer.weight.shape[0]
        if self.mix.ndim != 2 or self.mix.shape[1] != sum(len(m[-1].bias) for m in self.members):
            raise ValueError(f"a mix of {self.mix.shape} does not fit the members")

    @property
    def dim_in(self) -> int:
        """How many numbers it reads."""
        return int(self.mean.shape[0])

    @property
    def dim(self) -> int:
        """How many numbers it gives."""
        return int(self.mix.shape[0])

    def project(self, rows: Rows) -> Rows:
        """Unit rows (N, D) to unit rows (N, P). Raises ValueError when D is another than it was made for."""
        if rows.ndim != 2 or rows.shape[1] != self.dim_in:
            raise ValueError(f"the head reads rows of {self.dim_in} numbers, got an array of {rows.shape}")
        if not len(rows):
            return np.empty((0, self.dim), dtype=np.float32)
        standard = (rows - self.mean) / self.scale
        if self.stem is not None:
            standard = standard @ self.stem.weight.T + self.stem.bias
        return _unit(np.hstack([_through(member, standard) for member in self.members]) @ self.mix.T)

    def project_named(self, embeddings: Sequence[Mapping[str, Vector]]) -> Rows:
        """The same for N segments given by their embeddings. Raises KeyError when one lacks a recipe."""
        return self.project(side_by_side(embeddings, self.recipes))


def side_by_side(embeddings: Sequence[Mapping[str, Vector]], recipes: Sequence[str]) -> Rows:
    """Unit embeddings of N segments as one unit row each (N, D): what a head of these recipes reads."""
    if not embeddings:
        return np.empty((0, 0), dtype=np.float32)
    rows = np.stack([np.concatenate([named[recipe] for recipe in recipes]) for named in embeddings])
    return normalise(rows / np.sqrt(len(recipes)))


def _through(member: tuple[Layer, ...], rows: Rows) -> Rows:
    for i, layer in enumerate(member):
        rows = (np.maximum(rows, 0.0) if i else rows) @ layer.weight.T + layer.bias
    return _unit(rows)


def _unit(rows: Rows) -> Rows:
    # a ReLU can leave nothing of a row: such a segment is like no other, and must still have a vector
    rows = np.where(np.abs(rows).max(axis=1, keepdims=True) > 1e-12, rows, np.float32(1.0))
    return normalise(rows)
