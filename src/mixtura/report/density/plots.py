"""Pictures of a density, its samples and its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura._optional import require
from mixtura.distributions import GaussianMixture
from mixtura.report.style import BASELINE, INK, MODEL, TRUTH, canvas, density_colours, square_root_norm, styled
from mixtura.report.words import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["correlations", "one_column", "scatter_matrix", "training", "two_columns", "window"]

Array = NDArray[np.float64]
_DOTS = 1000
_GRID, _FINE = 48, 110
_BINS = 40


def window(x: Array) -> tuple[float, float]:
    """Return limits of a picture that hold all values but the outermost two in a thousand, with a margin."""
    low, high = np.quantile(x, [0.001, 0.999])
    margin = 0.06 * (high - low) or max(1.0, 0.1 * abs(high))
    return float(low - margin), float(high + margin)


@styled
def one_column(x: Array, mixture: GaussianMixture, name: str) -> Figure:
    """Draw the density of one column over the histogram of the data.

    Args:
        x: data, shape (n,).
        mixture: of one column.
        name: of the column.
    """
    figure, [ax] = canvas(9.4, 3.4)
    _marginal(ax, x, mixture, 500)
    ax.set_xlabel(short(name, 60), parse_math=False)
    ax.set_ylabel(f"density, per unit of {short(name, 24)}", parse_math=False)
    return figure


@styled
def two_columns(x: Array, centers: Array, samples: Array, mixture: GaussianMixture, names: Sequence[str]) -> Figure:
    """Draw data, centers, samples and the density of two columns beside each other.

    Args:
        x: data, shape (n, 2).
        centers: of the density, shape (m, 2).
        samples: of the density, shape (s, 2).
        mixture: of both columns.
        names: of the columns.
    """
    figure, axes = canvas(9.4, 2.75, 1, 4, sharex=True, sharey=True)
    limits = [window(column) for column in x.T]
    _dots(axes[0], x, BASELINE)
    _dots(axes[1], centers, MODEL)
    _dots(axes[2], samples, MODEL)
    _image(axes[3], mixture, limits, _FINE)
    for ax, title in zip(axes, ("data", "centers", "samples", "density"), strict=True):
        ax.set_title(title)
        ax.set(xlim=limits[0], ylim=limits[1])
        ax.locator_params(nbins=4)
        ax.set_xlabel(short(names[0], 24), parse_math=False)
    axes[0].set_ylabel(short(names[1], 24), parse_math=False)
    return figure


@styled
def scatter_matrix(x: Array, samples: Array, mixture: GaussianMixture, names: Sequence[str]) -> Figure:
    """Draw every pair of three to five columns: marginals on the diagonal, samples over data below it, the density
    above it.

    Args:
        x: data, shape (n, C).
        samples: shape (s, C).
        mixture: of these columns.
        names: of the columns.
    """
    C = len(names)
    figure, axes = canvas(9.4, 8.6, C, C, sharex="col")
    limits = [window(column) for column in x.T]
    for i in range(C):
        for j in range(C):
            ax = axes[i * C + j]
            ax.set_xlim(limits[j])
            if i == j:
                _marginal(ax, x[:, i], mixture.marginal([i]), 200)
                ax.set_yticks([])
            else:
                ax.set_ylim(limits[i])
                if i > j:
                    _dots(ax, x[:, [j, i]], BASELINE, size=5)
                    _dots(ax, samples[:, [j, i]], MODEL)
                else:
                    _image(ax, mixture.marginal([j, i]), [limits[j], limits[i]], _GRID)
                ax.locator_params(axis="y", nbins=4)
            ax.locator_params(axis="x", nbins=4)
            if j > 0:
                ax.tick_params(axis="y", labelleft=False)
            else:
                ax.set_ylabel(short(names[i], 20), parse_math=False)
            if i == C - 1:
                ax.set_xlabel(short(names[j], 20), parse_math=False)
    return figure


@styled
def correlations(data: Array, samples: Array, names: Sequence[str]) -> Figure:
    """Draw the correlation matrices of data and samples beside each other, with numbers where there is room."""
    C = len(names)
    figure, axes = canvas(9.4, min(4.7, 2.0 + 0.42 * C), 1, 2, sharey=True)
    colours = require("matplotlib.colors", "The report").LinearSegmentedColormap.from_list(
        "correlation", [TRUTH, "#ffffff", MODEL]
    )
    image = None
    for ax, matrix, title in zip(axes, (data, samples), ("data", "samples"), strict=True):
        image = ax.imshow(matrix, cmap=colours, vmin=-1, vmax=1, interpolation="nearest")
        ax.set_title(title)
        ax.set_xticks(range(C), [short(n, 16) for n in names], rotation=40, ha="right", parse_math=False)
        ax.set_yticks(range(C), [short(n, 20) for n in names], parse_math=False)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        if C <= 8:
            for i in range(C):
                for j in range(C):
                    text = f"{matrix[i, j]:.2f}".replace("-", "−")
                    dark = abs(matrix[i, j]) > 0.6
                    ax.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if dark else INK)
    if image is not None:
        figure.colorbar(image, ax=axes, fraction=0.03, pad=0.02, ticks=[-1, -0.5, 0, 0.5, 1])
    return figure


@styled
def training(loss: Array, variance: Array, label: str) -> Figure:
    """Draw the loss of every epoch above the variance of the kernel.

    Args:
        loss: shape (epochs,).
        variance: in the middle of each epoch, shape (epochs,), in squared standard deviations.
        label: of the loss.
    """
    figure, (top, bottom) = canvas(9.4, 4.0, 2, 1, sharex=True, gridspec_kw={"height_ratios": (5, 3)})
    epochs = np.arange(1, len(loss) + 1)
    marker = "o" if len(loss) < 4 else None
    top.plot(epochs, loss, color=MODEL, lw=1.5, marker=marker, ms=3)
    top.set_ylabel(label)
    if np.nanmin(loss) > 0:
        top.set_ylim(bottom=0)
    bottom.plot(epochs, variance**0.5, color=TRUTH, lw=1.5, marker=marker, ms=3)
    ticker = require("matplotlib.ticker", "The report")
    bottom.set_yscale("log")
    bottom.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    bottom.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    bottom.yaxis.set_minor_locator(ticker.NullLocator())
    bottom.set(xlabel="epoch", ylabel="kernel width [sd]", xlim=(0.5, len(loss) + 0.5))
    bottom.locator_params(axis="x", integer=True)
    for ax in (top, bottom):
        ax.grid(axis="y")
    return figure


def _dots(ax: Axes, points: Array, colour: str, size: float = 3) -> None:
    """Draw a thousand points at most."""
    x, y = points[np.random.default_rng(0).permutation(len(points))[:_DOTS]].T
    ax.plot(x, y, ".", color=colour, ms=size, alpha=0.65, mew=0, rasterized=True)


def _marginal(ax: Axes, x: Array, mixture: GaussianMixture, points: int) -> None:
    low, high = window(x)
    ax.hist(x, np.linspace(low, high, _BINS + 1).tolist(), density=True, color=BASELINE, alpha=0.55)
    grid = torch.linspace(low, high, points, dtype=torch.float64)
    with torch.no_grad():
        density = mixture.log_prob(grid.reshape(-1, *mixture.event_shape)).exp().numpy()
    ax.plot(grid.numpy(), density, color=MODEL, lw=1.5)
    ax.set(xlim=(low, high), ylim=(0, None))


def _image(ax: Axes, mixture: GaussianMixture, limits: Sequence[tuple[float, float]], size: int) -> None:
    x, y = (torch.linspace(*limit, 2 * size + 1, dtype=torch.float64)[1::2] for limit in limits)  # middles of cells
    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)
    with torch.no_grad():
        density = torch.cat([mixture.log_prob(part) for part in points.split(1024)]).exp().reshape(size, size).numpy()
    norm = square_root_norm(float(np.quantile(density, 0.995)) or float(density.max()))
    ax.imshow(
        density, origin="lower", extent=(*limits[0], *limits[1]), aspect="auto", cmap=density_colours(), norm=norm,
        interpolation="bilinear",
    )  # fmt: skip
