"""The latent space of a store: how far apart classes lie, parts from wholes, and a map of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samdb.core.masks import Rle
from samdb.core.points import Where
from samdb.core.prompt import Prompt
from samdb.errors import ConfigError
from samdb.pipelines.examples import cut_out
from samdb.pipelines.labelled_sample import UNKNOWN, LabelledSample, read_parts, read_wholes
from samdb.pipelines.probe_figures import (
    CosineCounts,
    PairFigures,
    WholePartFigures,
    compare_pairs,
    principal_axes,
)
from samdb.ports import Segmenter, VectorStore
from samdb.stores.layout import SEGMENTS

#: what the map can be coloured by
COLOURS = ("class_name", "timeofday", "weather", "scene", "granularity", "split", "dataset")
#: wholes of its class, and as many of others, that each part is compared with
_STRANGERS = 4
_BATCH = 512


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What to look at: labelled segments that match `where`, at most `sample` wholes and as many parts.

    The map is coloured by `colour`; `seed` chooses the wholes that parts are compared with.
    """

    recipe: str
    where: Where = ()
    colour: str = "class_name"
    sample: int = 4000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.colour not in COLOURS:
            raise ConfigError(f"cannot colour by {self.colour!r}: choose from {', '.join(COLOURS)}")
        if self.sample < 2:
            raise ConfigError("--sample must be at least 2: cosines are of pairs")


@dataclass(frozen=True, slots=True)
class LatentMap:
    """N segments in two dimensions: `vectors` (N, D), their principal coordinates `xy` (N, 2), the share of
    the variance that each `explained`, and the value that colours each segment."""

    vectors: NDArray[np.float32]
    xy: NDArray[np.float64]
    explained: tuple[float, float]
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What was found of `n_segments` labelled wholes (of `n_stored`) in `n_images` images."""

    recipe: str
    colour: str
    n_segments: int
    n_stored: int
    n_images: int
    pairs: PairFigures
    whole_part: WholePartFigures | None
    latent_map: LatentMap


@dataclass(frozen=True, slots=True)
class SimilarityPicture:
    """A photograph (H, W, 3), the mask of what was asked about, and how much each pixel resembles it:
    `cosines` (H, W)."""

    pixels: NDArray[np.uint8]
    mask: Rle
    cosines: NDArray[np.float32]


def probe(store: VectorStore, request: ProbeRequest) -> ProbeReport:
    """Measure the latent space of stored segments.

    Raises ConfigError on an unknown recipe, InputError when nothing labelled matches.
    """
    wholes = read_wholes(store, request.recipe, request.where, request.sample)
    parts = read_parts(store, request.recipe, request.where, request.sample)
    return ProbeReport(
        recipe=request.recipe,
        colour=request.colour,
        n_segments=len(wholes),
        n_stored=wholes.n_stored,
        n_images=wholes.n_images,
        pairs=compare_pairs(wholes.vectors, wholes.classes, wholes.images, wholes.class_names),
        whole_part=None if parts is None else whole_against_part(store, wholes, parts, request.seed),
        latent_map=_map(wholes, parts, request.colour),
    )


def whole_against_part(
    store: VectorStore, wholes: LabelledSample, parts: LabelledSample, seed: int
) -> WholePartFigures | None:
    """Compare each part with its own whole, and with some wholes of other images: of its class, and not.

    None when no part has a whole.
    """
    own = _own_wholes(store, parts)
    rng = np.random.default_rng(seed)
    keys, classes = wholes.image_keys, wholes.values("class_name")
    of_class = {name: np.flatnonzero(wholes.classes == i) for i, name in enumerate(wholes.class_names)}
    not_of = {name: np.flatnonzero(wholes.classes != i) for i, name in enumerate(wholes.class_names)}
    rows = [i for i, name in enumerate(parts.values("class_name")) if i in own and name in of_class]
    pairs: list[tuple[int, int, bool]] = []
    for row in rows:
        name, image = str(parts.payloads[row]["class_name"]), parts.image_keys[row]
        for pool in (of_class[name], not_of[name]):
            drawn = rng.choice(pool, min(_STRANGERS, len(pool)), replace=False)
            pairs += [(row, int(i), classes[i] == name) for i in drawn if keys[i] != image]
    if not pairs:
        return None
    part, whole, same = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))
    to_own = np.einsum("nd,nd->n", parts.vectors[rows], np.stack([own[row] for row in rows]))
    to_others = np.einsum("nd,nd->n", parts.vectors[part], wholes.vectors[whole])
    return WholePartFigures(
        n=len(rows),
        own=CosineCounts.of(to_own),
        same_class=CosineCounts.of(to_others[same == 1]),
        other_class=CosineCounts.of(to_others[same == 0]),
    )


def similarity_picture(segmenter: Segmenter, pixels: NDArray[np.uint8], prompt: Prompt) -> SimilarityPicture:
    """Where an RGB image (H, W, 3) looks like what lies at a prompt.

    Raises InputError when the prompt lies outside the image or SAM finds nothing there.
    """
    image = segmenter.encode(pixels)
    (found,) = cut_out(segmenter, image, [prompt])
    return SimilarityPicture(pixels, found.mask, image.similarity(found.mask))


def _own_wholes(store: VectorStore, parts: LabelledSample) -> dict[int, NDArray[np.float32]]:
    """The vector of each part's own whole, by the part's row; a part of a part has none."""
    parents = parts.values("parent_id")
    found: dict[str, NDArray[np.float32]] = {}
    ids = sorted(set(parents) - {UNKNOWN})
    for start in range(0, len(ids), _BATCH):
        for point in store.get(SEGMENTS, ids[start : start + _BATCH], (parts.recipe,)):
            if point.payload.get("granularity") == "whole" and parts.recipe in point.vectors:
                found[point.id] = point.vectors[parts.recipe]
    return {row: found[parent] for row, parent in enumerate(parents) if parent in found}


def _map(wholes: LabelledSample, parts: LabelledSample | None, colour: str) -> LatentMap:
    """The wholes on a plane; with their parts when it is these that the colour tells apart."""
    vectors, values = wholes.vectors, wholes.values(colour)
    if colour == "granularity" and parts is not None:
        vectors, values = np.concatenate([vectors, parts.vectors]), values + parts.values(colour)
    xy, explained = principal_axes(vectors)
    return LatentMap(vectors, xy, (float(explained[0]), float(explained[1])), values)
