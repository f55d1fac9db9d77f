"""Samples of exact posteriors, which models of inverse problems are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["rejection_posterior"]

Array = NDArray[np.float64]

_CHUNK = 2**19
"""Draws held at a time."""


def rejection_posterior(
    prior: Callable[[int, np.random.Generator], Array],
    forward: Callable[[Array], Array],
    y: ArrayLike,
    n: int,
    tolerance: float = 0.01,
    random_state: int | None = None,
    draws: int = 10**8,
) -> list[Array]:
    """Draw from the prior until n draws led to within a distance of each observation: ``‖f(x) - y‖ <= tolerance``.

    Every draw is offered to all observations, so 1,000 of them cost little more than one. The n of one observation are
    independent; those of two observations closer than twice the tolerance may share draws.

    Args:
        prior: of a number and a generator, returns so many draws, shape ``(number, D)``.
        forward: of draws, returns what they lead to, shape ``(number, T)``; NaN is led nowhere.
        y: observations, shape ``(M, T)``.
        n: draws to keep per observation.
        tolerance: in the units of y, Euclidean.
        random_state: seed.
        draws: after so many from the prior it stops.

    Returns:
        An array of shape ``(n, D)`` per observation; of fewer rows, or none, where it stopped before: the prior hardly
        reaches such an observation.

    Raises:
        ValueError: where shapes do not fit, or n or the tolerance is not positive.

    Example:
        >>> from mixtura.datasets import arm_prior, robot_arm
        >>> prior = lambda n, rng: arm_prior(n, random_state=rng)
        >>> [x] = rejection_posterior(prior, robot_arm, [[1.5, 0.5]], n=20, random_state=0)
        >>> x.shape, bool((np.linalg.norm(robot_arm(x) - [1.5, 0.5], axis=-1) <= 0.01).all())
        ((20, 4), True)
    """
    y = np.asarray(y, np.float64)
    if y.ndim != 2 or not y.size or not np.isfinite(y).all():
        raise ValueError(f"y must hold one finite observation per row, shape (M, T), got shape {y.shape}.")
    if n < 1 or not tolerance > 0:
        raise ValueError(f"n and tolerance must be positive, got {n} and {tolerance}.")
    rng = np.random.default_rng(random_state)
    kept: list[list[Array]] = [[prior(0, rng)] for _ in y]
    found, done = np.zeros(len(y), int), 0
    while done < draws and (found < n).any():
        x = prior(min(_CHUNK, draws - done), rng)
        missing = np.flatnonzero(found < n)
        for row, hits in zip(
            missing, _near(_checked(forward(x), len(x), y.shape[1]), y[missing], tolerance), strict=True
        ):
            kept[row].append(x[hits[: n - found[row]]])
            found[row] += len(hits)
        done += len(x)
    return [np.concatenate(parts) for parts in kept]


def _near(f: Array, y: Array, tolerance: float) -> Iterator[NDArray[np.intp]]:
    """Yield for each row of y which f are near, in the order of f: among those near in the first coordinate, which
    sorting finds."""
    order = np.argsort(f[:, 0])
    columns = f[order].T.copy()  # so that the candidates of a row lie side by side
    low = np.searchsorted(columns[0], y[:, 0] - tolerance)
    high = np.searchsorted(columns[0], y[:, 0] + tolerance, "right")
    for at, a, b in zip(y, low, high, strict=True):
        square = sum(np.square(column[a:b] - value) for column, value in zip(columns, at, strict=True))
        yield np.sort(order[a:b][square <= tolerance**2])


def _checked(f: Array, rows: int, columns: int) -> Array:
    f = np.asarray(f, np.float64)
    if f.shape != (rows, columns):
        raise ValueError(f"forward returned shape {f.shape} for {rows} draws, but y has {columns} columns.")
    return f
