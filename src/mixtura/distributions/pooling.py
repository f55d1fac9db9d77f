"""Several predictions made one."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor

from mixtura.distributions.atoms import AtomMixture
from mixtura.distributions.mixture import Mixture

__all__ = ["pool"]

M = TypeVar("M", Mixture[Any], AtomMixture)
M_ = TypeVar("M_", bound=Mixture[Any])


def pool(mixtures: M, dim: int = 0) -> M:
    """Return the mixture of mixtures along a batch dimension, all weighing alike: the linear opinion pool.

    ``p(x) = 1/E Σ_e p_e(x)``, of ``E K`` components (Stone 1961, "The opinion pool").

    Args:
        mixtures: with a batch dimension of size E.
        dim: which one, from 0.

    Returns:
        The mixture without that batch dimension.

    Raises:
        IndexError: where there is no such batch dimension.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(2, 1), torch.tensor([[0.0], [4.0]]), mx.Isotropic(1.0), event_dim=0)
        >>> mx.distributions.pool(q)
        GaussianMixture(batch_shape=(), event_shape=(), components=2, covariance=Isotropic)
        >>> mx.distributions.pool(q).mean
        tensor(2.)
    """
    batch = len(mixtures.batch_shape)
    if not 0 <= dim < batch:
        raise IndexError(f"dim must name one of the {batch} batch dimensions, got {dim}.")
    if isinstance(mixtures, AtomMixture):
        return _pool_atoms(mixtures, dim)
    return _pool(mixtures, mixtures.log_weights, dim)


def _pool(q: M_, log_weights: Tensor, dim: int) -> M_:
    """Return all components as one mixture, with the log-weights given."""
    batch, event_dim = len(q.batch_shape), len(q.event_shape)
    loc = _merge(q._loc, dim, batch)
    spread = q._spread.expand((*q.batch_shape, q.components)).merge(dim)
    return q._new(_merge(log_weights, dim, batch), loc if event_dim else loc.squeeze(-1), spread, event_dim=event_dim)


def _pool_atoms(mixtures: AtomMixture, dim: int) -> AtomMixture:
    """Pool the atoms of all members, and their continuous parts by the weights that those have."""
    batch, q = len(mixtures.batch_shape), mixtures.continuous
    atom, rest = mixtures.log_weights[..., :-1], mixtures.log_weights[..., -1:]
    total = torch.logsumexp(_merge(rest, dim, batch), -1, keepdim=True)
    atoms = _merge(mixtures._atoms, dim, batch)
    return AtomMixture(
        torch.cat([_merge(atom, dim, batch), total], -1),
        atoms if mixtures.event_shape else atoms.squeeze(-1),
        _pool(q, rest + q.log_weights, dim),
        validate_args=False,
    )


def _merge(t: Tensor, dim: int, batch: int) -> Tensor:
    """Merge batch dimension ``dim`` into the one behind the batch."""
    return t.movedim(dim, batch - 1).flatten(batch - 1, batch)
