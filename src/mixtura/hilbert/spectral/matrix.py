"""The nuclear norm of a matrix, by the way that suits its shape."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd import Function

from mixtura.hilbert.spectral.certificate import Certificate, once
from mixtura.hilbert.spectral.decaying import decaying
from mixtura.hilbert.spectral.dense import dense
from mixtura.hilbert.spectral.polar import polar
from mixtura.hilbert.spectral.tall import tall

__all__ = ["Method", "certified", "check_method", "choose", "nuclear_norm"]

Method = Literal["auto", "dense", "tall", "decaying", "polar"]
"""Ways to a nuclear norm; see :func:`nuclear_norm`."""
_TALL, _LARGE, _LARGE_ON_CUDA = 4, 768, 256
"""Rows per column, and the smaller side from which on structure beats a full decomposition."""
_MANY, _MANY_IN_DOUBLE = 2**15, 2**20
"""Entries of a tall matrix of which the same is true."""


def nuclear_norm(C: Tensor, method: Method = "auto", tolerance: float = 1e-4) -> Tensor:
    r"""Return ``‖C‖_*``, the sum of the singular values, in float64, shape ``(*B)``; differentiable once.

    What is returned never exceeds the norm beyond rounding (1e-12 of it in float64, 2e-5 in float32), and its gradient
    is the polar factor ``U Vᵀ`` on the numerical range of C: finite and right where singular values repeat or vanish.

    ============  ==========================================  ==========================================================
    method        for                                         below the norm by
    ============  ==========================================  ==========================================================
    ``dense``     any C                                       rounding
    ``tall``      ``N >= 4 M`` or ``M >= 4 N``, many entries  float32: 3e-7 min(N, M) s₁ at most; float64: rounding
    ``decaying``  both sides from 768                         ``tolerance`` times the norm at most, or it is ``dense``
    ``polar``     CUDA, both sides from 256                   min(N, M) s₁ times 2e-6 (float32) or 2e-14 (float64)
    ============  ==========================================  ==========================================================

    Args:
        C: matrices, shape ``(*B, N, M)``, float32 or float64.
        method: ``"auto"`` takes the first that fits: ``polar``, ``tall``, ``decaying``, ``dense``.
        tolerance: of ``decaying``, relative to the norm; the gradient lacks the directions that the value lacks.

    Raises:
        ValueError: where C is not a matrix of finite numbers, or there is no such method.
        NotImplementedError: in a second derivative.

    Example:
        >>> import torch
        >>> from mixtura.hilbert.spectral import nuclear_norm
        >>> C = torch.tensor([[0.0, 2.0], [2.0, 0.0], [0.0, 0.0]], requires_grad=True)
        >>> nuclear_norm(C)
        tensor(4., dtype=torch.float64, grad_fn=...)
        >>> torch.autograd.grad(nuclear_norm(C), C)[0]  # the permutation
        tensor([[0., 1.],
                [1., 0.],
                [0., 0.]])
    """
    check_method(method, tolerance)
    if C.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"C must be float32 or float64, got {C.dtype}.")
    if C.dim() < 2 or 0 in C.shape:
        raise ValueError(f"C must be a matrix of at least one row and one column, got shape {tuple(C.shape)}.")
    if not bool(torch.isfinite(C).all()):
        raise ValueError("C holds numbers that are not finite.")
    found: Any = _NuclearNorm.apply(C, method, tolerance)
    return found


def certified(C: Tensor, method: Method, tolerance: float) -> Certificate:
    """Return the certificate of a matrix of finite numbers; the larger side may be either."""
    way = choose(C.shape[-2], C.shape[-1], C, method)
    if way == "tall":
        return tall(C) if C.shape[-2] >= C.shape[-1] else _transposed(tall(C.mT))
    if way == "decaying":
        return decaying(C, tolerance)
    return polar(C) if way == "polar" else dense(C)


def choose(N: int, M: int, like: Tensor, method: Method) -> Method:
    """Return the method for N x M matrices of the precision and on the device of ``like``."""
    if method != "auto":
        return method
    small, large = sorted((N, M))
    if like.is_cuda and small >= _LARGE_ON_CUDA:
        return "polar"
    if large >= _TALL * small and small * large >= (_MANY_IN_DOUBLE if like.dtype == torch.float64 else _MANY):
        return "tall"
    return "decaying" if small >= _LARGE else "dense"


def check_method(method: str, tolerance: float) -> None:
    """Raise ValueError where there is no such method or the tolerance is not positive."""
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {', '.join(get_args(Method))}, got {method!r}.")
    if not tolerance > 0:
        raise ValueError(f"tolerance must be positive, got {tolerance}.")


def _transposed(of: Certificate) -> Certificate:
    return Certificate(of.lower, of.upper, of.factor.mT)


class _NuclearNorm(Function):
    @staticmethod
    def forward(ctx: Any, C: Tensor, method: Method, tolerance: float) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        found = certified(C.detach(), method, tolerance)
        ctx.save_for_backward(found.factor, C)
        return found.value

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        factor, C = ctx.saved_tensors
        gradient = (g.detach()[..., None, None] * factor).to(C.dtype)
        return once(gradient, g, C), None, None
