"""Pictures of predicted densities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mixtura.report.style import (
    BASELINE,
    INK,
    MODEL,
    MUTED,
    TRUTH,
    canvas,
    density_colours,
    halo,
    square_root_norm,
    styled,
)
from mixtura.report.words import number, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Curve", "Surface", "conditional_density", "joint_densities", "row_densities"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """The density that is predicted for one row."""

    title: str
    x: Array
    density: Array
    truth: float


@dataclass(frozen=True)
class Surface:
    """The joint density of two targets that is predicted for one row."""

    title: str
    x: Array
    y: Array
    density: Array
    """Shape (len(y), len(x))."""
    truth: tuple[float, float]


@styled
def conditional_density(
    grid: Array,
    edges: Array,
    density: Array,
    quantiles: Array,
    support: Array,
    points: tuple[Array, Array],
    feature: str,
    target: str,
    distinct: bool,
) -> Figure:
    """Draw p(y|x) along one feature as an image, with the quantiles on it and the rows that were learnt from above.

    Args:
        grid: values of the feature, shape (G,), evenly spaced unless ``distinct``.
        edges: of the cells in y, shape (M + 1,).
        density: mean of each cell, shape (G, M).
        quantiles: the 5, 50 and 95 % quantiles, shape (3, G).
        support: values of the feature in the training rows.
        points: feature and target of test rows, maybe of none.
        feature: its name.
        target: its name.
        distinct: show every value of ``grid`` in a column of its own.
    """
    figure, (top, ax) = canvas(9.4, 4.6, 2, 1, sharex=True, gridspec_kw={"height_ratios": (1, 9)})
    if distinct:
        x, step = np.arange(len(grid), dtype=float), 1.0
        top.bar(x, [(support == value).sum() for value in grid], width=0.7, color=BASELINE)
        ax.set_xticks(x, [number(value) for value in grid])
    else:
        x, step = grid, grid[1] - grid[0]
        inside = support[(support >= grid[0]) & (support <= grid[-1])]
        top.hist(inside, np.linspace(grid[0], grid[-1], 41).tolist(), color=BASELINE)
    peak = density.max(1)
    norm = square_root_norm(float(np.quantile(peak, 0.9)))
    extent = (float(x[0] - step / 2), float(x[-1] + step / 2), float(edges[0]), float(edges[-1]))
    image = ax.imshow(
        density.T, origin="lower", extent=extent, aspect="auto", cmap=density_colours(), norm=norm,
        interpolation="nearest",
    )  # fmt: skip
    if len(points[0]):
        at = np.searchsorted(grid, points[0]).astype(float) if distinct else points[0]
        ax.plot(at, points[1], ".", color=TRUTH, ms=2.6, alpha=0.45, label="test rows", rasterized=True)
    for values, style, label in zip(quantiles, ("--", "-", "--"), ("5 and 95 % quantiles", "median", ""), strict=True):
        if distinct:
            ax.hlines(
                values, x - 0.45, x + 0.45, colors=INK, linestyles=style, lw=1.2, label=label, path_effects=halo()
            )
        else:
            ax.plot(x, values, color=INK, ls=style, lw=1.2, label=label, path_effects=halo())
    ax.set(xlim=extent[:2], ylim=extent[2:])
    ax.set_xlabel(short(feature, 60), parse_math=False)
    ax.set_ylabel(short(target, 44), parse_math=False)
    top.set_yticks([])
    top.tick_params(axis="x", length=0, labelbottom=False)
    top.spines[["left", "bottom"]].set_visible(False)
    top.set_title("training rows", color=MUTED, fontsize=8.5, pad=2)
    bar = figure.colorbar(image, ax=ax, extend="max", pad=0.015, fraction=0.04)
    if bar.solids:
        bar.solids.set_rasterized(True)  # 256 rectangles otherwise
    bar.set_label(f"density, per unit of {short(target, 24)}", parse_math=False)
    handles, labels = ax.get_legend_handles_labels()
    top.legend(handles, labels, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0, markerscale=2.5)
    return figure


@styled
def row_densities(curves: Sequence[Curve], target: str, shared: bool) -> Figure:
    """Draw the predicted densities of some rows with the truth marked.

    Args:
        curves: of the rows.
        target: its name.
        shared: give all panels the same range of the target.
    """
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure, axes = canvas(9.4 * columns / 3, 2.15 * rows + 0.3, rows, columns, sharex=shared)
    figure.set_layout_engine("constrained", hspace=0.08)
    for ax in axes[len(curves) :]:
        ax.set_visible(False)
    for ax in axes[len(curves) - columns : len(curves)]:
        ax.tick_params(axis="x", labelbottom=True)
    for ax, curve in zip(axes, curves, strict=False):
        ax.fill_between(curve.x, curve.density, color=MODEL, alpha=0.18, lw=0)
        ax.plot(curve.x, curve.density, color=MODEL, lw=1.4)
        ax.axvline(curve.truth, color=TRUTH, lw=1.6)
        ax.set_title(curve.title, parse_math=False)
        ax.set_ylim(0, 1.06 * float(curve.density.max()) or 1.0)
        ax.margins(x=0.02)
        ax.locator_params(axis="x", nbins=5)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    figure.supxlabel(short(target, 60), fontsize=9.5, parse_math=False)
    return figure


@styled
def joint_densities(surfaces: Sequence[Surface], targets: tuple[str, str]) -> Figure:
    """Draw joint densities with the smallest regions that hold 50, 80 and 95 % of each, and the truth."""
    figure, axes = canvas(3.13 * len(surfaces) + 0.2, 3.3, 1, len(surfaces))
    for ax, s in zip(axes, surfaces, strict=True):
        extent = (float(s.x[0]), float(s.x[-1]), float(s.y[0]), float(s.y[-1]))
        ax.imshow(
            s.density, origin="lower", extent=extent, aspect="auto", cmap=density_colours(), vmin=0,
            interpolation="nearest", alpha=0.85,
        )  # fmt: skip
        ranked = np.sort(s.density, axis=None)[::-1]
        held = ranked.cumsum() / ranked.sum()
        levels = [float(ranked[np.searchsorted(held, share)]) for share in (0.95, 0.8, 0.5)]
        if levels[0] < levels[1] < levels[2]:
            ax.contour(s.x, s.y, s.density, levels=levels, colors=INK, linewidths=[0.7, 0.9, 1.1])
        ax.plot(*s.truth, "x", color=TRUTH, ms=9, mew=2.4)
        ax.set_title(s.title, parse_math=False)
        ax.set_xlabel(short(targets[0], 30), parse_math=False)
        ax.locator_params(nbins=5)
    axes[0].set_ylabel(short(targets[1], 30), parse_math=False)
    return figure
