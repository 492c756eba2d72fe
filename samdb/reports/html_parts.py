"""Pieces of HTML that pages and notebooks share. All texts are escaped: names come from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from html import escape


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[str] = ()) -> str:
    """A table that scrolls sideways where it is too wide. Columns named in `left` hold words, not numbers;
    the first one always does."""
    classes = ["" if i and name not in left else ' class="words"' for i, name in enumerate(head)]
    cells = "".join(f'<th scope="col"{c}>{escape(n)}</th>' for n, c in zip(head, classes, strict=True))
    lines = [
        "<tr>" + "".join(f"<td{c}>{escape(t)}</td>" for t, c in zip(row, classes, strict=True)) + "</tr>"
        for row in rows
    ]
    body = f"<thead><tr>{cells}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody>"
    return f'<div class="wide"><table>\n{body}</table></div>'


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """Bytes as an address that holds them, so that a page needs no other file."""
    return f"data:{kind};base64," + base64.b64encode(content).decode("ascii")
