"""Which rows are worth a look, and what is predicted for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura.distributions import GaussianMixture
from mixtura.estimators import MixtureDensityRegressor
from mixtura.report.density_plots import Curve, Surface
from mixtura.report.importance import marginals
from mixtura.report.words import percent

__all__ = ["Choice", "Survey", "curves", "surfaces", "survey_rows"]

Array = NDArray[np.float64]
_ROWS = 1000
_PEAK = 0.1
"""A peak counts if it holds this share of the probability."""
_VALLEY = 0.5
"""Two peaks are clear if the density falls below this share of the lower one between them."""


@dataclass(frozen=True)
class Choice:
    """A row and why it is shown."""

    row: int
    """Counted from 0."""
    label: str
    reason: str


@dataclass(frozen=True)
class Survey:
    """What the predictions for the test rows look like."""

    choices: list[Choice]
    """Up to six different rows: an ordinary one, the widest, the narrowest, the most clearly divided, the least likely,
    and one at random."""
    divided: float
    """Share of the rows whose density has two clear peaks."""


def survey_rows(model: MixtureDensityRegressor, X: Array, log_prob: Array) -> Survey:
    """Look through rows for those that are worth showing.

    Args:
        model: a fitted regressor.
        X: inputs of the rows, shape (n, d); of many, 1,000 at random are considered.
        log_prob: of the rows, shape (n,).
    """
    rows = np.random.default_rng(0).permutation(len(X))[:_ROWS]
    log_prob = log_prob[rows]
    mixture = model.predict_dist(X[rows])
    width = np.zeros(len(rows))
    for m in marginals(mixture):
        low, high = (m.icdf(torch.full((len(rows),), u, dtype=torch.float64)).numpy() for u in (0.05, 0.95))
        width += np.log(np.maximum(high - low, np.finfo(float).tiny))
    first, second, valley = _two_peaks(mixture)
    clear = np.where((second >= _PEAK) & (valley < _VALLEY), second * (1 - valley), 0)
    best = clear.argmax()
    ordinary = np.abs(log_prob - np.median(log_prob)).argsort(kind="stable")
    peaks = f"the most clearly divided, its two main peaks hold {percent(first[best])} and {percent(second[best])}"
    wishes = [
        (ordinary, "ordinary", "its log-likelihood is the median"),
        ([width.argmax()], "widest", "the longest 90 % interval"),
        ([width.argmin()], "narrowest", "the shortest 90 % interval"),
        ([best][: int(clear[best] > 0)], "several peaks", peaks),
        ([log_prob.argmin()], "least likely", "the truth that surprised the model most"),
        (range(len(rows)), "at random", "drawn blindly"),
    ]
    if len(rows) == 1:
        wishes = [([0], "the only row", "there is no other")]
    chosen: dict[int, Choice] = {}
    for order, label, reason in wishes:
        candidates = [int(rows[i]) for i in order]
        free = [row for row in candidates if row not in chosen]
        if free:
            chosen[free[0]] = Choice(free[0], label, reason)
        elif len(candidates) == 1:
            old = chosen[candidates[0]]
            chosen[old.row] = Choice(old.row, f"{old.label}, {label}", f"{old.reason}; {reason}")
    return Survey(list(chosen.values()), float((clear > 0).mean()))


def _two_peaks(mixture: GaussianMixture) -> tuple[Array, Array, Array]:
    """Return the mass of the two heaviest modes of each row, and the lowest density on the straight line between them
    as a share of the lower one's, each of shape (n,)."""
    modes = mixture.modes()
    order = modes.mass.argsort(-1, descending=True)[:, :2]
    if order.shape[1] < 2:
        return np.ones(len(order)), np.zeros(len(order)), np.ones(len(order))
    mass, height = modes.mass.gather(1, order), modes.log_prob.gather(1, order)
    two = mass[:, 1] > 0
    loc = torch.stack([modes.loc[torch.arange(len(order)), order[:, i]] for i in (0, 1)])  # (2, n, *event_shape)
    loc = torch.where(two.reshape(-1, *(1,) * (loc.dim() - 2)), loc, loc[0])  # one mode is NaN where there is but one
    way = torch.linspace(0, 1, 41, dtype=loc.dtype).reshape(-1, *(1,) * (loc.dim() - 1))
    valley = mixture.log_prob(loc[0] + way * (loc[1] - loc[0])).amin(0) - height.amin(-1)
    return mass[:, 0].numpy(), mass[:, 1].numpy(), torch.where(two, valley.exp(), 1.0).numpy()


def curves(
    model: MixtureDensityRegressor, X: Array, y: Array, choices: list[Choice], target: int
) -> tuple[list[Curve], bool]:
    """Return the predicted density of one target for the chosen rows, and whether one range of it suits them all.

    Args:
        model: a fitted regressor.
        X: inputs, shape (n, d).
        y: targets, shape (n, T).
        choices: of the rows.
        target: which one.
    """
    rows = [c.row for c in choices]
    mixture = marginals(model.predict_dist(X[rows]))[target]
    truth = y[rows, target]
    levels = torch.tensor([0.001, 0.05, 0.95, 0.999], dtype=torch.float64)
    first, low, high, last = mixture.icdf(levels[:, None].expand(-1, len(rows))).numpy()
    start, end = np.minimum(first, truth), np.maximum(last, truth)
    shared = bool(end.max() - start.min() < 30 * (high - low).min())
    if shared:
        start, end = np.full_like(start, start.min()), np.full_like(end, end.max())
    loc = mixture.loc.numpy()[..., None]  # (rows, K, 1)
    scale = mixture.covariance.variances(1).sqrt().numpy().reshape(-1, mixture.components, 1)
    near = (loc + scale * np.linspace(-4, 4, 17)).reshape(len(rows), -1)  # so that no narrow peak falls between
    x = np.concatenate([np.linspace(start, end, 240).T, near], axis=1)
    x = np.sort(x.clip(start[:, None], end[:, None]), axis=1)
    density = mixture.log_prob(torch.as_tensor(x.T)).exp().numpy().T
    titles = [f"{c.label} · row {c.row + 1}" for c in choices]
    return [Curve(*parts) for parts in zip(titles, x, density, truth.tolist(), strict=True)], shared


def surfaces(
    model: MixtureDensityRegressor, X: Array, y: Array, choices: list[Choice], pair: tuple[int, int]
) -> list[Surface]:
    """Return the predicted joint density of two targets for the chosen rows; the arguments are those of
    :func:`curves`."""
    rows = [c.row for c in choices]
    mixture = model.predict_dist(X[rows]).marginal(list(pair))
    axes = [_range(m, y[rows, t]) for m, t in zip(marginals(mixture), pair, strict=True)]  # each (rows, points)
    points = torch.as_tensor(
        np.stack([np.broadcast_arrays(a[None, :], b[:, None]) for a, b in zip(*axes, strict=True)], axis=0)
    )  # (rows, 2, points, points)
    density = mixture.log_prob(points.permute(2, 3, 0, 1)).exp().numpy()  # (points, points, rows)
    truth = [(y[row, pair[0]], y[row, pair[1]]) for row in rows]
    return [
        Surface(f"{c.label} · row {c.row + 1}", axes[0][i], axes[1][i], density[..., i], truth[i])
        for i, c in enumerate(choices)
    ]


def _range(mixture: GaussianMixture, truth: Array) -> Array:
    n = len(truth)
    low, high = (mixture.icdf(torch.full((n,), u, dtype=torch.float64)).numpy() for u in (0.002, 0.998))
    low, high = np.minimum(low, truth), np.maximum(high, truth)
    margin = 0.05 * (high - low)
    return np.linspace(low - margin, high + margin, 160).T
