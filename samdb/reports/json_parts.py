"""Writing JSON files that are too large to be built in memory: list by list, entry by entry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO, TypeAlias

#: what can be written as JSON
JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"


class JsonListFile:
    """A list in a file of its own, an entry a line."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file: TextIO = path.open("w", encoding="utf-8")
        self._file.write("[")
        self._some = False

    def append(self, entry: Mapping[str, JsonValue]) -> None:
        """Write one entry."""
        self._file.write((",\n" if self._some else "\n") + dumps(entry))
        self._some = True

    def close(self) -> Path:
        """End the list. Returns its file."""
        if not self._file.closed:
            self._file.write("\n]\n")
            self._file.close()
        return self._path

    def abandon(self) -> None:
        """Let go of the file, ended or not."""
        self._file.close()


def compose(path: Path, head: Mapping[str, JsonValue], lists: Mapping[str, JsonListFile]) -> None:
    """Write an object of small values and of lists that have files of their own, which are removed."""
    with path.open("w", encoding="utf-8") as file:
        file.write("{")
        file.write(",\n".join(f"{json.dumps(key)}: {dumps(value)}" for key, value in head.items()))
        for key, entries in lists.items():
            part = entries.close()
            file.write(f",\n{json.dumps(key)}: ")
            with part.open(encoding="utf-8") as source:
                shutil.copyfileobj(source, file, 1 << 20)
            part.unlink()
        file.write("}\n")


def dumps(value: object) -> str:
    """The value on one line; a file name that is no text keeps its bytes as JSON's own escapes."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False)
    return text
