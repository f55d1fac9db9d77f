"""Spectra of Gram matrices and their effective ranks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from mixtura.hilbert.pairs import Pairs, weighted_pairs
from mixtura.hilbert.spectral.matrix import choose
from mixtura.hilbert.spectral.mixtures import gather, unit_matrix

__all__ = ["effective_rank", "log_singular_values"]


@torch.no_grad()
def log_singular_values(p: Distribution, q: Distribution) -> Tensor:
    r"""Return the logs of the singular values of ``C̃_ij = √(w_i w'_j) <p_i, q_j>``, largest first, in float64.

    Values below 1e-16 of the largest are rounding. Not for gradients. A tall C̃ is streamed, without N x M numbers.

    Args:
        p: mixture of N components, batch shape ``*B``.
        q: mixture of M components in the same space; batch shapes broadcast.

    Returns:
        Shape ``(*B, min(N, M))``.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces, their batches do not broadcast, or one is not finite.

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture
        >>> from mixtura.hilbert.spectral import log_singular_values
        >>> p = GaussianMixture.from_samples(torch.tensor([[0.0], [9.0]]), variance=0.5)
        >>> log_singular_values(p, p)  # both are ½ / √2π
        tensor([-1.6121, -1.6121], dtype=torch.float64)
    """
    pairs = _pairs(p, q)
    if choose(pairs.form.N, pairs.form.M, pairs.a, "auto") == "tall":
        sums, unit = gather(pairs, torch.float64)
        s = sums.singular_values()
    else:
        C, unit = unit_matrix(pairs)
        s = torch.linalg.svdvals(C.double())
    return (unit + pairs.constant).unsqueeze(-1) + s.log()


@torch.no_grad()
def effective_rank(p: Distribution) -> Tensor:
    r"""Return ``exp(-Σ λ log λ)`` for the eigenvalues λ, summing to one, of p's weighted Gram matrix, shape ``(*B)``.

    Between 1, where all components are the same, and N, where none meets another; over N it says how well a batch
    represents its own kernel covariance operator. In float64, N² numbers. Not for gradients.

    Args:
        p: mixture of N components, batch shape ``*B``.

    Raises:
        TypeError: where the family has no closed form; it says which have one.
        ValueError: where p is not finite.

    Source:
        Roy & Vetterli 2007, "The effective rank: a measure of effective dimensionality".

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture
        >>> from mixtura.hilbert.spectral import effective_rank
        >>> effective_rank(GaussianMixture.from_samples(torch.tensor([[0.0], [0.0], [99.0]]), variance=0.5))  # 2/3, 1/3
        tensor(1.8899, dtype=torch.float64)
    """
    C, _ = unit_matrix(_pairs(p, p))
    eigenvalues = torch.linalg.eigvalsh(C.double()).clamp_min(0)
    return torch.special.entr(eigenvalues / eigenvalues.sum(-1, keepdim=True)).sum(-1).exp()


def _pairs(p: Distribution, q: Distribution) -> Pairs:
    pairs = weighted_pairs(p, q)
    return pairs.detached((False,) * len(pairs.tensors))
