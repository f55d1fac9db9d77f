"""Which inputs a prediction depends on, and what it looks like along one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura.distributions import GaussianMixture
from mixtura.estimators import MixtureDensityRegressor

__all__ = ["Sweep", "marginals", "permutation_importance", "sweep", "sweep_feature"]

Array = NDArray[np.float64]
_ROWS = 2000
_VISITS = 400_000
"""Rows predicted in all for the importance, as far as 200 rows for each feature allow."""
_DISTINCT = 12
"""A feature with at most this many values is shown value by value."""
_STEPS = 161
_CELLS = 360


def marginals(mixture: GaussianMixture) -> list[GaussianMixture]:
    """Return the mixture of each target by itself, with event_shape ()."""
    return [mixture.marginal(t) for t in range(mixture.event_shape[0])] if mixture.event_shape else [mixture]


def permutation_importance(model: MixtureDensityRegressor, X: Array, y: Array) -> tuple[Array, Array]:
    """Return by how many nats the mean log-likelihood drops when one feature is permuted among the rows.

    Args:
        model: a fitted regressor.
        X: inputs of some rows, shape (n, d); up to 2,000 are used, several times where there are few.
        y: their targets, shape (n,) or (n, T).

    Returns:
        The drop and its standard error over the rows, each of shape (d,); a feature that is constant has no drop.
    """
    rng = np.random.default_rng(0)
    n, d = X.shape
    most = min(_ROWS, max(_VISITS // d, 200))
    chosen = rng.permutation(n)[:most]
    X, y = X[chosen], y[chosen]
    n, repeats = len(X), max(1, min(10, most // len(X)))
    before = model.log_prob(X, y)
    drop, error = np.zeros(d), np.zeros(d)
    for f in range(d):
        if np.ptp(X[:, f]) == 0:
            continue
        changed = np.repeat(X[None], repeats, axis=0)
        changed[:, :, f] = rng.permuted(changed[:, :, f], axis=1)
        after = model.log_prob(changed.reshape(-1, d), np.concatenate([y] * repeats)).reshape(repeats, n).mean(0)
        drop[f] = (before - after).mean()
        error[f] = (before - after).std(ddof=1) / n**0.5
    return drop, error


def sweep_feature(X: Array, importance: Array) -> int | None:
    """Return the most important feature with more than two values in X, else with two, or None if all are constant.

    A column of zeros and ones is often one of several that stand for a category, and cannot move by itself.
    """
    distinct = np.array([min(len(np.unique(column)), 3) for column in X.T])
    for fewest in (3, 2):
        candidates = np.flatnonzero(distinct >= fewest)
        if len(candidates):
            return int(candidates[importance[candidates].argmax()])
    return None


@dataclass(frozen=True)
class Sweep:
    """The prediction along one feature, the others held fixed."""

    feature: int
    grid: Array
    """Values of the feature, shape (G,)."""
    distinct: bool
    """Whether the grid holds all values that the feature has."""
    held: Array
    """The training row whose other features are used."""
    edges: list[Array]
    """Of the cells of each target, each of shape (M + 1,)."""
    density: list[Array]
    """Mean density of each cell, each of shape (G, M)."""
    quantiles: list[Array]
    """The 5, 50 and 95 % quantiles, each of shape (3, G)."""


def sweep(model: MixtureDensityRegressor, X: Array, y: Array, feature: int, most: int) -> Sweep:
    """Return p(y|x) along one feature; the other features are those of the training row closest to their medians.

    That row exists, so that columns which belong together, such as those of one category, fit together.

    Args:
        model: a fitted regressor.
        X: inputs of the training rows, shape (n, d).
        y: their targets, shape (n, T).
        feature: which one varies.
        most: number of targets to do.
    """
    values = np.unique(X[:, feature])
    distinct = len(values) <= _DISTINCT
    if not distinct:
        low, high = np.quantile(X[:, feature], (0.02, 0.98))
        low, high = (low, high) if low < high else (values[0], values[-1])
        values = np.linspace(low, high, _STEPS)
    held = _middle_row(X, feature)
    inputs = np.repeat(held[None], len(values), axis=0)
    inputs[:, feature] = values
    edges, density, quantiles = [], [], []
    for t, mixture in enumerate(marginals(model.predict_dist(inputs))[:most]):
        u = torch.tensor([0.005, 0.05, 0.5, 0.95, 0.995], dtype=torch.float64)
        q = mixture.icdf(u[:, None].expand(-1, len(values))).numpy()
        room = 0.3 * np.ptp(y[:, t])
        low = max(q[0].min(), y[:, t].min() - room)
        high = min(q[4].max(), y[:, t].max() + room)
        low, high = (low, high) if low < high else (q[0].min(), q[4].max())
        digits = 8 * np.finfo(float).eps * max(abs(low), abs(high))  # two edges must not be one number
        edge = np.linspace(low, max(high, low + _CELLS * digits), _CELLS + 1)
        mass = np.diff(mixture.cdf(torch.as_tensor(edge)[:, None]).numpy(), axis=0)  # exact, however narrow a peak is
        edges.append(edge)
        density.append(mass.T / (edge[1] - edge[0]))
        quantiles.append(q[1:4])
    return Sweep(feature, values, distinct, held, edges, density, quantiles)


def _middle_row(X: Array, feature: int) -> Array:
    others = np.arange(X.shape[1]) != feature
    spread = X.std(0)
    z = (X - np.median(X, axis=0)) / np.where(spread > 0, spread, 1)
    return X[np.square(z[:, others]).sum(1).argmin()]
