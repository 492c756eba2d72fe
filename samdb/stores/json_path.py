"""Payload keys as Qdrant's JSON paths."""

from __future__ import annotations

import re

from samdb.errors import StoreRejectedError

_PLAIN = re.compile(r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*")


def json_path(key: str) -> str:
    """The path of a payload key: dots lead into objects; a key with other signs is quoted.

    Raises StoreRejectedError on a key that no path can name.
    """
    if _PLAIN.fullmatch(key):
        return key
    if not key or '"' in key:
        raise StoreRejectedError(f"the payload key {key!r} cannot be filtered on: rename it")
    return f'"{key}"'
