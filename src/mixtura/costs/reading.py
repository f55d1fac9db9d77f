"""Whether a batch of components is to be read as a mixture or as a sample of one."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mixtura.costs.bound import Reading
from mixtura.distributions import Mixture
from mixtura.hilbert import effective_rank

__all__ = ["SWITCH", "choose_reading"]

SWITCH = 0.8
"""Effective rank of the data's Gram matrix, over its size, from which on components are read as samples."""


def choose_reading(p: Mixture[Any], rank: Tensor | None = None) -> Reading:
    """Return ``"sampled"`` where the effective rank of p's Gram matrix exceeds .8 of its size, else ``"finite"``.

    A Gram matrix of one batch with itself counts every component's meeting with itself. Where the rank is nearly full,
    these meetings are all there is, and a cost that trusts them crowds the centers on the densest part of the data;
    where components overlap much, they hardly show and the finite reading, which is less noisy, trains better.

    Args:
        p: mixture of N components, batch shape ``*B``.
        rank: :func:`~mixtura.hilbert.effective_rank` of p where it is known already, shape ``(*B)``.

    Example:
        >>> import torch, mixtura as mx
        >>> x = torch.randn(256, 784, generator=torch.Generator().manual_seed(0))
        >>> mx.costs.choose_reading(mx.GaussianMixture.from_samples(x, variance=1.0))
        'sampled'
    """
    share = (effective_rank(p) if rank is None else rank).mean().item() / p.components
    return "sampled" if share > SWITCH and p.components > 3 else "finite"
