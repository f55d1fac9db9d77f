"""Pictures of codes, of the answers to them, and of the bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura.distributions import GaussianMixture
from mixtura.report.density.plots import window
from mixtura.report.style import BASELINE, INK, MODEL, MUTED, TRUTH, canvas, styled
from mixtura.report.words import short
from mixtura.training import TrackedBound

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bound", "codes", "planes", "sheet"]

Array = NDArray[np.float64]
_DOTS = 1000
_BINS = 40
_WIDTH = 9.4


@styled
def bound(looks: Sequence[TrackedBound], rivals: Mapping[str, Sequence[TrackedBound]]) -> Figure:
    """Draw value and bound of a training, and their ratio beside that of others.

    Args:
        looks: of the model.
        rivals: of others, by name.
    """
    figure, (left, right) = canvas(_WIDTH, 3.3, 1, 2)
    epochs = [look.epoch for look in looks]
    left.plot(epochs, [look.log_bound for look in looks], color=BASELINE, lw=1.6, marker="o", ms=3, label="log bound")
    left.plot(epochs, [look.log_value for look in looks], color=MODEL, lw=1.6, marker="o", ms=3, label="log value")
    left.set(xlabel="epoch", ylabel="nats")
    left.legend(loc="lower right")
    right.plot(
        epochs, [look.ratio for look in looks], color=MODEL, lw=1.6, marker="o", ms=3, label="mixture autoencoder"
    )
    for (name, others), colour in zip(rivals.items(), (TRUTH, MUTED, INK) * len(rivals), strict=False):
        at, ratio = [look.epoch for look in others], [look.ratio for look in others]
        right.plot(at, ratio, color=colour, lw=1.4, marker="o", ms=3, label=short(name))
    right.axhline(1, color=BASELINE, lw=0.9, ls=(0, (4, 3)))
    right.set(xlabel="epoch", ylabel="value / bound", ylim=(0, 1.03))
    right.legend(loc="lower right")
    for ax in (left, right):
        ax.grid(axis="y")
        ax.locator_params(axis="x", integer=True)
    return figure


@styled
def sheet(rows: Array, titles: Sequence[str], gap: int | None) -> Figure:
    """Draw rows of pictures.

    Args:
        rows: values from 0 to 1, what is outside is cut off, shape (rows, columns, C, H, W).
        titles: of the rows; empty for none.
        gap: after how many columns there is a gap; None for no gap.
    """
    R, N, C, H, W = rows.shape
    pad, cut = max(1, W // 8), gap or N
    wide = N * (W + pad) + (2 * pad if cut < N else 0)
    canvas_ = np.ones((R * (H + pad), wide, 3))
    for r in range(R):
        for n in range(N):
            picture = np.clip(np.moveaxis(rows[r, n], 0, -1), 0, 1)
            x = n * (W + pad) + (2 * pad if n >= cut else 0)
            y = r * (H + pad)
            canvas_[y : y + H, x : x + W] = picture[..., :3] if C >= 3 else picture[..., :1]
    figure, [ax] = canvas(_WIDTH, _WIDTH * canvas_.shape[0] / canvas_.shape[1])
    ax.imshow(canvas_, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([r * (H + pad) + H / 2 for r in range(len(titles))], titles, parse_math=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return figure


@styled
def planes(x: Array, panels: Mapping[str, Array]) -> Figure:
    """Draw sets of points of two columns over the data, one beside the other.

    Args:
        x: data, shape (n, 2).
        panels: points by title, shape (m, 2).
    """
    figure, axes = canvas(_WIDTH, 3.1, 1, len(panels), sharex=True, sharey=True)
    for ax, (title, points) in zip(axes, panels.items(), strict=True):
        _dots(ax, x, BASELINE)
        _dots(ax, points, MODEL)
        ax.set_title(short(title, 40), parse_math=False)
        ax.set(xlim=window(x[:, 0]), ylim=window(x[:, 1]))
        ax.locator_params(nbins=4)
    return figure


@styled
def codes(y: Array, density: GaussianMixture, classes: Array | None) -> Figure:
    """Draw codes: one column as a histogram under the density of codes, two of more as points; by class where known.

    Args:
        y: codes of the test rows, shape (m, c).
        density: of codes.
        classes: of the test rows, shape (m,).
    """
    names = [] if classes is None else sorted(set(classes.tolist()))
    if y.shape[1] > 1:
        figure, [ax] = canvas(5.6, 4.6)
        _clouds(ax, y, classes, names)
        ax.set(xlabel="code 1", ylabel="code 2")
        return figure
    figure, axes = canvas(_WIDTH, 2.4 + 0.22 * len(names), 2 if names else 1, 1, sharex=True)
    low, high = window(y[:, 0])
    axes[0].hist(y[:, 0], np.linspace(low, high, _BINS + 1).tolist(), density=True, color=BASELINE, alpha=0.55)
    grid = torch.linspace(low, high, 400, dtype=torch.float64).unsqueeze(-1)
    axes[0].plot(grid[:, 0].numpy(), density.log_prob(grid).exp().numpy(), color=MODEL, lw=1.5)
    axes[0].set(ylabel="density", ylim=(0, None), xlim=(low, high))
    for place, name in enumerate(names):
        chosen = y[np.asarray(classes) == name, 0]
        axes[1].plot(chosen, np.full(len(chosen), place), "|", color=MODEL, ms=8, alpha=0.6)
    if names:
        axes[1].set_yticks(range(len(names)), [short(name, 20) for name in names], parse_math=False)
        axes[1].set_ylim(-0.7, len(names) - 0.3)
        axes[1].grid(axis="y")
    axes[-1].set_xlabel("code")
    return figure


def _clouds(ax: Axes, y: Array, classes: Array | None, names: Sequence[object]) -> None:
    """Draw the first two columns of codes, classes by their names in their middles."""
    _dots(ax, y[:, :2], MODEL, size=5)
    for name in names:
        middle = np.median(y[np.asarray(classes) == name], 0)
        ax.text(middle[0], middle[1], short(name, 12), ha="center", va="center", color=INK, fontweight="bold")


def _dots(ax: Axes, points: Array, colour: str, size: float = 3) -> None:
    """Draw a thousand points at most."""
    x, y = points[np.random.default_rng(0).permutation(len(points))[:_DOTS]].T
    ax.plot(x, y, ".", color=colour, ms=size, alpha=0.65, mew=0, rasterized=True)
