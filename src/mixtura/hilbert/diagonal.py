"""Inner products of components that are paired, in logs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from mixtura.distributions import Mixture
from mixtura.hilbert.table import find_form

__all__ = ["log_diagonal"]


def log_diagonal(p: Distribution, q: Distribution) -> Tensor:
    r"""Return the diagonal of :func:`~mixtura.hilbert.log_gram`, ``log <p_i, q_i>``, in float64, shape ``(*B, N)``.

    Args:
        p: mixture of N components, batch shape ``*B``.
        q: mixture of N components in the same space; batch shapes broadcast.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where the numbers of components differ, p and q live in different spaces or their batches do not
            broadcast.

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture
        >>> from mixtura.hilbert import log_diagonal
        >>> p = GaussianMixture.from_samples(torch.tensor([[0.0], [1.0]]), variance=0.5)
        >>> q = GaussianMixture.from_samples(torch.tensor([[0.0], [3.0]]), variance=0.5)
        >>> log_diagonal(p, q)
        tensor([-0.9189, -2.9189], dtype=torch.float64)
    """
    make, batch_shape = find_form(p, q)
    N, M = _components(p), _components(q)
    if N != M:
        raise ValueError(f"p has {N} components and q has {M}: to be paired, they must have as many.")
    if p is q:
        p = q = _centered(p)
    form = make(p, q, torch.float64)
    row = len(batch_shape) + 1  # every pair is a batch entry of one row and one column
    logs = form.kernel(tuple(t.unsqueeze(row) for t in form.P), tuple(t.unsqueeze(row) for t in form.Q))
    return logs[..., 0, 0].expand(*batch_shape, N)


def _components(p: Any) -> int:
    return p.components


def _centered(p: Any) -> Mixture[Any]:
    """Return components of the same spreads around zero: where p meets itself, locations do not enter."""
    spread, K = p._spread, p.components
    tied = not spread.batch_shape or spread.batch_shape[-1] == 1
    first = slice(1) if tied else slice(K)
    loc = torch.zeros_like(p._loc[..., first, :])
    return p._new(p.logits[..., first], loc if p.event_shape else loc.squeeze(-1), spread, len(p.event_shape))
