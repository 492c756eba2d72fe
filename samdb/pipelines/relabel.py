"""Naming stored segments by hand, and taking it back.

A segment keeps under `relabelled` who it was before, with the id of the change that renamed it; there what it
was before that, and so on: a change can be undone after years, and in any order where it does not matter.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from samdb.core.points import Condition, Payload, PayloadValue, Point, Where
from samdb.errors import ConfigError, InputError
from samdb.ports import VectorStore
from samdb.stores.codec import RELABELLED
from samdb.stores.layout import SEGMENTS

#: changes that a segment remembers
_DEPTH = 8
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Relabelling:
    """A change: its id, how many segments got the name, how many parts inherited it from them, and the ids of
    all of these."""

    undo_id: str
    changed: int
    inherited: int
    segment_ids: tuple[str, ...]


def relabel(store: VectorStore, segment_ids: Sequence[str], class_name: str | None) -> Relabelling:
    """Give these segments a class, marked as named by hand (`predicted`), or take theirs (None).

    Parts that inherited their class from one of them inherit the new one. Raises InputError, changing
    nothing, when a segment does not exist, ConfigError when the name is no name.
    """
    name = None if class_name is None else _checked(class_name)
    ids = list(dict.fromkeys(segment_ids))
    there = store.get(SEGMENTS, ids) if ids else []
    if len(there) < len(ids):
        missing = sorted(set(ids) - {p.id for p in there})
        raise InputError(f"there is no segment {missing[0]} in {store.address}: nothing was changed")
    undo_id = str(uuid.uuid4())
    _rename(store, there, name, "none" if name is None else "predicted", undo_id)
    parts = _heirs(store, there)
    _rename(store, parts, name, "inherited", undo_id)
    if there:
        store.flush(SEGMENTS)
    return Relabelling(undo_id, len(there), len(parts), tuple(p.id for p in (*there, *parts)))


def undo_relabel(store: VectorStore, undo_id: str, segment_ids: Sequence[str] = ()) -> int:
    """Take a change back where nothing was changed since; how many segments are again what they were.

    `segment_ids` are those that it changed; without, all segments are looked at, which takes seconds among
    millions. Raises InputError when there is nothing of that change to take back.
    """
    if segment_ids:
        found = [p for p in store.get(SEGMENTS, list(segment_ids)) if _last_change(p) == undo_id]
    else:
        where: Where = (Condition(f"{RELABELLED}.by", "=", (undo_id,)),)
        found = list(store.scroll(SEGMENTS, where))
    if not found:
        raise InputError(
            f"there is nothing left of the change {undo_id}: it was undone, or its segments got other names "
            "since (take that back first)"
        )
    groups: dict[str, list[str]] = defaultdict(list)
    wanted: dict[str, Payload] = {}
    for point in found:
        before = _before(point)
        key = repr(before)
        groups[key].append(point.id)
        wanted[key] = {
            "class_name": before.get("class_name"),
            "label_source": before.get("label_source", "none"),
            RELABELLED: before.get(RELABELLED),
        }
    for key, ids in groups.items():
        store.set_payload(SEGMENTS, ids, wanted[key])
    store.flush(SEGMENTS)
    return len(found)


def _rename(
    store: VectorStore, points: Sequence[Point], class_name: str | None, source: str, undo_id: str
) -> None:
    """Write the new class; segments that were alike before are written together."""
    groups: dict[str, list[str]] = defaultdict(list)
    befores: dict[str, Payload] = {}
    for point in points:
        before = {k: point.payload.get(k) for k in ("class_name", "label_source")}
        earlier = _shortened(point.payload.get(RELABELLED), _DEPTH - 1)
        if earlier is not None:
            before[RELABELLED] = earlier
        groups[repr(before)].append(point.id)
        befores[repr(before)] = before
    for key, ids in groups.items():
        change: Payload = {
            "class_name": class_name,
            "label_source": source,
            RELABELLED: {"by": undo_id, "before": befores[key]},
        }
        store.set_payload(SEGMENTS, ids, change)


def _heirs(store: VectorStore, points: Sequence[Point]) -> list[Point]:
    """The parts, and their parts, that inherited a class from these segments and are none of them."""
    seen = {p.id for p in points}
    found: list[Point] = []
    parents = sorted(seen)
    while parents:
        where = (Condition("parent_id", "=", tuple(parents)), Condition("label_source", "=", ("inherited",)))
        fresh = [p for p in store.scroll(SEGMENTS, where) if p.id not in seen]
        found += fresh
        parents = [p.id for p in fresh]
        seen.update(parents)
    return found


def _last_change(point: Point) -> str | None:
    """The id of the change that named a segment last."""
    change = point.payload.get(RELABELLED)
    return str(change.get("by")) if isinstance(change, Mapping) else None


def _before(point: Point) -> Mapping[str, PayloadValue]:
    """What a renamed segment was before the last change."""
    change = point.payload.get(RELABELLED)
    before = change.get("before") if isinstance(change, Mapping) else None
    return before if isinstance(before, Mapping) else {}


def _shortened(change: PayloadValue, depth: int) -> PayloadValue:
    """The last `depth` changes that a segment remembers."""
    if not isinstance(change, Mapping) or depth < 1:
        return None
    before = change.get("before")
    kept = dict(before) if isinstance(before, Mapping) else {}
    earlier = _shortened(kept.pop(RELABELLED, None), depth - 1)
    return {"by": change.get("by"), "before": {**kept, **({} if earlier is None else {RELABELLED: earlier})}}


def _checked(class_name: str) -> str:
    name = class_name.strip()
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise ConfigError(f"a class needs a name of 1 to {_LONGEST_NAME} printable characters")
    return name
