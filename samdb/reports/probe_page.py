"""A page of plots and tables as one HTML file: nothing is fetched, light and dark follow the reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from samdb.reports.html_parts import data_uri, html_table

_STYLE = """
:root { color-scheme: light dark; --paper: #f4f6f8; --card: #ffffff; --ink: #16191d; --quiet: #5c6570;
  --rule: #dde2e7; }
@media (prefers-color-scheme: dark) { :root { --paper: #0c0e11; --card: #13161b; --ink: #eef1f5;
  --quiet: #98a0ab; --rule: #2b3038; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 1.6rem; margin: 0 0 4px; }
h2 { font-size: 1.15rem; margin: 0 0 6px; }
p { margin: 0 0 12px; max-width: 75ch; }
.quiet { color: var(--quiet); }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: 20px;
  margin-top: 20px; }
img { max-width: 100%; height: auto; display: block; border-radius: 6px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin-top: 12px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; }
th { color: var(--quiet); font-weight: 600; }
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as PNG bytes, with what it shows in words; `dark` is the one for a dark page, if any."""

    alt: str
    light: bytes
    dark: bytes | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: heading, a few sentences, pictures, and a table (header first), if any."""

    title: str
    text: str
    pictures: tuple[Picture, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()


def draw_page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The page as HTML. All texts are escaped: class names and file names come from anywhere."""
    body = "\n".join(_section(s) for s in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(title)}</h1>\n<p class="quiet">{escape(subtitle)}</p>\n{body}\n'
        "</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>", f"<p>{escape(section.text)}</p>"]
    parts += [_picture(p) for p in section.pictures]
    if section.table:
        head, *rows = section.table
        parts.append(html_table(head, rows))
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _picture(picture: Picture) -> str:
    image = f'<img alt="{escape(picture.alt)}" src="{data_uri(picture.light)}">'
    if picture.dark is None:
        return image
    dark = f'<source media="(prefers-color-scheme: dark)" srcset="{data_uri(picture.dark)}">'
    return f"<picture>{dark}{image}</picture>"
