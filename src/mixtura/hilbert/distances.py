"""Squared distances without cancellation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

__all__ = ["FEW_DIMENSIONS", "TOLERANCE", "product_error", "squared_distances"]

FEW_DIMENSIONS = 8
"""Up to here one difference per coordinate is as fast as a product of matrices, and exact."""
TOLERANCE = {torch.float32: 3e-5, torch.float64: 1e-12}
"""What the exponent of a Gaussian may lose for data of a precision."""


def product_error(square_norms: Tensor, variance: Tensor | float, dtype: torch.dtype) -> float:
    """Return the error of ``(‖x‖² + ‖y‖² - 2 x·y) / 2v`` for the largest ``‖x‖² + ‖y‖²`` and the smallest v."""
    return float(0.5 * torch.finfo(dtype).eps * square_norms / (2 * variance))


def squared_distances(x: Tensor, y: Tensor, variance: Tensor) -> Tensor:
    """Return ``‖x_i - y_j‖²``, shape ``(*B, N, M)``, for ``x (*B, N, D)`` and ``y (*B, M, D)``, exact where it matters.

    Few dimensions: exact differences. Many: a product of centred matrices where :func:`product_error` allows it for
    the smallest ``variance`` that will divide the result; else the same in float64, and at last exact differences, too.
    Differentiable to any order.
    """
    if x.shape[-1] <= FEW_DIMENSIONS:
        pairs = zip(x.unbind(-1), y.unbind(-1), strict=True)
        return torch.stack([(a.unsqueeze(-1) - b.unsqueeze(-2)).square() for a, b in pairs]).sum(0)
    tolerance = TOLERANCE[x.dtype]
    with torch.no_grad():
        center = 0.5 * (x.mean(-2, keepdim=True) + y.mean(-2, keepdim=True))
        a, b = (torch.linalg.vector_norm(t - center, dim=-1).amax().double() for t in (x, y))
        norms = a**2 + b**2
        smallest = variance.amin()
    if product_error(norms, smallest, x.dtype) > tolerance:
        x, y = x.double(), y.double()
    products = product_error(norms, smallest, x.dtype) <= tolerance
    if products:
        x, y = x - center, y - center
    batch = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    found: Any = _SquaredDistances.apply(x.expand(*batch, *x.shape[-2:]), y.expand(*batch, *y.shape[-2:]), products)
    return found


class _SquaredDistances(Function):
    """Squared distances whose derivatives are products of matrices, without an N x M x D tensor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, products: bool) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(x, y)
        if not products:
            return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square_()
        norms = x.square().sum(-1).unsqueeze(-1) + y.square().sum(-1).unsqueeze(-2)
        return norms.sub_(x @ y.mT, alpha=2).clamp_min_(0)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, y = ctx.saved_tensors
        dx = 2 * (g.sum(-1).unsqueeze(-1) * x - g @ y) if ctx.needs_input_grad[0] else None
        dy = 2 * (g.sum(-2).unsqueeze(-1) * y - g.mT @ x) if ctx.needs_input_grad[1] else None
        return dx, dy, None
