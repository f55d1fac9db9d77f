"""Exact toy problems: the truth is known, so a model can be compared with the best there is."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["inverse_sine", "inverse_sine_log_prob", "inverse_sine_optimum"]

Array = NDArray[np.float64]
Noise = Literal["normal", "uniform"]

_WIDTH = 0.1
"""Standard deviation of the normal noise, half width of the uniform noise."""
_NODES = 20_001


def inverse_sine(n: int, noise: Noise = "normal", random_state: int | None = None) -> tuple[Array, Array]:
    """Draw the toy inverse problem ``y = t + 0.3 sin(2πt) + noise`` with ``t ~ U(0, 1)``: given y, what was t?

    Up to three t answer one y (Bishop 1994, "Mixture density networks", §4).

    Args:
        n: number of rows.
        noise: ``"normal"`` with standard deviation 0.1, or ``"uniform"`` on ±0.1 (Bishop's own).
        random_state: seed.

    Returns:
        X of shape (n, 1), which holds y, and the targets t of shape (n,).

    Example:
        >>> X, t = inverse_sine(3, random_state=0)
        >>> X.shape, t.shape
        ((3, 1), (3,))
    """
    _check(noise)
    rng = np.random.default_rng(random_state)
    t = rng.uniform(size=n)
    e = rng.normal(0, _WIDTH, n) if noise == "normal" else rng.uniform(-_WIDTH, _WIDTH, n)
    return (_forward(t) + e)[:, None], t


def inverse_sine_log_prob(X: Array, t: Array, noise: Noise = "normal") -> Array:
    """Return the exact ``log p(t|y)`` of the toy inverse problem, by Bayes' rule and the trapezoidal rule in t.

    Args:
        X: inputs y, shape (n, 1).
        t: targets, shape (n,).
        noise: as in :func:`inverse_sine`.

    Example:
        >>> X, t = inverse_sine(20_000, random_state=0)
        >>> bool(abs(-inverse_sine_log_prob(X, t).mean() - inverse_sine_optimum()) < 0.02)
        True
    """
    _check(noise)
    y = np.asarray(X)[:, 0]
    inside = (t >= 0) & (t <= 1)
    with np.errstate(divide="ignore"):
        return np.where(inside, _log_noise(y - _forward(t), noise), -np.inf) - np.log(_marginal(y, noise))


def inverse_sine_optimum(noise: Noise = "normal") -> float:
    """Return the negative log-likelihood in nats that no model of the toy inverse problem can beat.

    It is the conditional entropy ``h(t|y) = h(t) + h(noise) - h(y)``, with ``h(t) = 0`` and ``h(y)`` by quadrature.

    Example:
        >>> round(inverse_sine_optimum(), 4), round(inverse_sine_optimum("uniform"), 4)
        (-0.6992, -1.2823)
    """
    _check(noise)
    y = np.linspace(-1, 2, 6001)
    p = _marginal(y, noise)
    h_y = -np.trapezoid(np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0), y)
    h_noise = 0.5 * np.log(2 * np.pi * np.e * _WIDTH**2) if noise == "normal" else np.log(2 * _WIDTH)
    return float(h_noise - h_y)


def _check(noise: str) -> None:
    if noise not in ("normal", "uniform"):
        raise ValueError(f"noise must be 'normal' or 'uniform', got {noise!r}.")


def _forward(t: Array) -> Array:
    return t + 0.3 * np.sin(2 * np.pi * t)


def _log_noise(e: Array, noise: Noise) -> Array:
    if noise == "normal":
        return -0.5 * (e / _WIDTH) ** 2 - np.log(_WIDTH * np.sqrt(2 * np.pi))
    with np.errstate(divide="ignore"):
        return np.log((np.abs(e) <= _WIDTH) / (2 * _WIDTH))


def _marginal(y: Array, noise: Noise) -> Array:
    """Return ``p(y) = ∫ p(noise = y - f(t)) dt`` over t in [0, 1], by the distribution of f on a fine grid of t."""
    f = np.sort(_forward((np.arange(_NODES) + 0.5) / _NODES))
    if noise == "uniform":
        counts = np.searchsorted(f, y + _WIDTH, side="right") - np.searchsorted(f, y - _WIDTH)
        return counts / _NODES / (2 * _WIDTH)
    return np.concatenate(
        [np.exp(_log_noise(c[:, None] - f, noise)).mean(1) for c in np.array_split(y, 1 + len(y) // 200)]
    )
