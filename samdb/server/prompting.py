"""Examples and prompts of a request, on stored images and on uploads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from fastapi import Request

from samdb.core.masks import Rle
from samdb.core.prompt import Prompt
from samdb.pipelines.examples import Example
from samdb.server.backend import Backend
from samdb.server.bodies import ExampleIn
from samdb.server.errors import ApiError


def image_file(backend: Backend, image_key: str | None, upload_id: str | None) -> Path:
    """The file of a stored image or an upload. Raises ApiError 404 or 410 when there is none."""
    if upload_id is not None:
        return backend.uploads.get(upload_id).path
    if image_key is None:
        raise ApiError(422, "invalid", "give image_key or upload_id")
    return backend.pictures.of(backend.stored_image(image_key)).path


def examples_of(
    request: Request, backend: Backend, wanted: Sequence[ExampleIn], recipe: str
) -> list[Example]:
    """Each wanted example, in their order. SAM is asked once for all that lie on images, and each image is
    encoded once.

    Raises ApiError when an image or a segment is not there, InputError when SAM finds nothing at a place.
    """
    found: dict[int, Example] = {}
    on_images: dict[Path, list[int]] = defaultdict(list)
    for i, example in enumerate(wanted):
        if example.segment_id is not None:
            backend.stored_segment(example.segment_id)
            found[i] = backend.db.stored(example.segment_id, recipe)[0]
        else:
            on_images[image_file(backend, example.image_key, example.upload_id)].append(i)

    def cut() -> None:
        for path, rows in on_images.items():
            cuts = backend.db.examples(path, [prompt_of(wanted[i]) for i in rows], recipe)
            found.update((i, example) for i, (example, _) in zip(rows, cuts, strict=True))

    if on_images:
        backend.with_sam(request, cut)
    return [found[i] for i in range(len(wanted))]


def prompt_of(example: ExampleIn) -> Prompt:
    """An example on an image as SAM is asked for it."""
    points = () if example.point_xy is None else (example.point_xy,)
    mask = None if example.mask is None else Rle(example.mask.size, example.mask.counts)
    return Prompt(example.box_xyxy, points, (True,) * len(points), mask)
