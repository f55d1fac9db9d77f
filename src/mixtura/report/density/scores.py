"""How a density does on test rows, beside three simple ones and beside fresh rows of the data itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from sklearn.neighbors import KernelDensity
from torch import as_tensor

from mixtura.metrics import PrecisionRecall, grid_step
from mixtura.report.scores import Score
from mixtura.report.words import number, percent, plus_minus
from mixtura.training import likelihood_variance

__all__ = ["Comparison", "DensityScores", "baselines", "narrowest"]

Array = NDArray[np.float64]
_LEAST_SD = 1e-3
"""Narrowest Gaussian of a baseline, in standard deviations of its column."""
_MARGINAL_ROWS, _JOINT_ROWS = 4096, 20_000


@dataclass(frozen=True)
class Comparison:
    """How far a set of rows is from the test rows, by the cost and by neighbourhoods."""

    name: str
    gap: float | None
    """Of the cost, in nats; None where it has no bound."""
    bound: float | None
    """Log of what the cost could reach at most."""
    neighbours: PrecisionRecall | None
    """None where there are too few test rows."""


@dataclass(frozen=True)
class DensityScores:
    """What a report says in numbers; ``print`` shows it as a table."""

    model: Score
    gaussian: Score
    """One Gaussian with the mean and the covariance of the training rows."""
    independent: Score
    """The product of a kernel density of every column."""
    kernels: Score
    """A kernel on every training row, scikit-learn's ``KernelDensity``, with its variance by leave-one-out."""
    samples: Comparison
    """Samples of the model against test rows."""
    fresh: Comparison
    """As many training rows against test rows: about the best to hope for."""

    @property
    def all(self) -> tuple[Score, ...]:
        """The model and its baselines."""
        return (self.model, self.gaussian, self.independent, self.kernels)

    def __str__(self) -> str:
        rows = [["", "log-likelihood [nats]"], *([s.name, plus_minus(-s.nll, s.nll_error)] for s in self.all)]
        comparisons = (self.samples, self.fresh)
        width = max(len(name) for name in [*(row[0] for row in rows), *(c.name for c in comparisons)])
        lines = [f"{name.ljust(width)}  {text}" for name, text in rows]
        for c in comparisons:
            gap = "" if c.gap is None else f"gap {number(c.gap)} nats"
            near = c.neighbours
            shares = "" if near is None else f"precision {percent(near.precision)}, recall {percent(near.recall)}"
            lines.append(f"{c.name.ljust(width)}  {', '.join(part for part in (gap, shares) if part)}")
        return "\n".join(line.rstrip() for line in lines)


def baselines(train: Array, test: Array) -> tuple[Score, Score, Score]:
    """Return the scores of one Gaussian, of independent columns and of kernel densities, in nats and units of X.

    Args:
        train: rows to learn from, shape (n, D).
        test: rows to score, shape (m, D).
    """
    mean, scale = train.mean(0), train.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    z, z_test = (train - mean) / scale, (test - mean) / scale
    units = -np.log(scale)
    floors = narrowest(z)
    names = ("one Gaussian", "independent columns", "kernel density")
    covariance = np.atleast_2d(np.cov(z.T, bias=True)) + _LEAST_SD**2 * np.eye(len(scale))
    one = multivariate_normal(np.zeros(len(scale)), covariance)
    columns = sum(_kernels(z[:, [d]], z_test[:, [d]], floors[d], _MARGINAL_ROWS) + units[d] for d in range(len(scale)))
    joint = _kernels(z, z_test, float(np.exp(np.log(floors).mean())), _JOINT_ROWS) + units.sum()
    densities = (np.atleast_1d(one.logpdf(z_test)) + units.sum(), np.asarray(columns), joint)
    first, second, third = (Score(name, each, (), ()) for name, each in zip(names, densities, strict=True))
    return first, second, third


def narrowest(x: Array) -> Array:
    """Return the least variance of a kernel for every column, shape (D,): its peak is at most one over the step of the
    grid on which the values lie, and its standard deviation is at least a thousandth of the column's.

    A narrower one would gain likelihood from nothing but the rounding of the values.

    Example:
        >>> narrowest(np.array([[0.0], [1.0], [2.0], [5.0]])).round(3)  # 1 / 2π
        array([0.159])
    """
    steps = np.array([grid_step(column) or 0.0 for column in x.T])
    spread = x.var(0)
    return np.maximum(steps**2 / (2 * np.pi), _LEAST_SD**2 * np.where(spread > 0, spread, 1.0))


def _kernels(z: Array, z_test: Array, floor: float, most: int) -> Array:
    """Score test rows by kernels on at most so many training rows, shape (m,)."""
    z = z[np.random.default_rng(0).permutation(len(z))[:most]]
    v = floor if not np.ptp(z, axis=0).any() else max(likelihood_variance(as_tensor(z)), floor)
    return KernelDensity(bandwidth=v**0.5).fit(z).score_samples(z_test)
