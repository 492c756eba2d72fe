"""Writing pictures."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from samdb.errors import ConfigError

#: a picture in memory, for who has no other business with Pillow
Picture: TypeAlias = Image.Image


def save_png(image: Image.Image, path: Path) -> Path:
    """Write the picture as PNG, making its folders; the file appears only whole. Returns `path`.

    Raises ConfigError when the place cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            image.save(part, format="PNG")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as exc:
        raise ConfigError(
            f"cannot write the picture {path} ({exc.strerror or exc}): choose another place with --out"
        ) from exc
    return path


def png_bytes(image: Image.Image) -> bytes:
    """The picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
