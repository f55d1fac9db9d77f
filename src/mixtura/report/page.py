"""One HTML file that needs nothing else: the skeleton, tables, pictures.

Every function takes plain text and escapes it; what they return is HTML.
"""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mixtura.report.style import BASELINE, FONTS, GRID, INK, MODEL, MUTED, TRUTH, data_address, svg
from mixtura.report.words import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "animation",
    "chapter",
    "check_folder",
    "definitions",
    "page",
    "paragraph",
    "picture",
    "remarks",
    "section",
    "side_by_side",
    "table",
    "write_page",
]

_CSS = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #fff; color: {INK}; font: 16px/1.55 {FONTS}; }}
main {{ max-width: 960px; margin: 0 auto; padding: 40px 24px 56px; }}
h1 {{ font-size: 1.75rem; line-height: 1.25; margin: 0 0 4px; font-weight: 650; overflow-wrap: anywhere; }}
* + h1 {{ margin-top: 72px; }}
h2 {{ font-size: 1.2rem; line-height: 1.3; margin: 44px 0 10px; padding-top: 14px; border-top: 1px solid {GRID};
     font-weight: 650; overflow-wrap: anywhere; }}
p {{ margin: 0 0 12px; max-width: 46rem; overflow-wrap: anywhere; }}
.subtitle, figcaption, footer {{ color: {MUTED}; font-size: .9rem; line-height: 1.5; }}
.lead {{ font-size: 1.06rem; margin-top: 20px; max-width: none; }}
aside {{ border-left: 3px solid {BASELINE}; background: #f5f7f8; padding: 10px 16px; margin: 16px 0;
        overflow-wrap: anywhere; }}
aside.warning {{ border-color: {TRUTH}; background: #fdf4ee; }}
aside strong {{ font-weight: 650; }}
aside ul {{ margin: 4px 0 0; padding-left: 1.1em; }}
aside li {{ margin: 4px 0; }}
figure {{ margin: 18px 0 26px; }}
figure img {{ display: block; max-width: 100%; height: auto; }}
figcaption {{ margin-top: 8px; max-width: 50rem; overflow-wrap: anywhere; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: 3px 18px; margin: -12px 0 22px; max-width: 54rem;
     color: {MUTED}; font-size: .9rem; line-height: 1.5; }}
dt {{ color: {INK}; }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .94rem; }}
th, td {{ padding: 6px 24px 6px 0; text-align: left; vertical-align: top; overflow-wrap: break-word;
         max-width: 44rem; }}
td:first-child {{ min-width: 8.5em; }}
.sides td:first-child {{ min-width: 0; }}
th {{ font-weight: 600; border-bottom: 1px solid {BASELINE}; vertical-align: bottom; }}
td {{ border-bottom: 1px solid {GRID}; }}
td.n, th.n {{ text-align: right; white-space: nowrap; padding: 6px 0 6px 22px; }}
th.n {{ white-space: normal; }}
tr.first td {{ font-weight: 600; color: {MODEL}; }}
.sides {{ display: flex; flex-wrap: wrap; gap: 0 40px; align-items: flex-start; }}
.sides > * {{ flex: 1 1 400px; min-width: 0; }}
footer {{ margin-top: 48px; border-top: 1px solid {GRID}; padding-top: 12px; }}
@media print {{
  main {{ max-width: none; padding: 0; }}
  body {{ font-size: 11pt; }}
  figure, table, aside {{ break-inside: avoid; }}
  h2 {{ break-after: avoid; }}
}}
"""


def paragraph(text: str, style: str = "") -> str:
    """Return a paragraph; the style is ``"lead"``, ``"subtitle"`` or none."""
    return f'<p class="{style}">{_escape(text)}</p>' if style else f"<p>{_escape(text)}</p>"


def remarks(heading: str, sentences: Sequence[str], warning: bool = False) -> str:
    """Return sentences set apart in a box, or nothing where there are none."""
    items = "".join(f"<li>{_escape(s)}</li>" for s in sentences)
    kind = ' class="warning"' if warning else ""
    return f"<aside{kind}><strong>{_escape(heading)}</strong><ul>{items}</ul></aside>" if items else ""


def section(heading: str, *parts: str) -> str:
    """Return parts under a heading."""
    return f"<section><h2>{_escape(heading)}</h2>\n" + "\n".join(parts) + "</section>"


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "", words: int = 1, mark_first: bool = False
) -> str:
    """Return a table whose first ``words`` columns hold words and whose others hold numbers.

    Args:
        header: names of the columns; empty for a table without.
        rows: cells.
        caption: how to read it.
        words: how many columns are aligned as text.
        mark_first: give the first row the colour of the model.
    """

    def line(cells: Sequence[str], tag: str) -> str:
        number = f'<{tag} class="n">'
        return "".join(f"{number if i >= words else f'<{tag}>'}{_escape(c)}</{tag}>" for i, c in enumerate(cells))

    head = f"<thead><tr>{line(header, 'th')}</tr></thead>" if header else ""
    first = '<tr class="first">' if mark_first else "<tr>"
    body = "\n".join(f"{first if i == 0 else '<tr>'}{line(row, 'td')}</tr>" for i, row in enumerate(rows))
    below = f"<figcaption>{_escape(caption)}</figcaption>" if caption else ""
    return f'<figure><div class="wide"><table>{head}<tbody>{body}</tbody></table></div>{below}</figure>'


def picture(figure: Figure, caption: str, alternative: str) -> str:
    """Return a figure inside the page, with its caption and a text for those who cannot see it."""
    below = f"<figcaption>{_escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="{svg(figure)}" alt="{_escape(alternative)}">{below}</figure>'


def animation(source: str, caption: str) -> str:
    """Return an SVG picture that moves inside the page, with its caption."""
    below = f"<figcaption>{_escape(caption)}</figcaption>"
    return f'<figure><img src="{data_address(source)}" alt="{_escape(caption)}">{below}</figure>'


def definitions(terms: Sequence[tuple[str, str]]) -> str:
    """Return terms and what they mean, in small print."""
    return f"<dl>{''.join(f'<dt>{_escape(t)}</dt><dd>{_escape(d)}</dd>' for t, d in terms)}</dl>"


def side_by_side(*parts: str) -> str:
    """Return parts beside each other where the window is wide enough."""
    return f'<div class="sides">{"".join(f"<div>{p}</div>" for p in parts)}</div>'


def chapter(heading: str, *parts: str) -> str:
    """Return sections under a heading of the first rank, for pages that hold several reports."""
    return f"<h1>{_escape(heading)}</h1>\n" + "\n".join(part for part in parts if part)


def page(title: str, *parts: str, footer: str = "") -> str:
    """Return a whole page.

    Example:
        >>> "<h1>a &lt; b</h1>" in page("a < b", paragraph("some text"))
        True
    """
    body = "\n".join(part for part in parts if part)
    below = f"<footer>{_escape(footer)}</footer>\n" if footer else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_escape(title)}</title>\n<style>{_CSS}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{_escape(title)}</h1>\n{body}\n{below}</main>\n</body>\n</html>\n"
    )


def check_folder(path: str | Path) -> Path:
    """Return the path of a file that can be written.

    Raises:
        FileNotFoundError: where its folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} to.")
    return path


def write_page(path: str | Path, source: str) -> None:
    """Write a page whole or not at all; an existing file is replaced."""
    path = check_folder(path)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(source, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _escape(text: str) -> str:
    return html.escape(clean(text))
