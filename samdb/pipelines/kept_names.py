"""Names given by hand outlive a new cut of the same image, by ingest with other recipes, prompts or labels.

A segment that comes again has the id that it had. It keeps its name if its mask is the one that was named;
the id alone does not say so, for a label's box may have been moved to another object. An undo gives back what
the dataset says of it now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from samdb.core.masks import Rle, mask_iou
from samdb.core.points import Payload, PayloadValue, Point
from samdb.stores.codec import RELABELLED

# a mask that was cut anew is the same object from here on; two objects in a frame rarely overlap by half
_SAME_IOU = 0.5
_NAME = ("class_name", "label_source")


def is_named(point: Point) -> bool:
    """Whether a segment got its class by hand, or lost it, or inherits it from one that did."""
    payload = point.payload
    return payload.get("label_source") == "predicted" or isinstance(payload.get(RELABELLED), Mapping)


def keep_names(before: Sequence[Point], points: Sequence[Point]) -> list[Point]:
    """The points of an image's segments, with the names that people gave to those of `before`.

    A part that is new and inherits its class inherits the name of what it is a part of.
    """
    named = {p.id: p for p in before if is_named(p)}
    if not named:
        return list(points)
    kept = {p.id: _named_as(p, named[p.id]) for p in points if p.id in named and _same_mask(p, named[p.id])}
    known = {p.id: p for p in points} | kept
    for point in points:
        changed = _changed_above(point, known, kept)
        if changed is not None:
            known[point.id] = _with(
                point, changed.payload.get("class_name"), "inherited", _change_of(changed)
            )
    return [known[p.id] for p in points]


def _changed_above(point: Point, known: Mapping[str, Point], kept: Mapping[str, Point]) -> Point | None:
    """For a part that has no name of its own: what it inherits a name from, which `relabel` gave."""
    while point.id not in kept and point.payload.get("label_source") == "inherited":
        parent = known.get(str(point.payload.get("parent_id")))
        if parent is None:
            return None
        if parent.id in kept:
            return parent if _change_of(parent) is not None else None
        point = parent
    return None


def _named_as(point: Point, before: Point) -> Point:
    """A segment's new point with the name that it had; an undo leads to what it is now."""
    old = before.payload
    return _with(point, old.get("class_name"), str(old.get("label_source")), old.get(RELABELLED))


def _with(point: Point, class_name: PayloadValue, source: str, change: PayloadValue) -> Point:
    now: Payload = {k: point.payload[k] for k in _NAME if k in point.payload}
    payload = {k: v for k, v in point.payload.items() if k not in _NAME}
    if class_name is not None:
        payload["class_name"] = class_name
    payload["label_source"] = source
    if isinstance(change, Mapping):
        payload[RELABELLED] = _rooted(change, now)
    return replace(point, payload=payload)


def _rooted(change: Mapping[str, PayloadValue], now: Payload) -> PayloadValue:
    """A chain of changes whose first one was of `now`."""
    before = change.get("before")
    earlier = before.get(RELABELLED) if isinstance(before, Mapping) else None
    if isinstance(before, Mapping) and isinstance(earlier, Mapping):
        return {"by": change.get("by"), "before": {**before, RELABELLED: _rooted(earlier, now)}}
    return {"by": change.get("by"), "before": dict(now)}


def _change_of(point: Point) -> PayloadValue:
    """The last change of a segment, without those before it: what another one inherits of it."""
    change = point.payload.get(RELABELLED)
    return {"by": change.get("by"), "before": {}} if isinstance(change, Mapping) else None


def _same_mask(point: Point, before: Point) -> bool:
    ours, theirs = _mask(point), _mask(before)
    return ours == theirs or (
        ours.size_hw == theirs.size_hw and float(mask_iou([ours], [theirs])[0, 0]) >= _SAME_IOU
    )


def _mask(point: Point) -> Rle:
    size_hw = point.payload["mask_size_hw"]
    assert isinstance(size_hw, Sequence)
    height, width = size_hw
    return Rle((int(str(height)), int(str(width))), str(point.payload["mask_counts"]))
