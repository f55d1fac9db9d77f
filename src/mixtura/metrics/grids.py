"""Targets on a grid: its step, and the probability of a cell instead of the density at a point."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from mixtura.distributions import AtomMixture, Mixture

__all__ = ["grid_step", "interval_log_prob"]

_MULTIPLE = 1e-4
"""A difference is a multiple of the step where it misses by less, in steps: values are often stored with few digits."""
_FINEST = 1e-5
"""Steps smaller than this, in ranges of the values, are those of the numbers and not of the measurement."""


def grid_step(y: ArrayLike) -> float | None:
    """Return the step of which all differences between values are multiples, or None where there is none that matters:
    coarser than a hundred-thousandth of their range.

    Args:
        y: values of one target, in any order, repeated or not.

    Raises:
        ValueError: where y is empty or holds a value that is not finite.

    Example:
        >>> grid_step([0.1, 0.4, 0.8, 2.0]), grid_step([0.0, 1.0, 2.0**0.5])
        (0.1, None)
    """
    given = np.asarray(y)
    if given.dtype == np.float32:
        given = given.astype(str)  # 0.1 and not 0.10000000149
    values = np.unique(given.astype(np.float64))
    if not len(values) or not np.isfinite(values).all():
        raise ValueError("y must hold at least one value, and finite ones only: remove what is missing.")
    span, rounding = values[-1] - values[0], 8 * np.finfo(float).eps * np.abs(values).max()
    rest = np.diff(values)
    rest = rest[rest > rounding]  # 0.1 + 0.2 and 0.3 are one value
    if len(rest) == 0:
        return None
    step = rest.min()
    while True:  # Euclid's algorithm on all differences at once
        tolerance = _MULTIPLE * step + rounding
        if step < _FINEST * span or tolerance > 0.01 * step:
            return None
        remainder = rest % step
        remainder = np.minimum(remainder, step - remainder)
        remainder = remainder[remainder > tolerance]
        if len(remainder) == 0:
            return float(f"{span / np.rint(span / step):.9g}")
        step = remainder.min()


def interval_log_prob(mixture: Mixture[Any] | AtomMixture, low: Tensor, high: Tensor) -> Tensor:
    """Return ``log(F(high) - F(low))`` of each target by itself, in nats, with its digits in both tails.

    The log-probability of the cell ``[y - step/2, y + step/2]`` is what a target on a grid has instead of a
    log-density: it is never positive, so piling up on a value gains nothing beyond. Of several families only the ends
    of angles are less exact: their F has no digits in the upper tail.

    Args:
        mixture: of any family, batch_shape B and event_shape ``()`` or ``(T,)``.
        low: left ends, not included, shape ``(*S, *B, *event_shape)``; may be ``-inf``.
        high: right ends, included, of the same shape; may be ``inf``.

    Returns:
        Of the shape of ``low``, differentiable in the mixture's parameters.

    Raises:
        ValueError: where shapes do not fit or a left end lies right of its right end.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(1), torch.zeros(1), mx.Isotropic(1.0), event_dim=0)
        >>> interval_log_prob(q, torch.tensor([-0.5, 9.0]), torch.tensor([0.5, torch.inf]))
        tensor([ -0.9599, -43.6281])
    """
    if low.shape != high.shape:
        raise ValueError(f"low and high must have one shape, got {tuple(low.shape)} and {tuple(high.shape)}.")
    if bool((low > high).any()):
        raise ValueError("low lies right of high in some interval: exchange the ends.")
    if isinstance(mixture, AtomMixture):
        return _with_atoms(mixture, low, high)
    a, b = mixture._to_vector(low), mixture._to_vector(high)  # (*S, *B, D)
    each = mixture._marginals().log_mass(a.unsqueeze(-1), b.unsqueeze(-1))  # (*S, *B, D, K)
    return mixture._from_vector(torch.logsumexp(mixture.log_weights.unsqueeze(-2) + each, -1).clamp(max=0))


def _with_atoms(mixture: AtomMixture, low: Tensor, high: Tensor) -> Tensor:
    event = len(mixture.event_shape)
    log_w, atoms = mixture.log_weights.movedim(-1, 0), mixture.atoms.movedim(-1 - event, 0)
    log_w = log_w.reshape(*log_w.shape, *[1] * event)
    total = log_w[-1] + interval_log_prob(mixture.continuous, low, high)
    for weight, atom in zip(log_w[:-1], atoms, strict=True):
        inside = (low < atom) & (atom <= high) & (weight > -torch.inf)
        total = torch.where(inside, torch.logaddexp(total, weight), total)
    return total.clamp(max=0)
