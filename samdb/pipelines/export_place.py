"""Where an export goes: made beside its place under another name, and put there when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

from samdb.errors import ConfigError

#: the file in an exported folder that says what it is; a folder without it is never replaced
MANIFEST = "samdb_export.json"


def check_place(out: Path, *, force: bool) -> None:
    """Raise ConfigError unless an export may be put at `out`."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        if not force:
            raise ConfigError(f"{out} is there already: choose another name, or replace it with --force")
    elif out.is_dir() and any(out.iterdir()):
        if not force:
            raise ConfigError(
                f"{out} is not empty: choose another folder, or replace an earlier export with --force"
            )
        if not is_export(out):
            raise ConfigError(
                f"{out} holds something else than an export of samdb, and --force would delete it: choose "
                "another folder"
            )


def is_export(folder: Path) -> bool:
    """Whether `samdb export` has made a folder."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and "samdb_export" in content


@contextmanager
def staged(out: Path, *, folder: bool, force: bool) -> Iterator[Path]:
    """A new folder, or the name of a new file, that becomes `out` when the block ends well; else it is gone.

    Raises ConfigError when `out` is taken (see `check_place`) or cannot be written.
    """
    check_place(out, force=force)
    part = out.with_name(f".{out.name}.part-{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove(part)
        if folder:
            part.mkdir()
        yield part
        _put(part, out, force=force)
    except OSError as exc:
        raise ConfigError(f"cannot write {out} ({exc.strerror or exc}): choose another place") from exc
    finally:
        _remove(part)
        for left in part.parent.glob(f"{part.name}.*") if part.parent.is_dir() else ():
            _remove(left)


def _put(part: Path, out: Path, *, force: bool) -> None:
    check_place(out, force=force)  # once more: much time may have passed
    if not out.is_dir() or out.is_symlink():
        os.replace(part, out)
        return
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    os.replace(out, old)
    try:
        os.replace(part, out)
    except OSError:
        os.replace(old, out)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    """Delete a file or folder, if it is there; links in it are deleted, never what they point to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class ImageNames:
    """A file name for each image, the stem never the same twice, also where case does not count."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, image_id: str) -> str:
        """The image's own name, else with the folders it lies in, else with a number."""
        path = Path(image_id)
        whole = "_".join(path.with_suffix("").parts)
        stems = chain((path.stem, whole), (f"{whole}_{n}" for n in count(2)))
        stem = next(s for s in stems if s.casefold() not in self._taken)
        self._taken.add(stem.casefold())
        return stem + path.suffix


def place_image(source: Path, target: Path, *, copy: bool) -> bool:
    """Link an image file, or copy it. Returns False when the image is not there any more.

    Raises ConfigError when links cannot be made there.
    """
    if not source.is_file():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if copy:
        shutil.copyfile(source, target)
        return True
    try:
        target.symlink_to(os.path.abspath(source))
    except OSError as exc:
        raise ConfigError(
            f"cannot link to the images from {target.parent} ({exc.strerror or exc}): use --images copy"
        ) from exc
    return True
