"""Putting results on the screen: data on stdout, talk on stderr.

File names and class names come from anywhere, so nothing that is printed is read as rich markup, and what
would move the cursor is shown as an escape.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from samdb.core.points import PayloadValue

#: what people read about the run; never part of the data
talk = Console(stderr=True, highlight=False, soft_wrap=True)
_data = Console(highlight=False, soft_wrap=True)

_GAP = "  "


def say(message: str, style: str = "") -> None:
    """Print a message on stderr."""
    talk.print(Text(_printable(message), style=style))


def done(message: str) -> None:
    """Print on stderr that something succeeded."""
    say(message, "green")


def warn(message: str) -> None:
    """Print on stderr something to heed."""
    say(message, "yellow")


def line(text: str) -> None:
    """Print one line of data on stdout."""
    _data.print(Text(_printable(text)))


def json_line(record: Mapping[str, PayloadValue]) -> None:
    """Print one JSON object on one line of stdout; a reader that follows gets it at once."""
    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a file name that is no text, or a terminal that knows few letters
        text = json.dumps(record, allow_nan=False)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table on stdout; columns named in `right` are aligned to the right.

    Rows are never cut to the terminal's width: an id that is cut short is of no use to anyone.
    """
    printable = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(columns, *printable, strict=True)]
    for number, row in enumerate((columns, *printable)):
        cells = []
        for name, cell, width in zip(columns, row, widths, strict=True):
            space = " " * (width - cell_len(cell))
            cells.append(space + cell if name in right else cell + space)
        _data.print(Text(_GAP.join(cells).rstrip(), style="bold" if number == 0 else ""))


def problems(found: Sequence[tuple[str, str]], heading: str, *, more: str = "", most: int = 10) -> None:
    """Print (where, why) rows on stderr, the first few; `more` says where the others are."""
    if not found:
        return
    warn(heading)
    for where, why in found[:most]:
        say(f"  {where}: {why}")
    if len(found) > most:
        say(f"  ... and {len(found) - most:,} more{more}")


def _printable(text: str) -> str:
    """The text with all but letters, signs and line ends escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
