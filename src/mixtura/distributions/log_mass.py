"""Log-probability of an interval under the standard member of a family, with its digits in both tails."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

__all__ = ["cauchy_log_mass", "laplace_log_mass", "normal_log_mass"]

_NARROW = 0.5
"""Intervals narrower than this many scales of the density there are integrated; for wider ones nothing cancels."""
_NODES = 5


def normal_log_mass(a: Tensor, b: Tensor) -> Tensor:
    """Return ``log(Φ(b) - Φ(a))`` for ``a <= b``: in narrow intervals by Gauss–Legendre, else from ``log Φ``."""
    a, b = _to_the_left(a, b)
    width = b - a
    narrow = width * (1 - a) < _NARROW  # the density changes over 1 / (1 + |z|)
    x, w = (torch.as_tensor(t).to(a) for t in np.polynomial.legendre.leggauss(_NODES))
    z = ((a + b) / 2).unsqueeze(-1) + (width / 2).unsqueeze(-1) * x
    integral = torch.logsumexp(-0.5 * z.square() + (w / 2).log(), -1) + width.log() - 0.5 * math.log(2 * math.pi)
    upper = torch.special.log_ndtr(b)
    drop = torch.where(narrow, -1.0, torch.special.log_ndtr(a) - upper)
    return torch.where(narrow, integral, upper + (-torch.expm1(drop)).log())


def laplace_log_mass(a: Tensor, b: Tensor) -> Tensor:
    """Return ``log ½∫_a^b exp(-|z|) dz`` for ``a <= b``."""
    a, b = _to_the_left(a, b)
    end = b.clamp(max=0)
    left = end + (-torch.expm1(a - end)).log()
    across = (-torch.expm1(-b.clamp(min=0)) - torch.expm1(a)).log()
    return torch.where(b > 0, across, left) - math.log(2)


def cauchy_log_mass(a: Tensor, b: Tensor) -> Tensor:
    """Return ``log((atan b - atan a) / π)`` for ``a <= b``, the angle of ``(1 + ab) + i(b - a)``."""
    a, b = _to_the_left(a, b)
    return torch.atan2(b - a, 1 + a * b).log() - math.log(math.pi)


def _to_the_left(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror intervals that lie more on the right, for distribution functions have their digits on the left; and make
    infinite ends so large that nothing is beyond, but their square is a number."""
    far = 0.5 * torch.finfo(a.dtype).max ** 0.5
    a, b = a.clamp(-far, far), b.clamp(-far, far)
    right = a + b > 0
    return torch.where(right, -b, a), torch.where(right, -a, b)
