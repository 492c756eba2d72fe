"""The example options of `samdb search`, read: boxes, points, mask files, segment ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samdb.core.masks import Rle
from samdb.core.prompt import Prompt
from samdb.errors import ConfigError

_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Examples of one kind (to find, or to avoid): ids of stored segments, and prompts on the image."""

    ids: tuple[str, ...]
    prompts: tuple[Prompt, ...]


def read_examples(
    boxes: Sequence[str], points: Sequence[str], masks: Sequence[Path], ids: Sequence[str]
) -> Wanted:
    """What --box, --point, --mask and --segment ask for. Raises ConfigError on one that cannot be read."""
    prompts = [
        *(_box("--box", text) for text in boxes),
        *(_point("--point", text) for text in points),
        *(_mask("--mask", path) for path in masks),
    ]
    return Wanted(tuple(ids), tuple(prompts))


def read_counter_examples(texts: Sequence[str]) -> Wanted:
    """What --not asks to avoid; its form tells what it is. Raises ConfigError when it is none of them."""
    ids = [text for text in texts if _ID.fullmatch(text)]
    return Wanted(tuple(ids), tuple(_any("--not", text) for text in texts if text not in ids))


def _any(option: str, text: str) -> Prompt:
    if Path(text).is_file():
        return _mask(option, Path(text))
    if text.count(",") == 3:
        return _box(option, text)
    if text.count(",") == 1:
        return _point(option, text)
    raise ConfigError(f"{option} {text!r}: give a segment id, X0,Y0,X1,Y1 or X,Y in pixels, or a mask file")


def _box(option: str, text: str) -> Prompt:
    x0, y0, x1, y1 = _numbers(option, text, 4, "X0,Y0,X1,Y1")
    return Prompt(box_xyxy=(x0, y0, x1, y1))


def _point(option: str, text: str) -> Prompt:
    x, y = _numbers(option, text, 2, "X,Y")
    return Prompt(points_xy=((x, y),), foreground=(True,))


def _mask(option: str, path: Path) -> Prompt:
    from samdb.datasets.images import read_mask

    mask = read_mask(path)
    if not mask.any():
        raise ConfigError(f"{option} {path}: the mask is empty; paint the object in any colour but black")
    return Prompt(mask=Rle.encode(mask))


def _numbers(option: str, text: str, n: int, form: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != n:
        raise ConfigError(f"{option} {text!r}: write {form} in pixels of the image")
    return values
