"""Pictures of a training run and of calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from mixtura.report.style import BASELINE, INK, MODEL, MUTED, TRUTH, canvas, styled
from mixtura.report.words import short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["learning_curve", "pit_bins", "pit_histograms", "ranking"]

Array = NDArray[np.float64]


@styled
def learning_curve(loss: Array, validation: Array | None, best_epoch: int, label: str) -> Figure:
    """Draw the loss of every epoch and mark the one that was kept.

    The first epochs are cut off where they would flatten the rest, see :func:`_top`.

    Args:
        loss: of the training rows, shape (epochs,); NaN where there is none.
        validation: of the rows held back, shape (epochs,), or None.
        best_epoch: from 1.
        label: of the losses.
    """
    figure, [ax] = canvas(9.4, 3.3)
    epochs = np.arange(1, len(loss) + 1)
    marker = "o" if len(loss) < 4 else None
    ax.plot(epochs, loss, color=BASELINE, lw=1.4, marker=marker, ms=3, label="training rows")
    kept = loss
    if validation is not None:
        ax.plot(epochs, validation, color=MODEL, lw=1.8, marker=marker, ms=3, label="rows held back")
        kept = validation
    if 1 <= best_epoch <= len(kept) and np.isfinite(kept[best_epoch - 1]):
        ax.axvline(best_epoch, color=TRUTH, lw=0.9, ls=(0, (4, 3)), zorder=1)
        ax.plot(best_epoch, kept[best_epoch - 1], "o", color=TRUTH, ms=6, label=f"kept: epoch {best_epoch}")
    low, high = _range([curve for curve in (loss, validation) if curve is not None])
    ax.set(xlabel="epoch", ylabel=label, xlim=(0.5, len(loss) + 0.5), ylim=(low, high))
    ax.locator_params(axis="x", integer=True)
    ax.grid(axis="y")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.2)
    return figure


def _range(curves: Sequence[Array]) -> tuple[float, float]:
    """Return limits that show every curve from its low to where it was after a twentieth of the epochs, or to three
    times the spread of the later half above, whichever is lower."""
    values = np.concatenate([c[len(c) // 20 :] for c in curves])
    late = np.concatenate([c[len(c) // 2 :] for c in curves])
    values, late = values[np.isfinite(values)], late[np.isfinite(late)]
    if not len(late):
        return 0.0, 1.0
    low, high = min(values.min(), late.min()), values.max()
    high = min(high, late.max() + 3 * max(np.ptp(late), 1e-3 * abs(late.max()), 1e-3))
    margin = 0.06 * max(high - low, 1e-6)
    return float(low - margin), float(high + margin)


@styled
def ranking(names: Sequence[str], values: Array, errors: Array, label: str) -> Figure:
    """Draw values as horizontal bars with their standard errors, the first on top."""
    figure, [ax] = canvas(4.5, 0.75 + 0.27 * len(names))
    place = np.arange(len(names))[::-1]
    ax.barh(place, values, height=0.62, color=MODEL)
    ax.errorbar(values, place, xerr=errors, fmt="none", ecolor=MUTED, elinewidth=1)
    ax.set_yticks(place, [short(name, 28) for name in names], parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=BASELINE, lw=0.8)
    ax.set_xlabel(label)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.locator_params(axis="x", nbins=5)
    ax.grid(axis="x")
    return figure


def pit_bins(n: int) -> int:
    """Return the number of bins that n rows can fill: at least ten rows each where possible, 4 to 20 bins."""
    return int(np.clip(n // 10, 4, 20))


@styled
def pit_histograms(pits: Array, names: Sequence[str]) -> Figure:
    """Draw the histogram of each target's probability integral transforms beside what sampling noise allows.

    Args:
        pits: values in [0, 1], shape (n, T).
        names: of the T targets.
    """
    n, T = pits.shape
    bins = pit_bins(n)
    columns = min(T, 3)
    size = (4.5, 3.1) if T == 1 else (3.13 * columns if T > 2 else 7.0, 2.9 * -(-T // columns))
    figure, axes = canvas(*size, -(-T // columns), columns, sharey=True, sharex=True)
    low, high = (binom.ppf(q, n, 1 / bins) * bins / n for q in (0.025, 0.975))
    edges = np.linspace(0, 1, bins + 1)
    for ax in axes[T:]:
        ax.set_visible(False)
    for t, ax in enumerate(axes[:T]):
        share = np.histogram(pits[:, t], edges)[0] * bins / n
        ax.bar(edges[:-1], share, width=1 / bins, align="edge", color=MODEL, alpha=0.75, ec="white", lw=0.8)
        ax.axhspan(float(low), float(high), color=INK, alpha=0.13, lw=0, zorder=3)
        ax.axhline(1, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=4)
        ax.set(xlim=(0, 1), xlabel="F(truth)")
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "¼", "½", "¾", "1"])
        if T > 1:
            ax.set_title(short(names[t]), parse_math=False)
    for ax in axes[::columns]:
        ax.set_ylabel("rows, relative to uniform")
    return figure
