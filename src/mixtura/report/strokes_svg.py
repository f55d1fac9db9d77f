"""Pen strokes that draw themselves: an SVG picture that any browser plays, without a script."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mixtura.datasets import stroke_lines
from mixtura.report.page import write_page
from mixtura.report.style import FONTS, INK, MUTED
from mixtura.report.words import clean

__all__ = ["strokes_svg", "write_strokes_svg"]

_POINTS_A_SECOND = 25
_PAUSE = 2.0
"""Seconds in which the finished picture stands before it is drawn again."""
_HEIGHT, _MARGIN, _LABEL = 40.0, 10.0, 14.0
"""Of a drawing of the common height, around it, and of the text below it, in pixels."""
_LEAST = 1e-6


def strokes_svg(drawings: Sequence[NDArray[np.floating]], labels: Sequence[str] = (), *, columns: int = 1) -> str:
    """Return an SVG picture in which the strokes of all drawings appear in the order of writing, again and again.

    Drawings share one scale, and stand in rows from left to right; each is an SVG group of paths, one for each stroke,
    in its own units, y downwards, moved and scaled by the group. A viewer that cannot play shows the finished drawings.

    Args:
        drawings: (dx, dy, pen up) of each point, shape ``(n, 3)``, as of :func:`~mixtura.datasets.read_strokes`.
        labels: a text below each drawing, or none.
        columns: drawings in a row.

    Raises:
        ValueError: where there is no drawing, one has no point or one that is not finite, or there are some labels but
            not as many as drawings.

    Example:
        >>> stroke = np.array([[0.0, 0.0, 0.0], [3.0, 4.0, 1.0]])
        >>> "<path d='M0 0L3 4'" in strokes_svg([stroke])
        True
    """
    if not len(drawings):
        raise ValueError("there is no drawing to show.")
    if len(labels) not in (0, len(drawings)):
        raise ValueError(
            f"there are {len(labels)} labels and {len(drawings)} drawings: each needs one, or none has any."
        )
    for i, d in enumerate(drawings):
        if d.ndim != 2 or d.shape[1] != 3 or not len(d) or not np.isfinite(d).all():
            raise ValueError(f"drawing {i} must hold finite numbers of shape (n, 3) with n >= 1, got shape {d.shape}.")
    strokes = [stroke_lines(d) for d in drawings]
    corners = [np.concatenate(lines) for lines in strokes]
    low, extent = np.array([c.min(0) for c in corners]), np.array([np.ptp(c, axis=0) for c in corners])
    scale = _HEIGHT / max(float(np.median(extent[:, 1])), float(extent.max()) / 20, _LEAST)
    columns = min(columns, len(drawings))
    rows = -(-len(drawings) // columns)
    cell = scale * extent.max(0) + [2 * _MARGIN, 2 * _MARGIN + (_LABEL if labels else 0)]
    seconds = max(map(len, drawings)) / _POINTS_A_SECOND + _PAUSE
    parts = []
    for i, lines in enumerate(strokes):
        corner = cell * divmod(i, columns)[::-1]
        x, y = corner + _MARGIN - scale * low[i]
        parts.append(f"<g transform='translate({x:.2f} {y:.2f}) scale({scale:.6g})'>{_paths(lines, seconds)}</g>")
        if labels:
            x, y = corner[0] + _MARGIN, corner[1] + cell[1] - _MARGIN / 2
            parts.append(f"<text x='{x:.2f}' y='{y:.2f}'>{html.escape(clean(labels[i]))}</text>")
    width, height = cell * [columns, rows]
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.2f} {height:.2f}' width='{width:.0f}' "
        f"height='{height:.0f}'>\n<style>path {{ fill: none; stroke: {INK}; stroke-width: {1.8 / scale:.4g}; "
        "stroke-linecap: round; stroke-linejoin: round; stroke-dasharray: 1 1.1 }"
        f" text {{ font: 11px {FONTS}; fill: {MUTED} }}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


def write_strokes_svg(
    path: str | Path, drawings: Sequence[NDArray[np.floating]], labels: Sequence[str] = (), *, columns: int = 1
) -> None:
    """Write the picture of :func:`strokes_svg` as a file that needs nothing else.

    Raises:
        FileNotFoundError: where its folder does not exist.
        ValueError: as of :func:`strokes_svg`.
    """
    write_page(path, strokes_svg(drawings, labels, columns=columns))


def _paths(lines: Sequence[NDArray[np.float64]], seconds: float) -> str:
    """Return the strokes of a drawing, each hidden until its pen comes: a dash moves in along it at an even speed."""
    paths, begin = [], 0
    for line in lines:
        end = begin + len(line)
        corners = [f"{x:.6g} {y:.6g}" for x, y in line]
        dot = "h1e-4" if len(line) == 1 else ""
        times = ";".join(f"{t / _POINTS_A_SECOND / seconds:.4f}" for t in (begin, end))
        paths.append(
            f"<path d='M{'L'.join(corners)}{dot}' pathLength='1'><animate attributeName='stroke-dashoffset' "
            f"values='1.05;1.05;0;0' keyTimes='0;{times};1' dur='{seconds:.2f}s' repeatCount='indefinite'/></path>"
        )
        begin = end
    return "".join(paths)
