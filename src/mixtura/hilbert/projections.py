"""What remains of a mixture when it is projected on the components of another."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.distributions import Distribution
from torch.utils.checkpoint import checkpoint

from mixtura.hilbert.cholesky import jittered_cholesky
from mixtura.hilbert.diagonal import log_diagonal
from mixtura.hilbert.form import Form, full_rank
from mixtura.hilbert.inner import exact_log_columns
from mixtura.hilbert.split import split_pairs, take_block
from mixtura.hilbert.table import common_dtype, find_form

__all__ = ["log_projected_norm", "log_projected_trace", "log_projected_values"]

JITTER = {torch.float32: 1e-6, torch.float64: 1e-10}
"""ε for mixtures of a precision; a projection of p on itself loses at most this share of it."""
_PAIRS = 2**18
"""Pairs in one block of rows."""


def log_projected_norm(p: Distribution, q: Distribution) -> Tensor:
    r"""Return ``log ‖Π p‖²`` in float64, where Π projects on the span of the components of q, shape ``(*B)``.

    ``‖Π p‖² = hᵀ G⁻¹ h`` with ``h_j = <p, q_j>`` and the Gram matrix G of q, whose weights do not enter. Never above
    :func:`~mixtura.hilbert.log_norm` of p. With G = S R S, S the root of its diagonal, and a jitter on the correlations
    R (:func:`~mixtura.hilbert.cholesky.jittered_cholesky`), it is the sum of squares ``‖L⁻¹ S⁻¹ h‖²``.

    Args:
        p: mixture of N components, batch shape ``*B``; streamed, memory does not grow with N.
        q: mixture of M components in the same space; batch shapes broadcast. Takes M² numbers.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces, their batches do not broadcast, or q is not finite.

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture
        >>> from mixtura.hilbert import log_norm, log_projected_norm
        >>> p = GaussianMixture.from_samples(torch.tensor([[0.0], [1.0]]), variance=0.5)
        >>> q = GaussianMixture.from_samples(torch.tensor([[1.0], [0.0], [5.0]]), variance=0.5)
        >>> log_projected_norm(p, q), log_norm(p)
        (tensor(-1.1380, dtype=torch.float64), tensor(-1.1380))
    """
    R, L, log_s = _basis(p, q)
    log_h = exact_log_columns(p, q) - log_s
    unit = log_h.detach().amax(-1, keepdim=True)
    return 2 * unit.squeeze(-1) + _project((log_h - unit).exp().unsqueeze(-2), R, L).log()


def log_projected_trace(p: Distribution, q: Distribution) -> Tensor:
    r"""Return ``log Σ_i w_i ‖Π p_i‖²`` in float64, where Π projects on the span of the components of q, shape ``(*B)``.

    ``Σ_i w_i (C G⁻¹ Cᵀ)_ii`` with the cross Gram matrix C. What it lacks to ``Σ_i w_i P_ii`` is the weighted trace of
    the Schur complement ``P - C G⁻¹ Cᵀ``, the error of the Nyström approximation of P by the components of q.

    Args:
        p: mixture of N components, batch shape ``*B``; taken in blocks, memory does not grow with N.
        q: mixture of M components in the same space; batch shapes broadcast. Takes M² numbers.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces, their batches do not broadcast, or q is not finite.

    Source:
        Schölkopf & Smola 2002, Learning with Kernels, 10.2 (sparse greedy approximation).

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture
        >>> from mixtura.hilbert import log_projected_trace
        >>> p = GaussianMixture.from_samples(torch.tensor([[0.0], [1.0]]), variance=0.5)
        >>> q = GaussianMixture.from_samples(torch.tensor([[0.0]]), variance=0.5)
        >>> log_projected_trace(p, p).exp(), log_projected_trace(p, q).exp()  # (1 + 1) / 2, (1 + 1/e) / 2, over √2π
        (tensor(0.3989, dtype=torch.float64), tensor(0.2729, dtype=torch.float64))
    """
    basis = _basis(p, q)
    blocks = _blocks(p, q)
    share = _rows if len(blocks) == 1 else _again
    return torch.logsumexp(torch.stack([share(form, log_w, *basis) for form, log_w in blocks]), 0)


def log_projected_values(p: Distribution, q: Distribution) -> Tensor:
    r"""Return the logs of the eigenvalues of the projected, weighted Gram matrix of p, largest first, in float64.

    They sum to :func:`log_projected_trace`; shape ``(*B, min(N, M))``. Not for gradients.
    """
    with torch.no_grad():
        _, L, log_s = _basis(p, q)
        A = torch.cat([_scaled(form, log_w, log_s) for form, log_w in _blocks(p, q)], -2)  # (*B, N, M) in logs
        unit = A.amax((-2, -1), keepdim=True)
        Z = torch.linalg.solve_triangular(L, (A - unit).exp().mT, upper=False)
        return 2 * (unit.squeeze(-1) + torch.linalg.svdvals(Z).log())


def _basis(p: Distribution, q: Distribution) -> tuple[Tensor, Tensor, Tensor]:
    """Return the jittered correlations R of q's components, their Cholesky factor and the logs of q's norms."""
    find_form(p, q)
    make, _ = find_form(q, q)
    log_s = 0.5 * log_diagonal(q, q)  # (*B, M)
    log_G = split_pairs(make(q, q, torch.float64))
    R = (log_G - log_s.unsqueeze(-1) - log_s.unsqueeze(-2)).exp()
    L, jitter = jittered_cholesky(R.detach(), JITTER[common_dtype(p, q)])
    return R + jitter * torch.eye(R.shape[-1], dtype=R.dtype, device=R.device), L, log_s


def _blocks(p: Any, q: Any) -> list[tuple[Form, Tensor]]:
    """Return blocks of rows of the closed form with their log-weights."""
    make, batch_shape = find_form(p, q)
    form = make(p, q, common_dtype(p, q))
    b, N, M = len(batch_shape), form.N, form.M
    log_w = full_rank(torch.log_softmax(p.logits.double(), -1), b, 1)
    rows = max(M, _PAIRS // (batch_shape.numel() * M))
    blocks = (take_block(form, log_w, b, i, min(i + rows, N)) for i in range(0, N, rows))
    return [(block, w) for block, w in blocks if w is not None]


def _rows(form: Form, log_w: Tensor, R: Tensor, L: Tensor, log_s: Tensor) -> Tensor:
    """Return the log of the share of a block of rows, very small where none of them has a weight."""
    A = _scaled(form, log_w, log_s)
    unit = A.detach().amax((-2, -1), keepdim=True).clamp_min(-1e300)
    share = _project((A - unit).exp(), R, L).clamp_min(torch.finfo(A.dtype).tiny)
    return 2 * unit[..., 0, 0] + share.log()


def _again(form: Form, log_w: Tensor, R: Tensor, L: Tensor, log_s: Tensor) -> Tensor:
    """Return the same for one of many blocks, which is computed once more in backward instead of being kept."""
    n = len(form.P)

    def block(log_w: Tensor, R: Tensor, log_s: Tensor, *parts: Tensor) -> Tensor:
        return _rows(dataclasses.replace(form, P=parts[:n], Q=parts[n:]), log_w, R, L, log_s)

    found = checkpoint(block, log_w, R, log_s, *form.P, *form.Q, use_reentrant=False, preserve_rng_state=False)
    assert isinstance(found, Tensor)
    return found


def _scaled(form: Form, log_w: Tensor, log_s: Tensor) -> Tensor:
    """Return ``log √w_i <p_i, q_j> / ‖q_j‖`` in float64, shape ``(*B, n, M)``."""
    P, Q = (tuple(t.double() for t in parts) for parts in (form.P, form.Q))
    log_gram = dataclasses.replace(form, P=P, Q=Q).log_gram()
    return 0.5 * log_w.unsqueeze(-1) + log_gram - log_s.unsqueeze(-2)


def _project(A: Tensor, R: Tensor, L: Tensor) -> Tensor:
    """Return ``tr A R⁻¹ Aᵀ`` as a sum of squares, for the Cholesky factor L of R, shape ``(*B)``."""
    found: Any = _Project.apply(A, R, L)
    return found


class _Project(Function):
    """With ``W = A R⁻¹`` the gradient is 2W in A and ``-Wᵀ W`` in R: two triangular solutions, no inverse."""

    @staticmethod
    def forward(ctx: Any, A: Tensor, R: Tensor, L: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        Z = torch.linalg.solve_triangular(L, A.mT, upper=False)  # (*B, M, n)
        ctx.save_for_backward(A, R, Z, L)
        return Z.square().sum((-2, -1))

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        A, R, Z, L = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated once more
            L = torch.linalg.cholesky(R)
            Z = torch.linalg.solve_triangular(L, A.mT, upper=False)
        g = g[..., None, None]
        W = torch.linalg.solve_triangular(L.mT, Z, upper=True)  # (*B, M, n)
        gA = 2 * g * W.mT if ctx.needs_input_grad[0] else None
        gR = -g * (W @ W.mT) if ctx.needs_input_grad[1] else None
        return gA, gR, None
