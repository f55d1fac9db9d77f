"""Likelihood, the baseline without a bound."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mixtura.costs.bound import Bound
from mixtura.distributions import GaussianMixture, Isotropic, Mixture
from mixtura.hilbert.checks import check_pair
from mixtura.hilbert.form import log_weights
from mixtura.hilbert.inner import exact_log_columns

__all__ = ["likelihood"]


def likelihood(p: Mixture[Any], q: Mixture[Any]) -> Bound:
    r"""Return the mean log-likelihood of the data, ``Σ_i w_i log q(m_i)``, which has no bound.

    Args:
        p: data; its components' locations and weights count, their spread does not. Batch shape ``*B``.
        q: model in the same space; isotropic Gaussians are streamed: no N x M x D tensor is formed.

    Raises:
        ValueError: where p and q live in different spaces or their batches do not broadcast.

    Example:
        >>> import torch, mixtura as mx
        >>> p = mx.GaussianMixture.from_samples(torch.tensor([[0.0], [1.0]]), variance=0.5)
        >>> q = mx.GaussianMixture.from_samples(torch.tensor([[0.0]]), variance=1.0)
        >>> mx.costs.likelihood(p, q).loss  # ½ log 2π + ¼
        tensor(1.1689, dtype=torch.float64)
    """
    check_pair(p, q)
    log_value = (log_weights(p).exp() * _log_density(p, q)).sum(-1)
    return Bound(log_value, -log_value)


def _log_density(p: Mixture[Any], q: Mixture[Any]) -> Tensor:
    """Return ``log q(m_i)`` in float64, shape ``(*B, N)``: a sample is a Gaussian without width."""
    if isinstance(q, GaussianMixture) and isinstance(q.covariance, Isotropic):
        points = GaussianMixture(p.logits, p.loc, Isotropic(0.0), event_dim=len(p.event_shape), validate_args=False)
        return exact_log_columns(q, points)
    x = p.loc.movedim(len(p.batch_shape), 0)  # (N, *B, *event_shape)
    return q.log_prob(x).double().movedim(0, -1)
