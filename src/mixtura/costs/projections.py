"""The vector-matrix and the matrix-matrix cost: projections on the span of the components of the model."""

from __future__ import annotations

from typing import Any

from mixtura.costs.bound import Bound
from mixtura.costs.sampled import log_trace
from mixtura.distributions import Mixture
from mixtura.hilbert import log_projected_norm, log_projected_trace
from mixtura.hilbert.inner import exact_log_inner
from mixtura.hilbert.projections import log_projected_values

__all__ = ["matrix_matrix", "vector_matrix"]


def vector_matrix(p: Mixture[Any], q: Mixture[Any]) -> Bound:
    r"""Return the bound ``log hᵀ G⁻¹ h <= log <p, p>`` with ``h_j = <p, q_j>``: equality where p is in span{q_j}.

    The weights of q do not enter: the best ones for its components are implied. So there is no sampled reading, either:
    the components of infinitely many draws span everything.

    Args:
        p: data, N components, batch shape ``*B``; streamed.
        q: model, M components in the same space.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces, their batches do not broadcast, or q is not finite.

    Source:
        Kernelized matrix costs for multiple-output mixture neural networks (2025), vector-matrix cost.

    Example:
        >>> import torch, mixtura as mx
        >>> p = mx.GaussianMixture.from_samples(torch.tensor([[0.0], [1.0]]), variance=0.5)
        >>> q = mx.GaussianMixture.from_samples(torch.tensor([[0.0]]), variance=0.5)
        >>> mx.costs.vector_matrix(p, q).gap  # -log (1 + e^-½) / 2
        tensor(0.2191, dtype=torch.float64)
    """
    log_value = log_projected_norm(p, q)
    return Bound(log_value, -log_value, find_log_bound=lambda: exact_log_inner(p, p))


def matrix_matrix(p: Mixture[Any], q: Mixture[Any]) -> Bound:
    r"""Return the bound ``log Σ_i w_i (C G⁻¹ Cᵀ)_ii <= log Σ_i w_i P_ii``: equality where every p_i is in span{q_j}.

    ``1 - e^-gap`` is the trace of the Schur complement ``P - C G⁻¹ Cᵀ`` relative to that of P. The weights of q do not
    enter, and there is no sampled reading, for the same reason as in :func:`vector_matrix`.

    Args:
        p: data, N components, batch shape ``*B``; taken in blocks.
        q: model, M components in the same space.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces, their batches do not broadcast, or q is not finite.

    Source:
        Kernelized matrix costs for multiple-output mixture neural networks (2025), trace of the Schur complement.

    Example:
        >>> import torch, mixtura as mx
        >>> p = mx.GaussianMixture.from_samples(torch.tensor([[0.0], [1.0]]), variance=0.5)
        >>> q = mx.GaussianMixture.from_samples(torch.tensor([[0.0]]), variance=0.5)
        >>> 1 - mx.costs.matrix_matrix(p, q).gap.neg().exp()  # (1 - 1/e) / 2
        tensor(0.3161, dtype=torch.float64)
    """
    log_value = log_projected_trace(p, q)
    return Bound(
        log_value,
        -log_value,
        find_log_bound=lambda: log_trace(p),
        find_spectrum=lambda: log_projected_values(p, q),
    )
