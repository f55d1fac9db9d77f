"""A simulator whose exact posterior can be drawn from: two moons."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

__all__ = ["inverse_two_moons", "two_moons", "two_moons_log_prob", "two_moons_posterior"]

Array = NDArray[np.float64]
Seed = int | np.random.Generator | None

_CENTER, _RADIUS, _WIDTH = 0.25, 0.1, 0.01
"""Of the moon: where it is on the first axis, how large it is, and the standard deviation of its radius."""
_NODES = 400
"""Of the midpoint rule, along and across the crescent."""
_CHUNK = 2**14
"""Draws at a time."""
_CHUNKS = 100


def two_moons(theta: ArrayLike, random_state: Seed = None) -> Array:
    r"""Simulate the two moons: a point of a crescent, moved by parameters of which two pairs mean the same.

    ``x = (r cos a + 0.25 - |θ_1 + θ_2|/√2, r sin a + (θ_2 - θ_1)/√2)`` with ``a ~ U(-π/2, π/2)`` and
    ``r ~ N(0.1, 0.01²)``.

    Args:
        theta: parameters, shape ``(*B, 2)``; their prior is uniform on [-1, 1]².
        random_state: seed, or a generator to draw from.

    Returns:
        Observations, shape ``(*B, 2)``.

    Raises:
        ValueError: where theta has another number of columns.

    Source:
        Greenberg, Nonnenmacher & Macke 2019, "Automatic posterior transformation for likelihood-free inference".

    Example:
        >>> bool(abs(two_moons([0.5, -0.5], random_state=0)[1] + 2**-0.5) < 0.15)
        True
    """
    theta = np.asarray(theta, np.float64)
    if theta.ndim == 0 or theta.shape[-1] != 2:
        raise ValueError(f"theta must hold two parameters, shape (*B, 2), got {theta.shape}.")
    s, d = _rotated(theta)
    return _crescent(theta.shape[:-1], np.random.default_rng(random_state)) + np.stack([-np.abs(s), d], -1)


def inverse_two_moons(n: int, random_state: Seed = None) -> tuple[Array, Array]:
    """Draw pairs for the inverse problem of the two moons: given the observation, which parameters were it?

    Args:
        n: number of rows.
        random_state: seed, or a generator to draw from.

    Returns:
        X of shape (n, 2), the observations, and targets of shape (n, 2), the parameters, from U([-1, 1]²).

    Example:
        >>> X, theta = inverse_two_moons(5, random_state=0)
        >>> X.shape, theta.shape
        ((5, 2), (5, 2))
    """
    rng = np.random.default_rng(random_state)
    theta = rng.uniform(-1, 1, (n, 2))
    return two_moons(theta, rng), theta


def two_moons_posterior(x: ArrayLike, n: int, random_state: Seed = None) -> Array:
    r"""Draw from the exact posterior of the two moons.

    An observation less a point of the crescent is ``(-|s|, d)`` with ``s, d = (θ_2 ± θ_1)/√2``: a rotation of θ, which
    keeps areas. So a point of the crescent and a fair coin for the sign of s are a draw, unless the point is left of
    the observation, or θ outside of the prior: such draws are rejected.

    Args:
        x: one observation, shape (2,).
        n: number of draws.
        random_state: seed, or a generator to draw from.

    Returns:
        Parameters, shape (n, 2).

    Raises:
        ValueError: where x is not one observation, or lies where the simulator does not lead.

    Source:
        as :func:`two_moons`.

    Example:
        >>> theta = two_moons_posterior([0.0, 0.0], 1000, random_state=0)
        >>> theta.shape, bool(abs((theta.sum(1) > 0).mean() - 0.5) < 0.1)  # one moon on either side
        ((1000, 2), True)
    """
    x = np.asarray(x, np.float64)
    if x.shape != (2,) or not np.isfinite(x).all():
        raise ValueError(f"x must be one finite observation, shape (2,), got shape {x.shape}.")
    rng = np.random.default_rng(random_state)
    kept, found = [np.empty((0, 2))], 0
    for _ in range(_CHUNKS):
        if found >= n:
            break
        moved = x - _crescent((_CHUNK,), rng)
        s, d = moved[_possible(moved)].T
        s = s * rng.choice([-1.0, 1.0], len(s))
        kept.append(np.stack([s - d, s + d], -1) / math.sqrt(2))
        found += len(kept[-1])
    if found < n:
        raise ValueError(f"the observation {x.tolist()} is hardly ever simulated: take one from two_moons.")
    return np.concatenate(kept)[:n]


def two_moons_log_prob(x: ArrayLike, theta: ArrayLike) -> Array:
    r"""Return the exact log-density of the posterior of the two moons.

    ``p(θ|x) = φ(r; 0.1, 0.01²) / (2π r Z)`` inside of the prior, where r is the radius of the point of the crescent
    that leads from θ to x, and Z the share of the crescent that some θ of the prior leads to x, by the midpoint rule.

    Args:
        x: one observation, shape (2,).
        theta: parameters, shape ``(*B, 2)``.

    Returns:
        In nats, shape ``B``; -inf where θ cannot be.

    Example:
        >>> theta = two_moons_posterior([0.0, 0.0], 20_000, random_state=0)
        >>> bool(abs(two_moons_log_prob([0.0, 0.0], theta).mean() - 3.65) < 0.02)  # less the entropy
        True
    """
    x, theta = np.asarray(x, np.float64), np.asarray(theta, np.float64)
    s, d = _rotated(theta)
    p = x - np.stack([-np.abs(s), d], -1)
    r = np.hypot(p[..., 0] - _CENTER, p[..., 1])
    u = (np.arange(_NODES) + 0.5) / _NODES
    crescent = _polar(math.pi * (u - 0.5), _RADIUS + _WIDTH * ndtri(u)[:, None])
    share = _possible(x - crescent).mean()
    with np.errstate(divide="ignore"):
        inside = np.log((p[..., 0] >= _CENTER) & (np.abs(theta) <= 1).all(-1))
        normaliser = math.log(2 * math.pi * math.sqrt(2 * math.pi) * _WIDTH) + np.log(share)
        return -0.5 * ((r - _RADIUS) / _WIDTH) ** 2 - np.log(r) - normaliser + inside


def _rotated(theta: Array) -> tuple[Array, Array]:
    return (theta[..., 1] + theta[..., 0]) / math.sqrt(2), (theta[..., 1] - theta[..., 0]) / math.sqrt(2)


def _possible(moved: Array) -> NDArray[np.bool_]:
    """Return whether parameters in the prior move a point by so much: either sign of s, as the prior is symmetric."""
    s, d = np.moveaxis(moved, -1, 0)
    return (s <= 0) & (np.abs(d) - s <= math.sqrt(2))


def _crescent(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    return _polar(rng.uniform(-math.pi / 2, math.pi / 2, shape), _RADIUS + _WIDTH * rng.standard_normal(shape))


def _polar(a: Array, r: Array) -> Array:
    return np.stack([r * np.cos(a) + _CENTER, r * np.sin(a)], -1)
