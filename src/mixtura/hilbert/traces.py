"""The trace of what is left of the components of one mixture on the span of another's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.utils.checkpoint import checkpoint

from mixtura._recompute import recomputed_gradients
from mixtura.hilbert.pairs import Gradients, Pairs
from mixtura.hilbert.products import squares, times_lower, times_upper

__all__ = ["log_trace_of_rows", "project"]

_PAIRS = 2**18
"""Pairs in one block of rows of automatic differentiation, which is faster where that is all."""
_TALL = 4
"""Rows per column from which on one sweep is."""
_SAMPLE = 256
"""Rows that tell about the others."""
_NEAR, _FAR = 64, 1e8
"""Largest logs, up to their sign, to which float32 and the blocks of isotropic Gaussians keep their digits."""


def log_trace_of_rows(pairs: Pairs, R: Tensor, L: Tensor) -> Tensor:
    r"""Return ``log tr A R⁻¹ Aᵀ`` in float64, shape ``(*B)``, for the matrix A of the pairs.

    One sweep over blocks of rows gives value and gradient. With ``Z = A L⁻ᵀ`` the value is ``‖Z‖²``, a sum of squares,
    and with ``W = Z L⁻¹`` the gradient is 2W in A and ``-WᵀW = -L⁻ᵀ (ZᵀZ) L⁻¹`` in R. Where A is float32, so are the
    products, of an inverse that was taken in float64; ``A R⁻¹`` in one product would lose all digits of the gradient.
    Where components of q nearly coincide and a sample of the rows tells that rounding would show, all is float64.

    Small and batched mixtures and those of few rows take automatic differentiation in float64, and so does a second
    derivative.

    Args:
        pairs: with logs of A.
        R: positive definite, shape ``(*B, M, M)``, float64.
        L: its Cholesky factor, whose gradient is R's.
    """
    form = pairs.form
    if form.batch_shape or form.N * form.M <= _PAIRS or form.N < _TALL * form.M:
        return _in_blocks(pairs, R, L)
    found: Any = _Sweep.apply(pairs, L, torch.is_grad_enabled(), R, *pairs.tensors)
    return found


def project(A: Tensor, R: Tensor, L: Tensor) -> Tensor:
    """Return ``tr A R⁻¹ Aᵀ`` as a sum of squares, for the Cholesky factor L of R, shape ``(*B)``.

    One R for a batch of A is solved with once, not copied for each.
    """
    found: Any = _Project.apply(A, R, L)
    return found


class _Sweep(Function):
    @staticmethod
    def forward(ctx: Any, pairs: Pairs, L: Tensor, with_gradient: bool, R: Tensor, *tensors: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        needs = tuple(with_gradient and need for need in ctx.needs_input_grad[4:])
        log_trace, gradients = _sweep(pairs, L, needs)
        ctx.pairs = pairs
        ctx.save_for_backward(L, R, *tensors, *gradients)
        return log_trace

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        L, *saved = ctx.saved_tensors
        inputs, gradients = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        if not torch.is_grad_enabled():
            return None, None, None, *(None if t is None else g * t for t in gradients)

        def plain(R: Tensor, *tensors: Tensor) -> Tensor:
            return _in_blocks(ctx.pairs.replaced(list(tensors), ctx.pairs.form.N), R, L)

        return None, None, None, *recomputed_gradients(plain, inputs, ctx.needs_input_grad[3:], g)


def _sweep(pairs: Pairs, L: Tensor, needs: tuple[bool, ...]) -> tuple[Tensor, Gradients]:
    """Return the log of the trace and its gradients in R and in the tensors of the pairs."""
    inverse = torch.linalg.solve_triangular(L, torch.eye(len(L)).to(L), upper=False)
    if pairs.form.isotropic and pairs.form.P[0].dtype == torch.float32 and _loses_digits(pairs, inverse, any(needs)):
        pairs = pairs.replaced([t.double() for t in pairs.tensors], pairs.form.N)
    own, rows = pairs.detached(needs), _Rows(inverse)
    unit = own.largest()
    if unit < -_FAR:
        own = pairs.replaced([t.detach() for t in pairs.tensors], pairs.form.N)
        unit = own.largest()
    gradients: Gradients = [None] * (1 + len(needs))
    if any(needs):
        of_tensors = own.pull_back(unit, torch.full_like(unit, 2), rows.weights, needs)
        gradients = [None if t is None else t / rows.total for t in (-rows.weight_squares(), *of_tensors)]
    else:
        for start, stop in own.rows():
            rows.add(own.block(start, stop, unit))
    return 2 * (unit + own.constant) + rows.total.log(), gradients


def _loses_digits(pairs: Pairs, inverse: Tensor, of_weights: bool) -> bool:
    """Whether rounding in float32 would lift the value by 1e-4 or make up 3 % of W, as far as a few rows tell."""
    logs = pairs.every(max(1, pairs.form.N // _SAMPLE)).logs()
    if logs.amax() < -_NEAR:
        return True
    A = (logs - logs.amax()).exp()
    Z, squared = times_upper(A, inverse.T), inverse.square()
    errors = (0.5 * torch.finfo(torch.float32).eps) ** 2 * (squared @ A.square().sum(0))  # of Σ Z², by columns
    if len(errors) * errors.sum() > 2e-4 * Z.square().sum():  # partial sums may be as large as all of their terms
        return True
    return of_weights and bool(squared.sum(1) @ errors > 1e-3 * times_lower(Z, inverse).square().sum())


class _Rows:
    """Multiply blocks of rows of A and gather ``‖Z‖²`` and ``ZᵀZ``."""

    def __init__(self, inverse: Tensor) -> None:
        self.inverse = self._rounded = inverse
        self.total, self.squares = inverse.new_zeros(()), torch.zeros_like(inverse)

    def add(self, C: Tensor) -> Tensor:
        """Add a block of rows and return its Z."""
        self._rounded = self._rounded.to(C)
        Z = times_upper(C, self._rounded.T)
        self.total += Z.square().sum(0).double().sum()
        return Z

    def weights(self, start: int, stop: int, C: Tensor) -> Tensor:
        """Add a block of rows and return its W."""
        Z = self.add(C)
        self.squares += squares(Z)
        return times_lower(Z, self._rounded)

    def weight_squares(self) -> Tensor:
        """Return ``WᵀW``."""
        return times_lower(times_lower(self.squares, self.inverse).T, self.inverse)


def _in_blocks(pairs: Pairs, R: Tensor, L: Tensor) -> Tensor:
    """Return the same by automatic differentiation."""
    form = pairs.form
    step = max(form.M, _PAIRS // (form.batch_shape.numel() * form.M))
    blocks = [pairs.take(i, min(i + step, form.N)) for i in range(0, form.N, step)]
    share = _block if len(blocks) == 1 else _again
    return torch.logsumexp(torch.stack([share(block, R, L) for block in blocks]), 0)


def _block(pairs: Pairs, R: Tensor, L: Tensor) -> Tensor:
    """Return the log of the share of a block of rows, very small where none of them has a weight."""
    A = pairs.logs()
    unit = A.detach().amax((-2, -1), keepdim=True).clamp_min(-1e300)
    share = project((A - unit).exp(), R, L).clamp_min(torch.finfo(A.dtype).tiny)
    return 2 * unit[..., 0, 0] + share.log()


def _again(pairs: Pairs, R: Tensor, L: Tensor) -> Tensor:
    """Return the same for one of many blocks, which is computed once more in backward instead of being kept."""

    def block(R: Tensor, *tensors: Tensor) -> Tensor:
        return _block(pairs.replaced(list(tensors), pairs.form.N), R, L)

    found = checkpoint(block, R, *pairs.tensors, use_reentrant=False, preserve_rng_state=False)
    assert isinstance(found, Tensor)
    return found


class _Project(Function):
    """With ``W = A R⁻¹`` the gradient is 2W in A and ``-Wᵀ W`` in R: two triangular solutions, no inverse."""

    @staticmethod
    def forward(ctx: Any, A: Tensor, R: Tensor, L: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        Z = _solve(L, A.mT, upper=False)  # (*B, M, n)
        ctx.save_for_backward(A, R, Z, L)
        return Z.square().sum((-2, -1))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        A, R, Z, L = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated once more
            L = torch.linalg.cholesky(R)
            Z = _solve(L, A.mT, upper=False)
        g = g[..., None, None]
        W = _solve(L.mT, Z, upper=True)  # (*B, M, n)
        gA = 2 * g * W.mT if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return gA, None, None
        left, right = (_columns(g * W), _columns(W)) if L.dim() == 2 else (g * W, W)
        return gA, -(left @ right.mT), None


def _solve(T: Tensor, B: Tensor, upper: bool) -> Tensor:
    """Return ``T⁻¹ B`` for a triangular T, shape ``(M, M)`` or ``(*B, M, M)``, and B of shape ``(*B, M, n)``."""
    if T.dim() > 2:
        return torch.linalg.solve_triangular(T, B, upper=upper)
    whole = torch.linalg.solve_triangular(T, _columns(B), upper=upper)
    return whole.unflatten(-1, (*B.shape[:-2], B.shape[-1])).movedim(0, -2)


def _columns(B: Tensor) -> Tensor:
    """Return the matrices of a batch, shape ``(*B, M, n)``, beside each other."""
    return B.movedim(-2, 0).flatten(1)
