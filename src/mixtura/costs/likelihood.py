"""Likelihood, the baseline without a bound."""

from __future__ import annotations

from typing import Any

import torch

from mixtura.costs.bound import Bound
from mixtura.distributions import Mixture
from mixtura.hilbert.checks import check_pair

__all__ = ["likelihood"]


def likelihood(p: Mixture[Any], q: Mixture[Any]) -> Bound:
    r"""Return the mean log-likelihood of the data, ``Σ_i w_i log q(m_i)``, which has no bound.

    Args:
        p: data; its components' locations and weights count, their spread does not. Batch shape ``*B``.
        q: model in the same space.

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
    x = p.loc.movedim(len(p.batch_shape), 0)  # (N, *B, *event_shape)
    log_q = q.log_prob(x).double().movedim(0, -1)
    log_value = (torch.softmax(p.logits.double(), -1) * log_q).sum(-1)
    return Bound(log_value, -log_value)
