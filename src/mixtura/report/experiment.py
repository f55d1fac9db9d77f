"""The report on an experiment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mixtura.datasets import stroke_lines
from mixtura.experiments import Cell, Curves, Paths, Picture, Record, Scatter, Sheet, Strokes, Table
from mixtura.report.page import animation, definitions, page, paragraph, picture, remarks, section, table, write_page
from mixtura.report.strokes_svg import strokes_svg
from mixtura.report.style import BASELINE, GRID, INK, MODEL, MUTED, TRUTH, canvas, styled
from mixtura.report.words import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["experiment_chapter", "experiment_report"]

_LINES = (MODEL, TRUTH, "#3b8f5a", "#8a5aa8", "#b58a1b", "#4fa3b8", "#a3455f", MUTED)
_WIDTH = 9.4


def experiment_report(path: str | Path, record: Record) -> None:
    """Write the record of an experiment as one HTML file that needs nothing else.

    Raises:
        FileNotFoundError: where the folder of ``path`` does not exist.
        ImportError: where matplotlib is not installed.
    """
    write_page(path, page(record.title, experiment_chapter(record), footer=f"Written by mixtura {version('mixtura')}."))


def experiment_chapter(record: Record) -> str:
    """Return the record of an experiment as a part of a page."""
    parts = [paragraph(record.question, "lead"), remarks("What was found", record.findings)]
    parts += [picture(_draw(p), p.caption, p.caption) for p in record.pictures]
    if record.animation is not None:
        moving = record.animation
        parts.append(animation(strokes_svg(moving.drawings, moving.labels, columns=moving.columns), moving.title))
    parts += [section(t.title, _table(t)) for t in record.tables]
    settings = [(str(k), str(v)) for k, v in record.settings.items()]
    return "\n".join([*parts, section("Settings", definitions(settings))])


def _table(t: Table) -> str:
    words = next((i for i in range(len(t.columns)) if any(not isinstance(r[i], str) for r in t.rows)), len(t.columns))
    return table(t.columns, [[_cell(c) for c in row] for row in t.rows], t.caption, words=max(words, 1))


def _cell(value: Cell) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.3g}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.1e}"
    return str(value)


@styled
def _draw(p: Picture) -> Figure:
    columns = min(p.columns, len(p.panels))
    rows = math.ceil(len(p.panels) / columns)
    width = _WIDTH / columns
    figure, axes = canvas(_WIDTH, rows * max(_height(panel, width) for panel in p.panels), rows, columns)
    for ax, panel in zip(axes, p.panels, strict=False):
        ax.set_title(panel.title)
        if isinstance(panel, Scatter):
            _scatter(ax, panel)
        elif isinstance(panel, Curves):
            _curves(ax, panel)
        elif isinstance(panel, Paths):
            _paths(ax, panel)
        elif isinstance(panel, Strokes):
            _strokes(ax, panel)
        else:
            _sheet(ax, panel)
    for ax in axes[len(p.panels) :]:
        ax.set_axis_off()
    _legend(figure, axes, p)
    return figure


def _height(panel: Scatter | Curves | Sheet | Paths | Strokes, width: float) -> float:
    if isinstance(panel, Sheet):
        n, H, W = panel.images.shape[:3]
        columns = min(panel.columns, n)
        return 0.35 + width * math.ceil(n / columns) * H / (columns * W)
    if isinstance(panel, Curves):
        return 0.25 + min(max(0.7 * width, 2.4), 3.6)
    if isinstance(panel, Strokes):
        columns, rows = _cells(panel)
        return 0.35 + width * rows / (columns * panel.aspect)
    if isinstance(panel, Paths):
        wide, high = np.ptp(panel.frame, axis=0)
        return 0.25 + width * high / wide
    shown = panel.points if panel.reference is None else panel.reference
    wide, high = np.ptp(shown[:, :2], axis=0)
    return 0.25 + width * min(max(high / max(wide, 1e-12), 0.4), 1.2)


def _scatter(ax: Axes, panel: Scatter) -> None:
    if panel.reference is not None:
        ax.scatter(
            *panel.reference.T[:2],
            s=_size(panel.reference) - 1,
            color=BASELINE,
            alpha=0.35,
            linewidths=0,
            rasterized=True,
        )
        low, high = panel.reference.min(0)[:2], panel.reference.max(0)[:2]
        margin = 0.15 * (high - low)
        ax.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
    ax.scatter(*panel.points.T[:2], s=_size(panel.points), color=MODEL, alpha=0.6, linewidths=0, rasterized=True)
    ax.set(xticks=[], yticks=[], aspect="equal")


def _size(points: NDArray[Any]) -> float:
    """Return the size of a marker: few points are drawn large enough to be seen."""
    return min(max(3.0, 1000 / max(len(points), 1)), 16.0)


def _paths(ax: Axes, panel: Paths) -> None:
    values = np.ones(len(panel.paths)) if panel.values is None else np.asarray(panel.values, dtype=float)
    shade = np.ones_like(values) if np.ptp(values) == 0 else (values - values.min()) / np.ptp(values)
    for i in np.argsort(shade):
        alpha = 0.08 + 0.92 * shade[i] ** 2
        ax.plot(*panel.paths[i].T, color=MODEL, alpha=alpha, linewidth=1, marker="o", markersize=2.5)
    ax.plot(*panel.target, color=TRUTH, marker="x", markersize=8, markeredgewidth=2, zorder=5)
    (left, low), (right, high) = panel.frame
    ax.set(xlim=(left, right), ylim=(low, high), xticks=[], yticks=[], aspect="equal")


def _curves(ax: Axes, panel: Curves) -> None:
    ax.grid(color=GRID)
    for colour, (name, y) in zip(_cycle(len(panel.lines)), panel.lines.items(), strict=True):
        ax.plot(panel.x, y, color=colour, label=name, marker="o", markersize=3, linewidth=1.4)
    if panel.log_x:
        ax.set_xscale("log")
    if panel.log_y:
        ax.set_yscale("log")
    ax.set(xlabel=panel.x_label, ylabel=panel.y_label)


def _legend(figure: Figure, axes: Sequence[Axes], p: Picture) -> None:
    """Name the lines once above all panels where these have the same, else in each."""
    curves = [(ax, panel) for ax, panel in zip(axes, p.panels, strict=False) if isinstance(panel, Curves)]
    names = {tuple(panel.lines) for _, panel in curves}
    if len(curves) > 1 and len(names) == 1 and len(min(names)) > 1:
        figure.legend(*curves[0][0].get_legend_handles_labels(), loc="outside upper left", ncols=5, fontsize=8)
        return
    for ax, panel in curves:
        if len(panel.lines) > 1:
            ax.legend(fontsize=8)


def _sheet(ax: Axes, panel: Sheet) -> None:
    images = np.clip(np.asarray(panel.images, dtype=float), 0, 1)
    n, H, W = images.shape[:3]
    columns = min(panel.columns, n)
    rows = math.ceil(n / columns)
    sheet = np.ones((rows * H, columns * W, *images.shape[3:]))
    for k, image in enumerate(images):
        i, j = divmod(k, columns)
        sheet[i * H : (i + 1) * H, j * W : (j + 1) * W] = image
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()


def _cells(panel: Strokes) -> tuple[int, int]:
    """Return the number of columns and rows."""
    columns = min(panel.columns, len(panel.drawings))
    return columns, math.ceil(len(panel.drawings) / columns)


def _strokes(ax: Axes, panel: Strokes) -> None:
    columns, rows = _cells(panel)
    inner = 0.84 * np.array([panel.aspect, 1.0])
    for k, drawing in enumerate(panel.drawings):
        lines = stroke_lines(drawing)
        corners = np.concatenate(lines)
        low, extent = corners.min(0), np.ptp(corners, axis=0)
        scale = (inner / np.maximum(extent, 1e-12)).min() if extent.any() else 1.0
        row, column = divmod(k, columns)
        middle = np.array([(column + 0.5) * panel.aspect, row + 0.5])
        for line in lines:
            at = middle + scale * (line - low - extent / 2)
            ax.plot(
                *at.T,
                color=INK,
                linewidth=0.9,
                solid_capstyle="round",
                marker="." if len(at) == 1 else "",
                markersize=2,
            )
        if panel.labels:
            ax.text(middle[0], row + 0.02, clean(panel.labels[k]), color=MUTED, fontsize=7, ha="center", va="center")
    ax.set(xlim=(0, columns * panel.aspect), ylim=(rows, 0), aspect="equal")
    ax.set_axis_off()


def _cycle(n: int) -> Sequence[Any]:
    return [_LINES[i % len(_LINES)] for i in range(n)]
