"""Forecasts of tomorrow's rain, as a probability of any and a density of how much, and their scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import optimize, stats
from sklearn.linear_model import GammaRegressor, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mixtura.datasets import DailySeries
from mixtura.distributions import AtomMixture

__all__ = ["DRY", "RainForecast", "climatology", "gamma_shape", "log_rain", "logistic_gamma", "rain_mixture"]

Array = NDArray[np.float64]

DRY = -4.0
"""What stands for a dry day where rain is learnt as its log: e⁻⁴ mm is less than any gauge shows."""
_NODES, _WEIGHTS = (np.asarray(a) for a in np.polynomial.legendre.leggauss(100))
_FAR = 10.0
"""In mm: half of the nodes beyond what fell lie no farther from it."""
_SEASON = 30
"""Days before and after, of which climatology takes those of other years."""
_YEAR = 365


@dataclass(frozen=True)
class RainForecast:
    """What a model says about the rain of each of n days: none with some probability, and else a density in mm."""

    wet: Array
    """Probability of rain, shape (n,)."""
    log_density: Callable[[Array], Array]
    """Of the amount of a wet day, maps x > 0 in mm, shape (..., n), to nats per mm."""
    cdf: Callable[[Array], Array]
    """Of the amount of a wet day, maps x > 0 in mm, shape (..., n), to probabilities."""

    def log_score(self, rain: Array) -> Array:
        """Return the log of the mass at zero of dry days, and of the density in mm, times the probability of rain, of
        wet ones, shape (n,): the density with respect to a mass of one at zero plus Lebesgue's measure of mm."""
        wet = rain > 0
        amount = self.log_density(np.where(wet, rain, 1.0))
        return np.where(wet, np.log(self.wet) + amount, np.log1p(-self.wet))

    def crps(self, rain: Array) -> Array:
        """Return ``∫ (F(x) - 1{rain <= x})² dx`` in mm, shape (n,), by 100 nodes of Gauss and Legendre on either side
        of what fell."""
        u, w = ((_NODES + 1) / 2)[:, None], (_WEIGHTS / 2)[:, None]
        below, beyond = rain * u**2, rain + _FAR * u / (1 - u)
        inside = (self._distribution(below) ** 2 * 2 * rain * u * w).sum(0)
        return inside + ((1 - self._distribution(beyond)) ** 2 * _FAR / (1 - u) ** 2 * w).sum(0)

    def exceeds(self, threshold: float) -> Array:
        """Return the probability of more than so many mm, shape (n,)."""
        if threshold == 0:
            return self.wet
        return 1 - self._distribution(np.full((1, len(self.wet)), threshold))[0]

    def _distribution(self, x: Array) -> Array:
        positive = np.maximum(x, np.finfo(float).tiny)
        return 1 - self.wet * (1 - self.cdf(positive))


def log_rain(rain: Array) -> Array:
    """Return the log of rain in mm, and :data:`DRY` of none.

    Example:
        >>> log_rain(np.array([0.0, 1.0]))
        array([-4.,  0.])
    """
    return np.log(rain, where=rain > 0, out=np.full_like(rain, DRY))


def rain_mixture(mixture: AtomMixture) -> RainForecast:
    """Return the forecast of a mixture of :func:`log_rain` with an atom at :data:`DRY`: its density in mm is that of
    the log over the amount, and no probability is below zero.

    Args:
        mixture: batch_shape (n,), one target.
    """
    wet, q = mixture.weights[..., -1].numpy(), mixture.continuous
    return RainForecast(
        wet,
        lambda x: q.log_prob(torch.as_tensor(np.log(x))).numpy() - np.log(x),
        lambda x: q.cdf(torch.as_tensor(np.log(x))).numpy(),
    )


def climatology(train: DailySeries, dates: NDArray[np.datetime64]) -> RainForecast:
    """Return what the season says: the share of wet days of past years within 30 days of the date, and a gamma
    distribution fitted to their rain.

    Args:
        train: past years.
        dates: of the days to forecast.

    Raises:
        ValueError: where fewer than two amounts fell in some season.
    """
    apart = np.abs(_day_of_year(train.dates)[:, None] - _day_of_year(dates))
    near = np.minimum(apart, _YEAR - apart) <= _SEASON
    wet = train.y > 0
    both = near & wet[:, None]
    days = both.sum(0)
    if days.min() < 2:
        raise ValueError(f"climatology needs two wet days or more around {dates[days.argmin()]}: give more years.")
    mean = (both * train.y[:, None]).sum(0) / days
    log_mean = (both * np.log(np.where(wet, train.y, 1.0))[:, None]).sum(0) / days
    shape = gamma_shape(np.log(mean) - log_mean)
    share = (days + 0.5) / (near.sum(0) + 1)  # never zero nor one
    return _gamma(share, shape, mean)


def logistic_gamma(X: Array, rain: Array, X_new: Array) -> RainForecast:
    """Return a logistic regression of rain or none, and a gamma regression with log link of how much.

    Both are ridge-penalised by one unit of scikit-learn on standardised features; the dispersion has most likelihood.

    Args:
        X: features of past days.
        rain: of these days in mm.
        X_new: features of the days to forecast.
    """
    wet = rain > 0
    any_rain = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, wet)
    amount = make_pipeline(StandardScaler(), GammaRegressor(alpha=1.0, max_iter=1000)).fit(X[wet], rain[wet])
    ratio = rain[wet] / amount.predict(X[wet])
    shape = gamma_shape(np.array([ratio.mean() - np.log(ratio).mean() - 1]))  # E[r - log r - 1] = log k - ψ(k)
    return _gamma(any_rain.predict_proba(X_new)[:, 1], shape, amount.predict(X_new))


def gamma_shape(gap: Array) -> Array:
    """Return the shape k of most likelihood of gamma distributions, ``log k - ψ(k) = gap``.

    Args:
        gap: ``log mean(x) - mean(log x)`` for one mean, or ``mean(x/μ - log(x/μ)) - 1`` for given means μ, positive.

    Example:
        >>> gamma_shape(np.array([np.euler_gamma])).round(6)
        array([1.])
    """
    from scipy.special import digamma

    def excess(log_k: float, target: float) -> float:
        return log_k - float(digamma(np.exp(log_k))) - target

    return np.array([np.exp(optimize.brentq(excess, -20.0, 20.0, args=(g,))) for g in gap.tolist()])


def _gamma(wet: Array, shape: Array, mean: Array) -> RainForecast:
    amount: Any = stats.gamma(shape, scale=mean / shape)
    return RainForecast(wet, amount.logpdf, amount.cdf)


def _day_of_year(dates: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(int)
