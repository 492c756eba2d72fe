"""Putting results on the screen: data on stdout, talk on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from samdb.core.points import PayloadValue

#: what people read about the run; never part of the data
talk = Console(stderr=True, highlight=False, soft_wrap=True)
# wider than any row: a table cut to the terminal would lose ids; a long row wraps where the terminal ends
_WIDTH = 500
#: the data
data = Console(highlight=False, soft_wrap=True, width=_WIDTH)


def json_line(record: Mapping[str, PayloadValue]) -> None:
    """Print one JSON object on one line of stdout."""
    sys.stdout.write(json.dumps(record, ensure_ascii=False, separators=(", ", ": ")) + "\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a table on stdout; columns named in `right` are aligned to the right."""
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        grid.add_column(name, justify="right" if name in right else "left", no_wrap=True)
    for row in rows:
        grid.add_row(*row)
    data.print(grid)


def problems(found: Sequence[tuple[str, str]], heading: str, most: int = 10) -> None:
    """Print (where, why) rows on stderr, the first few in full."""
    if not found:
        return
    talk.print(f"[yellow]{heading}[/yellow]")
    for where, why in found[:most]:
        talk.print(f"  {where}: {why}", markup=False)
    if len(found) > most:
        talk.print(f"  ... and {len(found) - most:,} more (--report FILE writes them all)")
