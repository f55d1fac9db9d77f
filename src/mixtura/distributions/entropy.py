"""Entropy of Gaussian mixtures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mixtura.distributions.algebra import product

if TYPE_CHECKING:
    from mixtura.distributions.gaussian import GaussianMixture

__all__ = ["entropy", "entropy_bounds"]

_NODES = 32
_DRAWS = 4096
_REACH = 9.0
"""Standard deviations beyond which a component's part of the integral is nothing: its mass there is 2e-19."""


def entropy_bounds(mixture: GaussianMixture) -> tuple[Tensor, Tensor]:
    """Return a lower and an upper bound of the entropy in nats, each of shape ``B``.

    Lower (Huber et al. 2008, "On entropy approximation for Gaussian mixture random vectors", by Jensen's inequality):
    ``-Σ_i w_i log Σ_j w_j <p_i, p_j>``. Upper: the smaller of ``Σ_i w_i (h(p_i) - log w_i)`` (ibid.) and the entropy of
    the Gaussian with the mixture's covariance.
    """
    K, D = mixture.components, mixture._loc.shape[-1]
    log_w = mixture.log_weights
    pairs = product(mixture, mixture).logits.unflatten(-1, (K, K))  # log w_i w_j <p_i, p_j>
    lower = -_mean(log_w, torch.logsumexp(pairs, -1) - log_w)
    each = mixture.covariance.half_log_det(D) + 0.5 * D * math.log(2 * math.pi * math.e)
    upper = _mean(log_w, each - log_w)
    matrix = mixture.covariance_matrix if mixture.event_shape else mixture.variance[..., None, None]
    moments = 0.5 * torch.linalg.slogdet(matrix).logabsdet + 0.5 * D * math.log(2 * math.pi * math.e)
    return lower, torch.minimum(upper, moments)


def entropy(mixture: GaussianMixture) -> Tensor:
    """Return ``-∫ p log p`` in nats, shape ``B``: by quadrature for D = 1, else from 4,096 samples, inside its
    bounds."""
    if mixture._loc.shape[-1] > 1:
        lower, upper = entropy_bounds(mixture)
        estimate = -mixture.log_prob(mixture.sample((_DRAWS,))).mean(0)
        return torch.minimum(torch.maximum(estimate, lower), upper)
    return _quadrature(mixture)


def _quadrature(mixture: GaussianMixture) -> Tensor:
    """Integrate ``-w_k p_k log p`` for each component over panels that end at every component's ±0, 1, 3 and 9 standard
    deviations, by Gauss–Legendre in each."""
    m, s = mixture._loc, mixture._variances().sqrt()
    offsets = torch.tensor([0.0, 1.0, 3.0, _REACH], dtype=m.dtype, device=m.device)
    ends = torch.cat([m + s * offsets, m - s * offsets[1:]], -1).flatten(-2).sort(-1).values  # (*B, 7 K)
    x, w = (torch.as_tensor(a).to(m) for a in np.polynomial.legendre.leggauss(_NODES))
    left, width = ends[..., :-1, None], ends.diff(dim=-1).unsqueeze(-1)
    nodes = (left + width * (x + 1) / 2).flatten(-2)  # (*B, n)
    weights = (width * w / 2).flatten(-2)
    log_p = mixture.log_prob(mixture._from_vector(nodes.movedim(-1, 0).unsqueeze(-1))).movedim(0, -1)
    return -(weights * log_p.exp() * log_p.clamp_min(-1e30)).sum(-1)


def _mean(log_w: Tensor, values: Tensor) -> Tensor:
    """``Σ w x`` where a weight of zero counts for nothing, whatever its x."""
    w = log_w.exp()
    return torch.where(w > 0, w * torch.where(w > 0, values, 0.0), 0.0).sum(-1)
