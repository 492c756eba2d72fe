"""The migration runner: brings a store's layout up to date, one numbered file at a time, and records it.

A migration is a file `m0001_name.py` with a NAME and `apply(store, params)`. Applying one twice must do no
harm: it is recorded only after it succeeded, so one that died half-way runs again from its start.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import samdb
from samdb._version import __version__
from samdb.core.ids import make_id
from samdb.core.points import Condition, Payload, Point
from samdb.core.tuning import TuningValue, tuning_of
from samdb.errors import SamdbError, StoreError, StoreLayoutError
from samdb.ports import Progress, VectorStore, silent
from samdb.stores.layout import META, LayoutParams, all_specs, bank_spec, meta_spec, segments_spec

_FILE = re.compile(r"m(\d{4})_(\w+)\.py")
_AS_HELD: Mapping[str, TuningValue] = {}
_FACT_ID = make_id("fact", "layout")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the layout. `name` is the file's, such as `m0001_create_segments`."""

    number: int
    name: str
    apply: Callable[[VectorStore, LayoutParams], None]


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """The record that a store keeps of a migration; the time is UTC, ISO 8601."""

    name: str
    applied_at: str
    samdb_version: str


def load_migrations(folder: Path | None = None) -> list[Migration]:
    """All migrations in order: of the installed package, else of the checkout.

    Raises StoreError when the files are missing or not numbered 1, 2, 3...
    """
    folder = folder or _folder()
    files = sorted(f for f in folder.glob("m*.py") if _FILE.fullmatch(f.name))
    found = [_load(file) for file in files]
    if not found or [m.number for m in found] != list(range(1, len(found) + 1)):
        names = ", ".join(m.name for m in found) or "none"
        raise StoreError(
            f"the migrations in {folder} must be numbered 1, 2, 3...: found {names}; reinstall samdb"
        )
    return found


def applied(store: VectorStore) -> list[AppliedMigration]:
    """What the store's layout went through, in order. Only reads."""
    if META not in store.collections():
        return []
    records = [p.payload for p in store.scroll(META, (Condition("kind", "=", ("migration",)),))]
    found = [AppliedMigration(str(r["name"]), str(r["applied_at"]), str(r["samdb_version"])) for r in records]
    return sorted(found, key=lambda m: m.name)


def pending(store: VectorStore, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """The migrations that the store has not been through, in order. Only reads."""
    done = {m.name for m in applied(store)}
    return [m for m in (load_migrations() if migrations is None else migrations) if m.name not in done]


def stored_params(store: VectorStore) -> LayoutParams | None:
    """The model, vectors and tuning that the store is laid out for, or None for a new store."""
    fact = _fact(store)
    if fact is None:
        return None
    model, vectors, tuning = fact["model"], fact["vectors"], fact.get("tuning", {})
    assert isinstance(vectors, dict)
    assert isinstance(tuning, dict)
    dims = {str(name): int(dim) for name, dim in vectors.items()}
    return LayoutParams(str(model), dims, tuning_of(tuning))


def migrate(
    store: VectorStore,
    params: LayoutParams,
    migrations: Sequence[Migration] | None = None,
    *,
    tuning: Mapping[str, TuningValue] = _AS_HELD,
    on_progress: Progress = silent,
) -> list[str]:
    """Bring the store up to date for a model; a new store is laid out. Returns the names that were applied.

    Vectors that the model gained since are added, and the `tuning` is changed; what it does not name stays as
    the store has it. Running it again does nothing. While the tuning changes nothing may write to the store.

    Raises StoreLayoutError when the store is newer or made for another model, StoreError when a migration
    fails; those before it stay applied and recorded, and the next run goes on from there.
    """
    known = load_migrations() if migrations is None else list(migrations)
    check_not_newer(store, known)
    layout = _bind(store, params, tuning)
    done: list[str] = []
    for migration in pending(store, known):
        try:
            migration.apply(store, layout)
        except SamdbError:
            raise
        except Exception as exc:
            raise StoreError(
                f"the migration {migration.name} failed on {store.address}: {exc}; "
                "run `samdb store migrate` again once that is solved"
            ) from exc
        _record(store, migration)
        done.append(migration.name)
    _add_vectors(store, layout)
    if _retune(store, layout, tuning, on_progress):
        done.append("tuning")
    return done


def check_layout(
    store: VectorStore,
    model: str | None = None,
    migrations: Sequence[Migration] | None = None,
    tuning: Mapping[str, TuningValue] = _AS_HELD,
) -> None:
    """Raise StoreLayoutError unless the store's layout is this version's, and has the `model` and `tuning`.

    A new, empty store passes: `migrate` lays it out on the first ingest.
    """
    if not store.collections():
        return
    known = load_migrations() if migrations is None else list(migrations)
    check_not_newer(store, known)
    missing = pending(store, known)
    if missing:
        raise StoreLayoutError(
            f"the store at {store.address} is {len(missing)} migrations behind this samdb: "
            "run `samdb store migrate`"
        )
    held = stored_params(store)
    if held is None:
        return
    if model is not None and held.model != model:
        raise _other_model(store, held.model)
    if _half_tuned(store):
        raise StoreLayoutError(
            f"the settings of the store at {store.address} were being changed when that was stopped: "
            "run `samdb store migrate` to finish"
        )
    copying = list(store.scroll(META, (Condition("kind", "=", ("copy",)),)))
    if copying:
        source = copying[0].payload["source"]
        raise StoreLayoutError(
            f"the store at {store.address} is half a copy: finish it with "
            f"`samdb store copy {source} {store.address}`"
        )
    wanted = held.tuning.changed(tuning)
    if wanted != held.tuning:
        change = wanted.differences(held.tuning)
        raise StoreLayoutError(
            f"the store at {store.address} has {held.tuning.differences(wanted)}, the settings ask for "
            f"{change}: run `samdb store migrate --set {change}`, or leave them out of SAMDB_TUNING"
        )


def check_not_newer(store: VectorStore, migrations: Sequence[Migration]) -> None:
    """Raise StoreLayoutError when the store went through a migration that this samdb does not know."""
    known = {m.name for m in migrations}
    strange = [m for m in applied(store) if m.name not in known]
    if strange:
        raise StoreLayoutError(
            f"the store at {store.address} was laid out by samdb {strange[-1].samdb_version} "
            f"({strange[-1].name}), this is {__version__}: upgrade samdb"
        )


def _bind(store: VectorStore, params: LayoutParams, tuning: Mapping[str, TuningValue]) -> LayoutParams:
    """Bind a new store to the model, or check that it is; gives the vectors held and the new ones."""
    held = stored_params(store)
    if held is None:
        layout = replace(params, tuning=params.tuning.changed(tuning))
        store.create_collection(meta_spec(layout.tuning))
        _write_fact(store, layout)
        return layout
    if held.model != params.model:
        raise _other_model(store, held.model)
    for name, dim in params.vectors.items():
        if held.vectors.get(name, dim) != dim:
            raise StoreLayoutError(
                f"the store at {store.address} holds {name!r} vectors of {held.vectors[name]} dimensions, "
                f"not {dim}: ingest into another --store"
            )
    store.create_collection(meta_spec(held.tuning))
    return LayoutParams(held.model, {**held.vectors, **params.vectors}, held.tuning)


def _add_vectors(store: VectorStore, layout: LayoutParams) -> None:
    held = stored_params(store)
    if held is not None and set(held.vectors) != set(layout.vectors):
        for spec in (segments_spec(layout), bank_spec(layout)):
            store.create_collection(spec)
        _write_fact(store, layout)


def _retune(
    store: VectorStore, layout: LayoutParams, tuning: Mapping[str, TuningValue], on_progress: Progress
) -> bool:
    """Change the tuning where that is asked for, or where it was stopped half-way; whether there was any."""
    wanted = replace(layout, tuning=layout.tuning.changed(tuning))
    if wanted.tuning == layout.tuning and not _half_tuned(store):
        return False
    # written first: whoever opens the store meanwhile is told, and a run without options finishes this one
    _write_fact(store, wanted, half_tuned=True)
    for spec in all_specs(wanted):
        store.retune(spec, on_progress)
    _write_fact(store, wanted)
    return True


def _half_tuned(store: VectorStore) -> bool:
    return bool((_fact(store) or {}).get("half_tuned"))


def _fact(store: VectorStore) -> Payload | None:
    found = store.get(META, [_FACT_ID]) if META in store.collections() else []
    return found[0].payload if found else None


def _write_fact(store: VectorStore, params: LayoutParams, *, half_tuned: bool = False) -> None:
    payload: Payload = {
        "kind": "fact",
        "name": "layout",
        "model": params.model,
        "vectors": dict(params.vectors),
        "tuning": dict(params.tuning.record()),
        "half_tuned": half_tuned,
        "samdb_version": __version__,
    }
    store.upsert(META, [Point(_FACT_ID, {}, payload)])
    store.flush(META)


def _record(store: VectorStore, migration: Migration) -> None:
    payload: Payload = {
        "kind": "migration",
        "name": migration.name,
        "number": migration.number,
        "applied_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "samdb_version": __version__,
    }
    store.upsert(META, [Point(make_id("migration", migration.name), {}, payload)])
    store.flush(META)


def _other_model(store: VectorStore, held: str) -> StoreLayoutError:
    return StoreLayoutError(
        f"the store at {store.address} holds {held} segments: use another --store or --model {held}"
    )


def _folder() -> Path:
    package = Path(samdb.__file__).parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _load(file: Path) -> Migration:
    match = _FILE.fullmatch(file.name)
    assert match is not None
    spec = importlib.util.spec_from_file_location(f"samdb_migration_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise StoreError(f"cannot read the migration {file}: reinstall samdb")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if file.stem != module.NAME:
        raise StoreError(f"the migration {file} calls itself {module.NAME!r}: its NAME must be its file's")
    return Migration(int(match[1]), module.NAME, module.apply)
