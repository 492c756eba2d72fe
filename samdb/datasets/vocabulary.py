"""The two vocabularies of BDD100K, and the one that samdb uses inside."""

from __future__ import annotations

#: the ten det_20 classes in the order of their category ids, 1 to 10; ins_seg bitmasks use the first eight.
#: Source: bdd100k, doc/source/format.rst
DET_CLASSES = (
    "pedestrian",
    "rider",
    "car",
    "truck",
    "bus",
    "train",
    "motorcycle",
    "bicycle",
    "traffic light",
    "traffic sign",
)

#: det_20 classes that BDD100K's own evaluation leaves out
IGNORED_CLASSES = frozenset({"other person", "other vehicle", "trailer"})

# Source: `name_mapping` in bdd100k, configs/det.toml and configs/ins_seg.toml
_TO_DET_20 = {
    "bike": "bicycle",
    "caravan": "car",
    "motor": "motorcycle",
    "person": "pedestrian",
    "van": "car",
}


def det_20_name(category: str) -> str:
    """The det_20 name of a category of any BDD100K release; an unknown one keeps its name."""
    return _TO_DET_20.get(category, category)


def is_region(category: str) -> bool:
    """Whether the category is a lane marking or a drivable area: labels, but not objects."""
    return category in ("lane", "drivable area") or category.startswith(("lane/", "area/"))
