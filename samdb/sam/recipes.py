"""Embedding recipes as data: how a mask becomes a vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from samdb.errors import ConfigError

Source: TypeAlias = Literal[
    "neck", "neck_box", "backbone", "quarters", "token", "tokens", "crop", "semantic", "fused"
]

#: the vector that a trained head makes of a segment
PROJECTION, PROJECTION_DIM = "proj", 128

_NECK_DIM = 256
_TOKEN_DIM = 256
_N_TOKENS = 4
_SEMANTIC_DIM = 1280  # `samdb.sam.semantic`, which imports torch, makes them


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an embedding is made.

    `source` says what is read; a `fused` recipe concatenates the unit vectors of its `parts` (recipe ->
    factor), so that its cosine is the mean of theirs, weighted by the factors squared.
    """

    name: str
    source: Source
    about: str
    parts: Mapping[str, float] = field(default_factory=dict)

    def dim(self, backbone_dim: int) -> int:
        """The vector's dimension for a model whose backbone is `backbone_dim` wide."""
        if self.source == "fused":
            return sum(RECIPES[part].dim(backbone_dim) for part in self.parts)
        own: Mapping[Source, int] = {
            "neck": _NECK_DIM,
            "neck_box": _NECK_DIM,
            "backbone": backbone_dim,
            "quarters": 4 * backbone_dim,
            "crop": backbone_dim,
            "semantic": _SEMANTIC_DIM,
            "token": _TOKEN_DIM,
            "tokens": _TOKEN_DIM * _N_TOKENS,
        }
        return own[self.source]


_ALL = (
    Recipe("neck", "neck", "image embedding pooled under the mask by area coverage"),
    Recipe("neck_box", "neck_box", "image embedding pooled over the mask's bounding box: a baseline"),
    Recipe("backbone", "backbone", "features before the neck, pooled under the mask by area coverage"),
    # beside `blend` for a trained head, cross-validated on 344 BDD100K frames: accuracy / macro-F1 / balanced
    # P@10 .911 / .670 / .622 instead of .894 / .631 / .582; two halves, top and bottom, .904 / .661 / .612
    Recipe("quarters", "quarters", "features before the neck, pooled over each quarter of the mask's box"),
    Recipe("token", "token", "the decoder's mask token for the mask's box (single-mask output)"),
    Recipe("tokens", "tokens", "all four mask tokens of the decoder for the mask's box"),
    Recipe("crop", "crop", "a crop around the mask and its mirror image, encoded anew (SAM paper, D.6)"),
    Recipe("semantic", "semantic", "an ImageNet classifier's features of a crop around the mask's box"),
    # cross-validated on 500 BDD100K frames, macro-F1 / balanced P@10: factor 0 .545 / .421, 0.5 .585 / .449,
    # 0.7 .594 / .448, 1 .579 / .440; `tokens` in its place .582 / .448 at 0.5, at more than twice the size
    Recipe("blend", "fused", "backbone and token side by side", {"backbone": 1.0, "token": 0.5}),
)

RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in _ALL}


def check_recipes(names: Sequence[str]) -> tuple[Recipe, ...]:
    """The recipes of these names, once each. Raises ConfigError on an unknown name or an empty list."""
    unknown = [name for name in names if name not in RECIPES]
    if unknown or not names:
        what = f"unknown recipe {unknown[0]!r}" if unknown else "no recipe given"
        raise ConfigError(f"{what}: choose from {', '.join(RECIPES)}")
    return tuple(RECIPES[name] for name in dict.fromkeys(names))


#: how wide the features before the neck are
BACKBONE_DIMS: Mapping[str, int] = {"vit_t": 320, "vit_b": 768, "vit_l": 1024, "vit_h": 1280}


def layout_dims(model: str) -> dict[str, int]:
    """Dimension of every vector a model's segments can have: its recipes, and the projection of a trained
    head. Raises ConfigError on an unknown model.
    """
    if model not in BACKBONE_DIMS:
        raise ConfigError(f"unknown model {model!r}: choose one of {', '.join(BACKBONE_DIMS)}")
    dims = {name: recipe.dim(BACKBONE_DIMS[model]) for name, recipe in RECIPES.items()}
    return {**dims, PROJECTION: PROJECTION_DIM}
