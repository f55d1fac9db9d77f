"""The nuclear norm of the weighted Gram matrix of two mixtures, in logs, at any size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.distributions import Distribution

from mixtura.hilbert.pairs import Pairs, weighted_pairs
from mixtura.hilbert.spectral.certificate import once
from mixtura.hilbert.spectral.matrix import Method, certified, check_method, choose
from mixtura.hilbert.spectral.tall import RowSums

__all__ = ["gather", "log_nuclear_norm", "unit_matrix"]

_SMALL = 2**18
"""Pairs up to which the matrix is held in float64, whatever the precision of the mixtures."""


def log_nuclear_norm(p: Distribution, q: Distribution, method: Method = "auto", tolerance: float = 1e-4) -> Tensor:
    r"""Return ``log ‖C̃‖_*`` with ``C̃_ij = √(w_i w'_j) <p_i, q_j>`` in float64, shape ``(*B)``; differentiable once.

    It never exceeds ``½ (log tr P̃ + log tr G̃)`` beyond rounding, which p = q attains. All is in units of the largest
    entry of C̃, whose log is added back; what underflows beside it contributes nothing. With the polar factor W the
    gradient is ``∂ log ‖C̃‖_* / ∂ log C̃_ij = W_ij C̃_ij / ‖C̃‖_*``, carried to the parameters of p and q in blocks of
    rows that are computed once more.

    Args:
        p: mixture of N components, batch shape ``*B``.
        q: mixture of M components in the same space; batch shapes broadcast.
        method: see :func:`~mixtura.hilbert.spectral.nuclear_norm`. ``"tall"`` holds M² numbers and never N x M.
        tolerance: of ``"decaying"``, relative to the norm; the gradient lacks the directions that the value lacks.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces, their batches do not broadcast, or one is not finite.
        NotImplementedError: in a second derivative.

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture
        >>> from mixtura.hilbert.spectral import log_nuclear_norm
        >>> p = GaussianMixture.from_samples(torch.tensor([[0.0], [9.0]]), variance=0.5)
        >>> q = GaussianMixture.from_samples(torch.tensor([[9.0], [0.0]]), variance=0.5)
        >>> log_nuclear_norm(p, q)  # log 1/√2π, as the order of the components does not matter
        tensor(-0.9189, dtype=torch.float64)
    """
    check_method(method, tolerance)
    pairs = weighted_pairs(p, q)
    found: Any = _LogNuclearNorm.apply(pairs, method, tolerance, *pairs.tensors)
    return found


def unit_matrix(pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Return ``C / e^unit`` and unit, the largest log of an entry, shape ``(*B)``."""
    form, unit = pairs.form, pairs.largest()
    small = form.batch_shape.numel() * form.N * form.M <= _SMALL
    dtype = torch.float64 if small else form.P[0].dtype
    C = form.P[0].new_empty((*form.batch_shape, form.N, form.M), dtype=dtype)
    for start, stop in pairs.rows():
        C[..., start:stop, :] = pairs.block(start, stop, unit)
    return C, unit


def gather(pairs: Pairs, dtype: torch.dtype) -> tuple[RowSums, Tensor]:
    """Return what the singular values of ``C / e^unit`` need, and unit."""
    form, unit = pairs.form, pairs.largest()
    sums = RowSums(form.P[0].new_empty(form.batch_shape, dtype=dtype), form.M)
    for start, stop in pairs.rows():
        sums.add(pairs.block(start, stop, unit))
    return sums, unit


class _LogNuclearNorm(Function):
    @staticmethod
    def forward(ctx: Any, pairs: Pairs, method: Method, tolerance: float, *tensors: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        own = pairs.detached(ctx.needs_input_grad[3:])
        way = choose(own.form.N, own.form.M, own.form.P[0], method)
        if way == "tall":
            sums, unit = gather(own, own.form.P[0].dtype)
            norm, _, factor = sums.finish()
        else:
            C, unit = unit_matrix(own)
            found = certified(C, way, tolerance)
            norm, factor = found.value, found.factor
        ctx.pairs, ctx.tall = own, way == "tall"
        ctx.save_for_backward(factor, unit, norm, *tensors)
        return unit + norm.log() + own.constant

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        factor, unit, norm, *tensors = ctx.saved_tensors

        def polar(start: int, stop: int, C: Tensor) -> Tensor:
            return C.double() @ factor if ctx.tall else factor[..., start:stop, :]

        scale = g.detach() / norm.clamp_min(torch.finfo(norm.dtype).tiny)
        gradients = ctx.pairs.pull_back(unit, scale, polar, ctx.needs_input_grad[3:])
        wanted = [t for t in tensors if t.requires_grad]
        return None, None, None, *(None if t is None else once(t, g, *wanted) for t in gradients)
