"""Segments as points and back: the payload is flat, so that every key can be filtered on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast, get_args

from samdb.core.boxes import Box
from samdb.core.head import HEAD_KEY
from samdb.core.masks import Rle
from samdb.core.points import Payload, PayloadValue, Point
from samdb.core.sample import Attribute
from samdb.core.segment import Granularity, LabelSource, PromptKind, Segment
from samdb.errors import StoreError

#: the payload key under which a segment that was renamed by hand keeps what it was before
RELABELLED: Final = "relabelled"

#: payload keys that samdb itself writes; an attribute of the same name is stored under `attr_` + name
RESERVED: Final = frozenset(
    {
        "dataset",
        "split",
        "image_id",
        "class_name",
        "source_category",
        "label_source",
        "label_id",
        "label_box_xyxy",
        "granularity",
        "parent_id",
        "prompt_kind",
        "area_px",
        "box_xyxy",
        "mask_size_hw",
        "mask_counts",
        "predicted_iou",
        "stability_score",
        "model",
        "run",
        "flags",
        HEAD_KEY,
        RELABELLED,
    }
)
_PREFIX: Final = "attr_"


def segment_to_point(segment: Segment) -> Point:
    """The point that stores a segment; what is None is left out, so that `key!=value` finds it."""
    payload: dict[str, PayloadValue] = {
        "dataset": segment.dataset,
        "split": segment.split,
        "image_id": segment.image_id,
        "class_name": segment.class_name,
        "source_category": segment.source_category,
        "label_source": segment.label_source,
        "label_id": segment.label_id,
        "label_box_xyxy": segment.label_box_xyxy,
        "granularity": segment.granularity,
        "parent_id": segment.parent_id,
        "prompt_kind": segment.prompt_kind,
        "area_px": segment.area_px,
        "box_xyxy": segment.box_xyxy,
        "mask_size_hw": segment.mask.size_hw,
        "mask_counts": segment.mask.counts,
        "predicted_iou": segment.predicted_iou,
        "stability_score": segment.stability_score,
        "model": segment.model,
        "run": segment.run,
        "flags": segment.flags,
    }
    stored = {key: list(v) if isinstance(v, tuple) else v for key, v in payload.items() if v is not None}
    attributes = {_stored_name(name): value for name, value in segment.attributes.items()}
    return Point(segment.segment_id, dict(segment.embeddings), {**attributes, **stored})


def point_to_segment(point: Point) -> Segment:
    """The segment that a point stores, with the embeddings that were fetched with it.

    Raises StoreError when the point is no whole segment.
    """
    payload = point.payload
    try:
        return Segment(
            segment_id=point.id,
            dataset=_text(payload, "dataset"),
            split=_text(payload, "split"),
            image_id=_text(payload, "image_id"),
            mask=Rle(_size(payload), _text(payload, "mask_counts")),
            box_xyxy=_box(payload["box_xyxy"]),
            area_px=int(_number(payload, "area_px")),
            granularity=cast(Granularity, _one_of(payload, "granularity", get_args(Granularity))),
            prompt_kind=cast(PromptKind, _one_of(payload, "prompt_kind", get_args(PromptKind))),
            predicted_iou=_number(payload, "predicted_iou"),
            stability_score=_number(payload, "stability_score"),
            model=_text(payload, "model"),
            run=_text(payload, "run"),
            embeddings=dict(point.vectors),
            class_name=_text_or_none(payload, "class_name"),
            source_category=_text_or_none(payload, "source_category"),
            label_source=cast(LabelSource, _one_of(payload, "label_source", get_args(LabelSource))),
            label_id=_text_or_none(payload, "label_id"),
            label_box_xyxy=_box(payload["label_box_xyxy"]) if payload.get("label_box_xyxy") else None,
            parent_id=_text_or_none(payload, "parent_id"),
            attributes=_attributes(payload),
            flags=_texts(payload.get("flags")),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise StoreError(
            f"the point {point.id} is not a whole segment ({exc!r}): ingest its dataset into another --store"
        ) from exc


def _stored_name(attribute: str) -> str:
    # a name that starts with the prefix gets another one, so that it comes back unchanged
    return _PREFIX + attribute if attribute in RESERVED or attribute.startswith(_PREFIX) else attribute


def _attributes(payload: Payload) -> dict[str, Attribute]:
    return {
        key.removeprefix(_PREFIX): value
        for key, value in payload.items()
        if key not in RESERVED and isinstance(value, (str, bool, int, float))
    }


def _text(payload: Payload, key: str) -> str:
    value = payload[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is {value!r}")
    return value


def _text_or_none(payload: Payload, key: str) -> str | None:
    return None if payload.get(key) is None else _text(payload, key)


def _one_of(payload: Payload, key: str, values: tuple[str, ...]) -> str:
    value = _text(payload, key)
    if value not in values:
        raise ValueError(f"{key} is {value!r}")
    return value


def _number(payload: Payload, key: str) -> float:
    value = payload[key]
    if not isinstance(value, (int, float)):
        raise TypeError(f"{key} is {value!r}")
    return float(value)


def _numbers(value: PayloadValue, n: int) -> tuple[float, ...]:
    if isinstance(value, (str, Mapping)) or not isinstance(value, (list, tuple)) or len(value) != n:
        raise TypeError(f"{value!r} is not {n} numbers")
    return tuple(float(cast(float, v)) for v in value)


def _box(value: PayloadValue) -> Box:
    return cast(Box, _numbers(value, 4))


def _size(payload: Payload) -> tuple[int, int]:
    height, width = _numbers(payload["mask_size_hw"], 2)
    return int(height), int(width)


def _texts(value: PayloadValue) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, (list, tuple)):
        raise TypeError(f"flags is {value!r}")
    return tuple(str(v) for v in value)
