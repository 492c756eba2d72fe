"""What a result looks like in a notebook: a panel of facts, tables and cards as one piece of HTML.

Ink and paper are the notebook's own (light, dark, any theme): letters inherit their colour, and rules and
placeholders are a translucent grey. Where a notebook strips styles, such as on GitHub, plain tables are left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from samdb.reports.html_parts import data_uri
from samdb.reports.palette import RGB

_STYLE = """
.samdb { color: inherit; font: 13px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  max-width: 1080px; padding: 2px 0 8px; }
.samdb .title { font-size: 15px; font-weight: 600; }
.samdb .quiet { opacity: .72; }
.samdb .note { border-left: 3px solid rgba(205, 145, 35, .9); padding-left: 10px; margin: 8px 0 0; }
.samdb .text { margin-top: 8px; overflow-wrap: anywhere; }
.samdb ul { margin: 2px 0 0; padding-left: 18px; }
.samdb li { overflow-wrap: anywhere; }
.samdb .wide { overflow-x: auto; margin-top: 8px; }
.samdb table { border-collapse: collapse; margin: 0; color: inherit; font-size: 13px;
  font-variant-numeric: tabular-nums; }
.samdb th, .samdb td { text-align: right; padding: 3px 16px 3px 0; border: 0;
  border-bottom: 1px solid rgba(128, 128, 128, .3); background: none; max-width: 320px;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.samdb th { font-weight: 600; opacity: .72; }
.samdb .words { text-align: left; }
.samdb .facts { display: flex; flex-wrap: wrap; gap: 4px 28px; margin-top: 6px; }
.samdb .facts b { display: block; font-size: 17px; font-weight: 600; font-variant-numeric: tabular-nums; }
.samdb .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 14px 12px;
  margin-top: 10px; }
.samdb .card { min-width: 0; }
.samdb .shot { position: relative; aspect-ratio: 1; border-radius: 6px; overflow: hidden; display: flex;
  align-items: center; justify-content: center; background: rgba(128, 128, 128, .16); text-align: center; }
.samdb .shot img { width: 100%; height: 100%; object-fit: contain; display: block; margin: 0; }
.samdb .rank { position: absolute; left: 6px; top: 6px; padding: 0 6px; border-radius: 4px; font-size: 12px;
  background: rgba(0, 0, 0, .72); color: #fff; }
.samdb .line { display: flex; gap: 8px; justify-content: space-between; }
.samdb .line span:first-child, .samdb .below { overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; min-width: 0; }
.samdb .dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; margin-right: 6px; }
.samdb .picture { margin-top: 8px; max-width: 100%; height: auto; display: block; border-radius: 6px; }
"""


@dataclass(frozen=True, slots=True)
class Card:
    """One object: its picture as JPEG bytes, or None and `missing` says why there is none; what is written
    first on the left and on the right, and the quiet lines below. `hint` is shown when the mouse rests."""

    picture: bytes | None
    name: str
    figure: str
    below: tuple[str, ...]
    color: RGB
    rank: str
    missing: str = ""
    hint: str = ""


def draw_panel(title: str, subtitle: str, parts: Sequence[str]) -> str:
    """A whole result. `parts` are what the other functions here have made: they are HTML already."""
    head = f'<div class="title">{escape(title)}</div>'
    if subtitle:
        head += f'<div class="quiet">{escape(subtitle)}</div>'
    return f'<div class="samdb"><style>{_STYLE}</style>\n{head}\n' + "\n".join(parts) + "\n</div>"


def draw_facts(facts: Sequence[tuple[str, str]]) -> str:
    """Figures side by side: what they are, and the figure."""
    cells = [f'<div><span class="quiet">{escape(n)}</span> <b>{escape(v)}</b></div>' for n, v in facts]
    return '<div class="facts">' + "\n".join(cells) + "</div>"


def draw_text(text: str) -> str:
    """A sentence."""
    return f'<div class="text">{escape(text)}</div>'


def draw_note(text: str, items: Sequence[str] = (), most: int = 10) -> str:
    """Something to know, with up to `most` of the items it is about; it says how many more there are."""
    lines = [f"<li>{escape(item)}</li>" for item in items[:most]]
    if len(items) > most:
        lines.append(f"<li>and {len(items) - most:,} more</li>")
    listed = f"<ul>{''.join(lines)}</ul>" if lines else ""
    return f'<div class="note">{escape(text)}{listed}</div>'


def draw_picture(jpeg_or_png: bytes, alt: str, width_px: int) -> str:
    """One picture, at most `width_px` wide."""
    kind = "image/png" if jpeg_or_png.startswith(b"\x89PNG") else "image/jpeg"
    source = data_uri(jpeg_or_png, kind)
    return f'<img class="picture" alt="{escape(alt)}" width="{width_px}" src="{source}">'


def draw_cards(cards: Sequence[Card]) -> str:
    """Objects in rows, as many side by side as there is room for."""
    return '<div class="cards">\n' + "\n".join(_card(card) for card in cards) + "\n</div>"


def counted(n: int, what: str) -> str:
    """`1 image`, `1,200 images`."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _card(card: Card) -> str:
    if card.picture is None:
        shot = f'<span class="quiet">{escape(card.missing)}</span>'
    else:
        alt = escape(f"{card.name}, {card.figure}")
        shot = f'<img alt="{alt}" width="150" src="{data_uri(card.picture, "image/jpeg")}">'
    dot = f'<i class="dot" style="background: rgb{card.color}"></i>'
    below = "".join(
        f'<div class="below quiet" title="{escape(text)}">{escape(text)}</div>' for text in card.below
    )
    return (
        f'<div class="card" title="{escape(card.hint)}"><div class="shot">{shot}'
        f'<span class="rank">{escape(card.rank)}</span></div>'
        f'<div class="line"><span>{dot}{escape(card.name)}</span> <span>{escape(card.figure)}</span></div>'
        f"{below}</div>"
    )
