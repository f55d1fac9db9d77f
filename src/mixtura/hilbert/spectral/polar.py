"""The nuclear norm from products of matrices alone, for processors on which nothing else is fast."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mixtura.hilbert.spectral.certificate import Certificate

__all__ = ["polar"]

_SMALLEST = {torch.float32: 1e-6, torch.float64: 1e-14}
"""Singular values, relative to the bound of the largest, that are carried to one."""


def polar(C: Tensor) -> Certificate:
    r"""Return ``<X, C>`` for the polar factor X of C, the limit of Newton–Schulz steps ``X <- ½ ρ X (3 - ρ² XᵀX)``.

    Where the singular values of X lie in [l, 1], ``ρ² = 3 / (1 + l + l²)`` leads them to ``[½ ρ l (3 - ρ² l²), 1]``,
    the best that a polynomial of degree three can; so the number of steps is known before the first. ``‖X‖ <= 1``
    throughout, hence ``<X, C>`` is a lower side, and the singular values below l, which are not carried to one, are the
    distance to the upper one: at most ``M l s₁``, and as much again for rounding.

    Source:
        Chen & Chow 2014, "A stable scaling of Newton–Schulz for improving the sign function computation".
    """
    if C.shape[-2] < C.shape[-1]:
        found = polar(C.mT)
        return Certificate(found.lower, found.upper, found.factor.mT)
    largest = _largest(C)
    scale = torch.where(largest > 0, largest, 1.0)
    smallest = length = _SMALLEST[C.dtype]
    X = C / scale[..., None, None]
    while length < 1 - 10 * torch.finfo(C.dtype).eps:
        rho = math.sqrt(3 / (1 + length + length**2))
        X = 1.5 * rho * X - 0.5 * rho**3 * (X @ (X.mT @ X))
        length = 0.5 * rho * length * (3 - rho**2 * length**2)
    lower = (X.double() * C).sum((-2, -1))
    return Certificate(lower, lower + 2 * C.shape[-1] * smallest * largest.double(), X)


def _largest(C: Tensor) -> Tensor:
    """Return a bound of the largest singular value: the lesser one of ``‖C‖_F`` and ``√(‖C‖_1 ‖C‖_∞)``."""
    A = C.abs()
    mixed = A.sum(-1).amax(-1).sqrt() * A.sum(-2).amax(-1).sqrt()
    return 1.0001 * torch.minimum(mixed, torch.linalg.matrix_norm(C))
