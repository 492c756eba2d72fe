"""How a store lays out its collections: shards, copies, what lies on disk, how vectors are indexed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal, TypeAlias, cast, get_args

from samdb.errors import ConfigError

Quantization: TypeAlias = Literal["int8", "binary", "none"]
TuningValue: TypeAlias = int | bool | str | None

_NUMBERS = ("shards", "replicas", "write_consistency", "hnsw_m", "hnsw_ef_construct", "full_scan_kb")
_SWITCHES = ("on_disk_vectors", "on_disk_payload", "hnsw_on_disk")
_WORDS: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class StoreTuning:
    """The settings of a store's layout; part of its record, changed by `samdb store migrate --set`.

    `shards` (None: one per node), `replicas` (copies of each shard) and `write_consistency` (copies that must
    acknowledge a write) matter to servers only. Quantized vectors stay in memory and are always rescored from
    the full ones; with `on_disk_vectors` the full ones are read from disk. `hnsw_m` and
    `hnsw_ef_construct` are the graph's edges per point and its build effort; less than `full_scan_kb` of
    vectors are scanned (None: the engine's own measure).
    """

    shards: int | None = None
    replicas: int = 1
    write_consistency: int = 1
    on_disk_vectors: bool = False
    on_disk_payload: bool = True
    quantization: Quantization = "int8"
    hnsw_m: int = 16
    hnsw_ef_construct: int = 100
    hnsw_on_disk: bool = False
    full_scan_kb: int | None = None

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"the store setting {name} must be at least 1, got {value}")
        if self.quantization not in get_args(Quantization):
            raise ConfigError(f"unknown quantization {self.quantization!r}: use int8, binary or none")
        if self.write_consistency > self.replicas:
            raise ConfigError(
                f"write_consistency={self.write_consistency} asks more copies to acknowledge a write than "
                f"there are: set replicas={self.write_consistency}, or less of it"
            )

    def changed(self, changes: Mapping[str, TuningValue]) -> StoreTuning:
        """The settings with these changes. Raises ConfigError when they make no sense together."""
        return replace(self, **changes)  # type: ignore[arg-type]  # `parse_tuning` made them

    def record(self) -> dict[str, TuningValue]:
        """The settings as plain values, for the store's record."""
        return cast(dict[str, TuningValue], asdict(self))

    def differences(self, other: StoreTuning) -> str:
        """What differs from `other`, as the text that would make it so, such as `shards=3,replicas=2`."""
        mine, theirs = self.record(), other.record()
        return ",".join(f"{name}={_text(mine[name])}" for name in mine if mine[name] != theirs[name])


def tuning_of(record: Mapping[str, TuningValue]) -> StoreTuning:
    """The settings of a record; what an older or newer samdb did not know is left at its default."""
    known = {f.name for f in fields(StoreTuning)}
    return StoreTuning().changed({name: value for name, value in record.items() if name in known})


def parse_tuning(text: str) -> dict[str, TuningValue]:
    """Changes from text such as `shards=3,replicas=2,quantization=binary,on_disk_vectors=yes`.

    Raises ConfigError on an unknown name or a value that it cannot have.
    """
    changes: dict[str, TuningValue] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, value = (p.strip() for p in part.partition("="))
        changes[name] = _value(name, value)
    # how many copies there are may be known to the store alone
    replicas = changes.get("replicas", changes.get("write_consistency", 1))
    StoreTuning().changed({**changes, "replicas": replicas})
    return changes


def _value(name: str, value: str) -> TuningValue:
    if name in _NUMBERS:
        if not value.isascii() or not value.isdigit():
            raise ConfigError(f"the store setting {name} needs a whole number, got {value!r}")
        return int(value)
    if name in _SWITCHES:
        if value.lower() not in _WORDS:
            raise ConfigError(f"the store setting {name} is yes or no, got {value!r}")
        return _WORDS[value.lower()]
    if name == "quantization":
        return value
    known = [f.name for f in fields(StoreTuning)]
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise ConfigError(f"there is no store setting {name!r}: {meant}They are {', '.join(known)}")


def _text(value: TuningValue) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
