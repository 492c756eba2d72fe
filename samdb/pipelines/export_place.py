"""Where an export goes: made beside its place under another name, and put there when it is whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

from samdb.datasets.upright_copy import is_turned, write_upright
from samdb.errors import ConfigError, ImageError
from samdb.reports.export_record import LeftOuts

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


class ImageFiles:
    """Puts the image files of an export below `target`: links to them, or copies.

    Boxes are of the upright image. A copy of an image that EXIF turns is upright itself; of a link to one a
    note tells.
    """

    def __init__(self, target: Path, left_out: LeftOuts, *, copy: bool) -> None:
        self._target = target
        self._left_out = left_out
        self._copy = copy
        self._n_turned = 0

    def place(self, source: Path, folder: str, name: str) -> bool:
        """Put an image file there; False when it is not there any more, or cannot be read any more.

        Raises ConfigError when links cannot be made there.
        """
        lost = "image files that {} any more (what is known of them is exported)"
        if not source.is_file():
            self._left_out.note(lost.format("are not there"), str(source))
            return False
        place = self._target / folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            turned = is_turned(source)
            if turned and self._copy:
                write_upright(source, place)
        except ImageError as exc:
            self._left_out.note(lost.format("cannot be read"), str(exc))
            return False
        self._n_turned += turned
        if not self._copy:
            _link(source, place)
        elif not turned:
            shutil.copyfile(source, place)
        return True

    def notes(self) -> list[str]:
        """What a user should know of them."""
        n = self._n_turned
        if n == 0:
            return []
        images = f"{n:,} {'image is' if n == 1 else 'images are'} turned by EXIF orientation"
        if self._copy:
            return [f"{images}: copied with their pixels upright, as the boxes are"]
        return [f"{images}: a reader that ignores it sees boxes in the wrong place; use --images copy"]


def _link(source: Path, place: Path) -> None:
    try:
        place.symlink_to(os.path.abspath(source))
    except OSError as exc:
        raise ConfigError(
            f"cannot link to the images from {place.parent} ({exc.strerror or exc}): use --images copy"
        ) from exc
