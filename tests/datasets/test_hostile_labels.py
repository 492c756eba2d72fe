"""Label files with anything at all in any place: always samples and reasons, never a crash."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from samdb.datasets import open_dataset

WriteImages: TypeAlias = Callable[..., list[Path]]
Node: TypeAlias = "dict[str, Node] | list[Node] | str | int | float | bool | None"

RUBBISH: list[Node] = [
    None, True, -1, 0, 10**400, 1e308, float("nan"), float("-inf"), "", "x", "\u0000",
    [], [[]], [None], {}, {"a": 1}, [1, 2],
]  # fmt: skip
OUTLINE: Node = [{"vertices": [[1, 1], [9, 1], [9, 9], [1, 9]], "types": "LCCL", "closed": True}]
LABEL: dict[str, Node] = {
    "id": "1",
    "category": "car",
    "attributes": {"occluded": True, "trafficLightColor": "G"},
}
BOX: Node = {"x1": 1, "y1": 2, "x2": 3, "y2": 4}
RLE: Node = {"size": [20, 40], "counts": [100, 50, 650]}
NIGHT: Node = {"timeofday": "night"}

GOOD: dict[str, tuple[str, Node]] = {
    "det_20": (
        "labels/det_20/det_val.json",
        {"frames": [{"name": "a.jpg", "attributes": NIGHT, "labels": [{**LABEL, "box2d": BOX}]}]},
    ),
    "per image": (
        "labels/100k/val/a.json",
        {"name": "a", "attributes": NIGHT, "frames": [{"objects": [{**LABEL, "box2d": BOX}]}]},
    ),
    "outlines": (
        "labels/ins_seg/polygons/ins_seg_val.json",
        [{"name": "a.jpg", "size": {"width": 40, "height": 20}, "labels": [{**LABEL, "poly2d": OUTLINE}]}],
    ),
    "run lengths": (
        "labels/ins_seg/rles/ins_seg_val.json",
        [{"name": "a.jpg", "labels": [{**LABEL, "rle": RLE}]}],
    ),
    "coco": (
        "annotations/instances_val2017.json",
        {
            "images": [{"id": 1, "file_name": "a.jpg", "height": 20, "width": 40}],
            "categories": [{"id": 3, "name": "car"}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "segmentation": RLE},
                {
                    "id": 2,
                    "image_id": 1,
                    "category_id": 3,
                    "bbox": [1, 2, 3, 4],
                    "segmentation": [[1, 1, 9, 1, 9, 9]],
                },
            ],
        },
    ),
    "panoptic": (
        "annotations/panoptic_val2017.json",
        {
            "images": [{"id": 1, "file_name": "a.jpg", "height": 20, "width": 40}],
            "categories": [{"id": 3, "name": "car", "isthing": 1}],
            "annotations": [
                {"image_id": 1, "file_name": "m.png", "segments_info": [{"id": 5, "category_id": 3}]}
            ],
        },
    ),
}


def places(node: Node, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all values in a JSON document."""
    children: list[tuple[str | int, Node]] = []
    if isinstance(node, dict):
        children = list(node.items())
    elif isinstance(node, list):
        children = list(enumerate(node))
    return [path, *(p for key, child in children for p in places(child, (*path, key)))]


def replaced(node: Node, path: tuple[str | int, ...], value: Node, *, remove: bool) -> Node:
    """A copy of the document with one value replaced, or its key removed."""
    if not path:
        return value
    result = copy.deepcopy(node)
    parent = result
    for key in path[:-1]:
        parent = parent[key]  # type: ignore[index]
    if remove and isinstance(parent, dict):
        del parent[str(path[-1])]
    else:
        parent[path[-1]] = value  # type: ignore[index]
    return result


@pytest.mark.parametrize("kind", GOOD)
def test_rubbish_in_any_place_never_crashes_a_reader(
    tmp_path: Path, write_images: WriteImages, kind: str
) -> None:
    file, good = GOOD[kind]
    bdd = file.startswith("labels")
    folder = "val2017" if not bdd else "images/10k/val" if "ins_seg" in file else "images/100k/val"
    write_images(tmp_path / folder, ["a.jpg"])
    if kind == "panoptic":
        write_images(tmp_path / "annotations/panoptic_val2017", ["m.png"])
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for place in places(good):
        picked = [RUBBISH[i] for i in rng.choice(len(RUBBISH), 6, replace=False)]
        for number, value in enumerate([*picked, None]):
            path.write_text(json.dumps(replaced(good, place, value, remove=number == len(picked))))
            dataset = (
                open_dataset(tmp_path, format="bdd100k" if bdd else "coco")
                if place
                else open_dataset(tmp_path)
            )
            (sample,) = dataset.samples()
            assert all(isinstance(problem, str) for problem in [*sample.problems, *dataset.problems()])
            assert len({label.label_id for label in sample.labels}) == len(sample.labels)
            for label in sample.labels:
                json.dumps(dict(label.attributes), allow_nan=False)
                assert label.mask is None or label.mask.decode().any()
