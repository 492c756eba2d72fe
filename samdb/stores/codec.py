"""Segments as points and back: the payload is flat, so that every key can be filtered on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from samdb.core.boxes import Box
from samdb.core.head import HEAD_KEY
from samdb.core.masks import Rle
from samdb.core.points import Hit, Payload, PayloadValue, Point
from samdb.core.sample import Attribute
from samdb.core.segment import Granularity, LabelSource, PromptKind, Segment
from samdb.errors import StoreError

#: the payload key under which a segment that was renamed by hand keeps what it was before
RELABELLED: Final = "relabelled"

_TEXT, _NUMBER, _LIST = (str,), (int, float), (list, tuple)
_NONE = (type(None),)
# what samdb itself writes and of what kind it is
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "dataset": _TEXT,
    "split": _TEXT,
    "image_id": _TEXT,
    "class_name": _TEXT + _NONE,
    "source_category": _TEXT + _NONE,
    "label_source": _TEXT,
    "label_id": _TEXT + _NONE,
    "label_box_xyxy": _LIST + _NONE,
    "granularity": _TEXT,
    "parent_id": _TEXT + _NONE,
    "prompt_kind": _TEXT,
    "area_px": _NUMBER,
    "box_xyxy": _LIST,
    "mask_size_hw": _LIST,
    "mask_counts": _TEXT,
    "predicted_iou": _NUMBER,
    "stability_score": _NUMBER,
    "model": _TEXT,
    "run": _TEXT,
    "flags": _LIST + _NONE,
}
#: payload keys that samdb itself writes; an attribute of the same name is stored under `attr_` + name
RESERVED: Final = frozenset({*_KINDS, HEAD_KEY, RELABELLED})
_PREFIX: Final = "attr_"
# the words that a payload may hold, by themselves: what is looked up is of the right type
_GRANULARITIES: Final[Mapping[str, Granularity]] = {g: g for g in get_args(Granularity)}
_PROMPT_KINDS: Final[Mapping[str, PromptKind]] = {k: k for k in get_args(PromptKind)}
_LABEL_SOURCES: Final[Mapping[str, LabelSource]] = {s: s for s in get_args(LabelSource)}
_OPTIONAL: Final = ("class_name", "source_category", "label_id", "label_box_xyxy", "parent_id", "flags")


def segment_to_point(segment: Segment) -> Point:
    """The point that stores a segment; what is None or an empty list is left out.

    So `key!=value` finds it; and the embedded engine takes 8 us of some 100 to read even a list of nothing.
    """
    box = segment.label_box_xyxy
    payload: dict[str, PayloadValue] = {
        **{_stored_name(name): value for name, value in segment.attributes.items()},
        "dataset": segment.dataset,
        "split": segment.split,
        "image_id": segment.image_id,
        "class_name": segment.class_name,
        "source_category": segment.source_category,
        "label_source": segment.label_source,
        "label_id": segment.label_id,
        "label_box_xyxy": None if box is None else list(box),
        "granularity": segment.granularity,
        "parent_id": segment.parent_id,
        "prompt_kind": segment.prompt_kind,
        "area_px": segment.area_px,
        # a mask's own box is in whole pixels; the embedded engine takes whole numbers twice as fast
        "box_xyxy": [int(v) if v == int(v) else v for v in segment.box_xyxy],
        "mask_size_hw": list(segment.mask.size_hw),
        "mask_counts": segment.mask.counts,
        "predicted_iou": segment.predicted_iou,
        "stability_score": segment.stability_score,
        "model": segment.model,
        "run": segment.run,
        "flags": list(segment.flags),
    }
    for key in _OPTIONAL:
        if not payload[key] and payload[key] != "":
            del payload[key]
    return Point(segment.segment_id, dict(segment.embeddings), payload)


def point_to_segment(point: Point | Hit) -> Segment:
    """The segment that a point stores, or a hit found, with the embeddings that were fetched with it.

    Raises StoreError when the point is no whole segment.
    """
    try:
        p: Mapping[str, Any] = point.payload
        attributes = _checked(p)
        label_box = p.get("label_box_xyxy")
        height, width = p["mask_size_hw"]
        # by position, in the order of the record: by name it takes half as long again, ten times a search
        return Segment(
            point.id,
            p["dataset"],
            p["split"],
            p["image_id"],
            Rle((int(height), int(width)), p["mask_counts"]),
            _box(p["box_xyxy"]),
            int(p["area_px"]),
            _GRANULARITIES[p["granularity"]],
            _PROMPT_KINDS[p["prompt_kind"]],
            float(p["predicted_iou"]),
            float(p["stability_score"]),
            p["model"],
            p["run"],
            point.vectors,
            p.get("class_name"),
            p.get("source_category"),
            _LABEL_SOURCES[p["label_source"]],
            p.get("label_id"),
            _box(label_box) if label_box else None,
            p.get("parent_id"),
            attributes,
            tuple(map(str, p.get("flags") or ())),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise StoreError(
            f"the point {point.id} is not a whole segment ({exc!r}): ingest its dataset into another --store"
        ) from exc


def _stored_name(attribute: str) -> str:
    # a name that starts with the prefix gets another one, so that it comes back unchanged
    return _PREFIX + attribute if attribute in RESERVED or attribute.startswith(_PREFIX) else attribute


def _checked(payload: Payload) -> dict[str, Attribute]:
    """The attributes among a payload. Raises TypeError when one of samdb's own keys holds what it cannot.

    One pass over the keys: a search does this for every hit.
    """
    attributes: dict[str, Attribute] = {}
    for key, value in payload.items():
        kinds = _KINDS.get(key)
        if kinds is not None:
            if not isinstance(value, kinds):
                raise TypeError(f"{key} is {value!r}")
        elif isinstance(value, (str, bool, int, float)) and key not in RESERVED:
            attributes[key.removeprefix(_PREFIX)] = value
    return attributes


def _box(value: Sequence[float]) -> Box:
    x0, y0, x1, y1 = value
    return (float(x0), float(y0), float(x1), float(y1))
