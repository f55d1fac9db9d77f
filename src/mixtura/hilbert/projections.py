"""What remains of a mixture when it is projected on the components of another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from mixtura.hilbert.cholesky import jittered_cholesky
from mixtura.hilbert.diagonal import log_diagonal
from mixtura.hilbert.form import full_rank, log_weights
from mixtura.hilbert.inner import exact_log_columns
from mixtura.hilbert.pairs import Pairs
from mixtura.hilbert.split import split_pairs
from mixtura.hilbert.table import common_dtype, find_form
from mixtura.hilbert.traces import log_trace_of_rows, project

__all__ = ["log_projected_norm", "log_projected_trace", "log_projected_values"]

JITTER = {torch.float32: 1e-6, torch.float64: 1e-10}
"""ε for mixtures of a precision; a projection of p on itself loses at most this share of it."""


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
    return 2 * unit.squeeze(-1) + project((log_h - unit).exp().unsqueeze(-2), R, L).log()


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
    R, L, log_s = _basis(p, q)
    return log_trace_of_rows(_scaled_pairs(p, q, log_s), R, L)


def log_projected_values(p: Distribution, q: Distribution) -> Tensor:
    r"""Return the logs of the eigenvalues of the projected, weighted Gram matrix of p, largest first, in float64.

    They sum to :func:`log_projected_trace`; shape ``(*B, min(N, M))``. Not for gradients.
    """
    with torch.no_grad():
        _, L, log_s = _basis(p, q)
        pairs = _scaled_pairs(p, q, log_s)
        A = torch.cat([pairs.take(start, stop).logs() for start, stop in pairs.rows()], -2)  # (*B, N, M)
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


def _scaled_pairs(p: Any, q: Any, log_s: Tensor) -> Pairs:
    """Return the pairs with ``A_ij = √w_i <p_i, q_j> / ‖q_j‖``."""
    make, batch_shape = find_form(p, q)
    b = len(batch_shape)
    a, shift = (full_rank(t, b, 1) for t in (0.5 * log_weights(p), -log_s))
    return Pairs(make(p, q, common_dtype(p, q)), a, shift)
