"""The picture of how many components are worth their while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixtura.report.style import BASELINE, MODEL, TRUTH, canvas, styled
from mixtura.selection import ComponentStudy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["component_curve"]


@styled
def component_curve(study: ComponentStudy) -> Figure:
    """Draw the criteria against the number of components, each from its lowest value, and mark the choice.

    Numbers are those of the held-out likelihood, bars the standard errors of these differences.

    Args:
        study: of :func:`~mixtura.selection.select_components`, or ``study_`` of a regressor.
    """
    figure, [ax] = canvas(7.0, 3.3)
    K = np.arange(len(study.candidates))
    nll, error, aic, bic = (np.array(v) for v in (study.nll, study.error, study.aic, study.bic))
    for values, name, dashes in ((aic, "AIC", (0, (4, 3))), (bic, "BIC", (0, (1, 2)))):
        ax.plot(K, values - values.min(), color=BASELINE, lw=1.3, ls=dashes, label=f"{name} / 2n")
    difference = nll - nll.min()
    ax.errorbar(K, difference, error, color=MODEL, lw=1.8, marker="o", ms=4, capsize=3, label="held-out likelihood")
    at = study.candidates.index(study.chosen)
    height = study.decisive[at] - min(study.decisive)
    ax.plot(at, height, "o", color=TRUTH, ms=7, zorder=4, label=f"chosen: {study.chosen}")
    low, high = (difference - error).min(), (difference + error).max()
    span = max(high - low, 1e-3)
    ax.set_ylim(low - 0.08 * span, high + 0.15 * span)
    for k, value, bar in zip(K, difference, error, strict=True):
        ax.annotate(f"{value:.3f}", (k, value + bar), (0, 4), textcoords="offset points", ha="center", color=MODEL)
    ax.set_xticks(K, [str(k) for k in study.candidates])
    ax.set(xlabel="components", ylabel="nats per row above the best")
    ax.grid(axis="y")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
    return figure
