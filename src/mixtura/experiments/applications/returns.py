"""Forecasts of tomorrow's return: mixtures, GARCH with Student's t, and historical simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import stats

from mixtura._optional import require
from mixtura.datasets import YearSplit
from mixtura.distributions import Mixture
from mixtura.metrics import expected_shortfall
from mixtura.training import isolated_seed

__all__ = [
    "LEVELS",
    "SHORTFALL",
    "ReturnForecasts",
    "garch_forecasts",
    "historical_forecasts",
    "mixture_forecasts",
    "student_forecasts",
    "student_windows",
]

Array = NDArray[np.float64]

LEVELS = (0.01, 0.025, 0.05)
"""Of the quantiles: value at risk is their negative."""
SHORTFALL = 0.025
"""Level of the expected shortfall, the regulators' choice."""
_DRAWS = 1_000
_WINDOW = 500
"""Past days of a historical simulation: two years."""
_FREEDOM = (2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 50.0)
"""Degrees of freedom to choose from."""
_STEPS = 40
_PERCENT = 100.0
"""GARCH is fitted to returns in per cent, which its optimiser expects."""


@dataclass(frozen=True)
class ReturnForecasts:
    """What a model said about each of T days, the evening before."""

    log_density: Array
    """At the return that came, in nats per unit of return, shape (T,)."""
    quantiles: Mapping[float, Array]
    """Of each of :data:`LEVELS`, shape (T,)."""
    shortfall: Array
    """Mean of the worst returns, those below the quantile of :data:`SHORTFALL`, shape (T,)."""
    draws: Array
    """Of the forecasts, shape (S, T)."""

    @classmethod
    def joined(cls, parts: Sequence[ReturnForecasts]) -> ReturnForecasts:
        """Return the forecasts of all days of several periods."""
        return cls(
            np.concatenate([p.log_density for p in parts]),
            {level: np.concatenate([p.quantiles[level] for p in parts]) for level in LEVELS},
            np.concatenate([p.shortfall for p in parts]),
            np.concatenate([p.draws for p in parts], 1),
        )


def mixture_forecasts(z: Mixture[Any], scale: Array, y: Array, seed: int = 0) -> ReturnForecasts:
    """Return what mixtures of ``z = y / scale`` say about y: densities are divided by the scale, the rest multiplied.

    Args:
        z: batch_shape (T,), one target.
        scale: positive, shape (T,).
        y: returns, shape (T,).
        seed: of the draws.
    """
    with torch.no_grad():
        density = z.log_prob(torch.as_tensor(y / scale)).numpy() - np.log(scale)
        quantiles = {p: scale * z.icdf(torch.full(y.shape, p, dtype=torch.float64)).numpy() for p in LEVELS}
        worst = scale * expected_shortfall(z, SHORTFALL).numpy()
    with isolated_seed(seed):
        draws = scale * z.sample((_DRAWS,)).numpy()
    return ReturnForecasts(density, quantiles, worst, draws)


def garch_forecasts(y: Array, splits: Sequence[YearSplit], asymmetric: bool = False, seed: int = 0) -> ReturnForecasts:
    """Return the forecasts of a GARCH(1,1) with constant mean and Student's t, refitted for every split.

    Its parameters come from the days before each split; its variance goes on from day to day with the returns that
    have come.

    Args:
        y: returns of all days.
        splits: from :func:`~mixtura.datasets.walk_forward`.
        asymmetric: let losses raise the variance more than gains (Glosten, Jagannathan & Runkle 1993).
        seed: of the draws.

    Raises:
        ImportError: where the package arch is not installed.
    """
    arch = require("arch", "GARCH", "markets")
    parts = []
    for split in splits:
        percent = _PERCENT * y[: split.test[-1] + 1]
        fitted = arch.arch_model(percent[split.train], mean="Constant", dist="t", o=int(asymmetric)).fit(disp="off")
        known = dict(fitted.params)
        shock = percent - known["mu"]
        slope = known["alpha[1]"] + known.get("gamma[1]", 0.0) * (shock < 0)
        variances, last = np.empty(len(split.test)), float(fitted.conditional_volatility[-1]) ** 2
        for i, day in enumerate(split.test - 1):
            last = known["omega"] + slope[day] * shock[day] ** 2 + known["beta[1]"] * last
            variances[i] = last
        freedom = np.full(len(split.test), float(known["nu"]))
        center = np.full(len(split.test), known["mu"] / _PERCENT)
        scale = np.sqrt(variances * (freedom - 2) / freedom) / _PERCENT
        parts.append(student_forecasts(freedom, center, scale, y[split.test], seed + split.year))
    return ReturnForecasts.joined(parts)


def historical_forecasts(y: Array, rows: NDArray[np.intp], seed: int = 0) -> ReturnForecasts:
    """Return what the 500 days before each of some days say: their quantiles, the mean of the worst of them, and, as a
    density, Student's t fitted to them.

    Args:
        y: returns of all days.
        rows: the days to forecast, each with at least 500 before it.
        seed: of the draws.

    Raises:
        ValueError: where too few days are before one of them.
    """
    if rows.min() < _WINDOW:
        raise ValueError(f"a historical simulation needs {_WINDOW} days before the first, got {rows.min()}.")
    past = sliding_window_view(y, _WINDOW)[rows - _WINDOW]
    density = stats.t.logpdf(y[rows], *student_windows(past))
    ordered = np.sort(past, 1)
    worst = ordered[:, : max(1, round(SHORTFALL * _WINDOW))].mean(1)
    quantiles = {level: np.quantile(past, level, axis=1) for level in LEVELS}
    which = np.random.default_rng(seed).integers(_WINDOW, size=(_DRAWS, len(rows)))
    return ReturnForecasts(
        density, quantiles, np.minimum(worst, quantiles[SHORTFALL]), past[np.arange(len(rows)), which]
    )


def student_forecasts(freedom: Array, center: Array, scale: Array, y: Array, seed: int = 0) -> ReturnForecasts:
    r"""Return what Student's t says: with q the quantile of level p of the standard one, and f its density, the
    shortfall is ``center - scale f(q) (ν + q²) / ((ν - 1) p)``.

    Args:
        freedom: ν > 1, shape (T,).
        center, scale: shape (T,); the deviation is ``scale sqrt(ν / (ν - 2))``.
        y: returns, shape (T,).
        seed: of the draws.

    Source:
        McNeil, Frey & Embrechts 2015, "Quantitative risk management", example 2.15.
    """
    t = stats.t(freedom)
    q = t.ppf(SHORTFALL)
    worst = center - scale * t.pdf(q) * (freedom + q**2) / ((freedom - 1) * SHORTFALL)
    draws = np.random.default_rng(seed).standard_t(freedom, (_DRAWS, len(y)))
    return ReturnForecasts(
        t.logpdf((y - center) / scale) - np.log(scale),
        {level: center + scale * t.ppf(level) for level in LEVELS},
        worst,
        center + scale * draws,
    )


def student_windows(past: Array) -> tuple[Array, Array, Array]:
    """Return degrees of freedom, location and scale of Student's t of most likelihood for each row, shape (T,) each.

    By expectation–maximisation for each of eight degrees of freedom, of which the best is taken.

    Args:
        past: shape (T, days).

    Source:
        Lange, Little & Taylor 1989, "Robust statistical modeling using the t distribution".
    """
    best = np.full(len(past), -np.inf)
    found = np.empty((3, len(past)))
    loc, square = past.mean(1), past.var(1)
    for freedom in _FREEDOM:
        for _ in range(_STEPS):
            weight = (freedom + 1) / (freedom + (past - loc[:, None]) ** 2 / square[:, None])
            loc = (weight * past).sum(1) / weight.sum(1)
            square = (weight * (past - loc[:, None]) ** 2).mean(1)
        likelihood = stats.t.logpdf(past, freedom, loc[:, None], np.sqrt(square)[:, None]).sum(1)
        better = likelihood > best
        best[better] = likelihood[better]
        found[:, better] = np.stack([np.full(len(past), freedom), loc, np.sqrt(square)])[:, better]
    return found[0], found[1], found[2]
