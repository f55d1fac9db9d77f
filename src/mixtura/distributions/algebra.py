"""Conditionals and products of Gaussian mixtures, which are Gaussian mixtures again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mixtura.distributions.covariances import Covariance, Diagonal, Full, Isotropic

if TYPE_CHECKING:
    from mixtura.distributions.gaussian import GaussianMixture

__all__ = ["condition", "linear_map", "product"]


def condition(mixture: GaussianMixture, values: Mapping[int, float | Tensor]) -> GaussianMixture:
    """Return the mixture of the other coordinates given ``values``.

    With a the other and b the given coordinates, component k has the weight ``∝ w_k N(x_b; m_b, S_bb)``, the mean
    ``m_a + S_ab S_bb⁻¹ (x_b - m_b)`` and the covariance ``S_aa - S_ab S_bb⁻¹ S_ba`` (the Schur complement).
    """
    D = mixture._loc.shape[-1]
    given = [d % D for d in values if -D <= d < D]
    if len(set(given)) < len(values):
        raise IndexError(f"values names the coordinates {list(values)}; each must be one of 0 to {D - 1}, once.")
    if not mixture.event_shape or not 0 < len(given) < D:
        raise ValueError(f"values must name at least one and leave at least one coordinate of {D}, got {list(values)}.")
    rest = [d for d in range(D) if d not in given]
    x = torch.stack(torch.broadcast_tensors(*(torch.as_tensor(v).to(mixture._loc) for v in values.values())), -1)
    logits = mixture.log_weights + mixture.marginal(given).component_log_prob(x)  # (*B, K)
    regression, covariance = mixture.covariance.condition(given, rest)
    loc = mixture._loc[..., rest]
    if regression is not None:
        offset = x.unsqueeze(-2) - mixture._loc[..., given]  # (*B, K, b)
        loc = loc + (regression @ offset.unsqueeze(-1)).squeeze(-1)
    return mixture._new(logits, loc, covariance, event_dim=1)


def linear_map(mixture: GaussianMixture, A: Tensor, b: Tensor) -> GaussianMixture:
    """Return the mixture of ``A x + b``: means ``A m + b``, covariances ``A S Aᵀ``.

    With ``S = L Lᵀ`` the new Cholesky factor is the triangle of the QR decomposition of ``(A L)ᵀ``: nothing is squared.
    """
    D = mixture._loc.shape[-1]
    if A.shape[-1] != D or b.shape != A.shape[:1] or len(A) > D:
        raise ValueError(
            f"scale {tuple(A.shape)} must be a (D', D) matrix with D' <= D = {D}, and shift {tuple(b.shape)} be (D',)."
        )
    S = mixture.covariance
    L = S.scale_tril if isinstance(S, Full) else torch.linalg.cholesky(S.dense(D))
    R = torch.linalg.qr((A @ L).mT).R
    diagonal = R.diagonal(dim1=-2, dim2=-1)
    tiny = torch.finfo(R.dtype).eps * D * (A @ L).flatten(-2).norm(dim=-1, keepdim=True)
    if bool((diagonal.abs() <= tiny).any()):
        raise ValueError("the rows of the matrix are linearly dependent: the image has no density.")
    loc = (A @ mixture._loc.unsqueeze(-1)).squeeze(-1) + b
    return mixture._new(mixture.logits, loc, Full((R * diagonal.sign().unsqueeze(-1)).mT), event_dim=1)


def product(p: GaussianMixture, q: GaussianMixture) -> GaussianMixture:
    """Return the density proportional to ``p(x) q(x)``, a mixture of N·M components.

    ``N(x; m, S) N(x; n, T) = N(m - n; 0, S + T) N(x; r, R)`` with ``R⁻¹ = S⁻¹ + T⁻¹`` and ``r = m + R T⁻¹ (n - m)``;
    the first factor, a number, is the product of the two densities over the fused one at r, where all three are
    largest.
    """
    if p.event_shape != q.event_shape:
        raise ValueError(f"the mixtures have event shapes {tuple(p.event_shape)} and {tuple(q.event_shape)}.")
    try:
        batch = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    except RuntimeError:
        raise ValueError(
            f"the mixtures have batch shapes {tuple(p.batch_shape)} and {tuple(q.batch_shape)}, which do not broadcast."
        ) from None
    N, M, D = p.components, q.components, p._loc.shape[-1]
    i, j = torch.arange(N, device=p._loc.device).repeat_interleave(M), torch.arange(M, device=p._loc.device).repeat(N)
    log_w, m, S = _components(p, batch, i)
    log_u, n, T = _components(q, batch, j)
    R, step = _fuse(S, T, n - m)
    r = m + step
    log_factor = _log_normal(r - m, S, D) + _log_normal(r - n, T, D) - _log_normal(torch.zeros_like(r), R, D)
    event_dim = len(p.event_shape)
    return p._new(log_w + log_u + log_factor, r if event_dim else r.squeeze(-1), R, event_dim=event_dim)


def _components(mixture: GaussianMixture, batch: torch.Size, index: Tensor) -> tuple[Tensor, Tensor, Covariance]:
    K = mixture.components
    covariance = mixture.covariance.expand((*batch, K))
    D = mixture._loc.shape[-1]
    log_w, loc = mixture.log_weights.expand(*batch, K), mixture._loc.expand(*batch, K, D)
    return log_w[..., index], loc[..., index, :], covariance.index(index)


def _fuse(S: Covariance, T: Covariance, offset: Tensor) -> tuple[Covariance, Tensor]:
    """Return R and ``R T⁻¹ offset``."""
    D = offset.shape[-1]
    if isinstance(S, Isotropic) and isinstance(T, Isotropic):
        v, u = S.variance, T.variance
        return Isotropic(v * (u / (v + u))), offset * (v / (v + u)).unsqueeze(-1)
    if isinstance(S, Isotropic | Diagonal) and isinstance(T, Isotropic | Diagonal):
        v, u = S.variances(D), T.variances(D)
        return Diagonal(v * (u / (v + u))), offset * (v / (v + u))
    Q = T.precision_matrix(D)
    factor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(S.precision_matrix(D) + Q)))
    R = Full(factor)
    return R, (R.dense(D) @ (Q @ offset.unsqueeze(-1))).squeeze(-1)


def _log_normal(x: Tensor, S: Covariance, D: int) -> Tensor:
    return -0.5 * S.whiten(x).square().sum(-1) - S.half_log_det(D) - 0.5 * D * math.log(2 * math.pi)
