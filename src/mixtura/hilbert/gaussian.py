"""Inner products of Gaussians, ``<p_i, q_j> = N(m_i - m'_j; 0, S_i + S'_j)``."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mixtura.distributions import Covariance, Diagonal, GaussianMixture, Isotropic, LowRank
from mixtura.hilbert.distances import squared_distances
from mixtura.hilbert.form import Form, Parts, full_rank, vectors

__all__ = ["diagonal", "full", "gaussian_form", "isotropic", "low_rank"]

_LOG_2PI = math.log(2 * math.pi)
_LARGEST_WHITE = 64.0  # whitened coordinates up to here keep their differences in float32


def gaussian_form(p: GaussianMixture, q: GaussianMixture, dtype: torch.dtype) -> Form:
    """Return the closed form of two Gaussian mixtures with parts in ``dtype`` (or a wider one, where that is needed).

    ========================  =======================================================
    covariances               form
    ========================  =======================================================
    both isotropic            :func:`isotropic`
    both tied, of any kind    :func:`isotropic` in coordinates that whiten ``S + S'``
    diagonal or isotropic     :func:`diagonal`
    these or low-rank         :func:`low_rank`
    any other                 :func:`full`
    ========================  =======================================================
    """
    B = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    N, M, D = p.components, q.components, vectors(p).shape[-1]
    x, y = (full_rank(vectors(m).to(dtype), len(B), 2) for m in (p, q))
    kinds = (p.covariance, q.covariance)
    if all(isinstance(c, Isotropic) for c in kinds):
        v, u = (full_rank(c.parameter.to(dtype), len(B), 1) for c in kinds)
        return Form(isotropic, (x, v), (y, u), B, N, M, 1, isotropic=True)
    if all(isinstance(c, Isotropic | Diagonal) for c in kinds):
        v, u = (full_rank(c.variances(D).to(dtype), len(B), 2) for c in kinds)
        if v.shape[-2] == u.shape[-2] == 1:
            return _whitened(p, q, B, dtype)
        return Form(diagonal, (x, v), (y, u), B, N, M, D)
    if all(isinstance(c, Isotropic | Diagonal | LowRank) for c in kinds):
        P, Q = (_low_rank_parts(m, len(B), dtype) for m in (p, q))
        return Form(low_rank, (x, *P), (y, *Q), B, N, M, D * (P[0].shape[-1] + Q[0].shape[-1]))
    if all(_is_tied(c) for c in kinds):
        return _whitened(p, q, B, dtype)
    S, T = (full_rank(_dense(m), len(B), 3) for m in (p, q))
    return Form(full, (x, S), (y, T), B, N, M, D * D)


def isotropic(P: Parts, Q: Parts) -> Tensor:
    """Return ``-½ [‖x_i - y_j‖² / s + D log 2πs]`` with ``s = v_i + v'_j`` for parts ``(x, v)`` and ``(y, v')``.

    A third part of p, if there is one, is added to the logs.
    """
    x, v, *extra = P
    y, u = Q
    s = v.unsqueeze(-1) + u.unsqueeze(-2)
    logs = -0.5 * (squared_distances(x, y, s) / s + x.shape[-1] * (s.log() + _LOG_2PI))
    return logs + extra[0].unsqueeze(-1) if extra else logs


def diagonal(P: Parts, Q: Parts) -> Tensor:
    """Return ``-½ Σ_d [(x_id - y_jd)² / s_d + log 2πs_d]`` with ``s = v_i + v'_j``, all of shape ``(*, D)``."""
    (x, v), (y, u) = P, Q
    s = v.unsqueeze(-2) + u.unsqueeze(-3)  # (*B, N or 1, M or 1, D)
    square = (x.unsqueeze(-2) - y.unsqueeze(-3)).square()
    return -0.5 * ((square / s).sum(-1) + s.log().sum(-1) + x.shape[-1] * _LOG_2PI)


def low_rank(P: Parts, Q: Parts) -> Tensor:
    """Return ``log N(x_i - y_j; 0, [F_i, F'_j][F_i, F'_j]ᵀ + diag(v_i + v'_j))`` for parts ``(x, F, v)``.

    The sum of two low-rank covariances is one, with the factors side by side: no D x D matrix is formed.
    """
    (x, F, v), (y, H, u) = P, Q
    F, H = F.unsqueeze(-3), H.unsqueeze(-4)  # (*B, N or 1, 1, D, r) and (*B, 1, M or 1, D, r')
    lead = torch.broadcast_shapes(F.shape[:-1], H.shape[:-1])
    S = LowRank(
        torch.cat([F.expand(*lead, F.shape[-1]), H.expand(*lead, H.shape[-1])], -1), v.unsqueeze(-2) + u.unsqueeze(-3)
    )
    D = x.shape[-1]
    z = S.whiten(x.unsqueeze(-2) - y.unsqueeze(-3))  # (*B, N, M, D + r + r')
    return -0.5 * z.square().sum(-1) - S.half_log_det(D) - 0.5 * D * _LOG_2PI


def full(P: Parts, Q: Parts) -> Tensor:
    """Return ``-½ ‖L⁻¹(x_i - y_j)‖² - log det L - ½ D log 2π`` with ``L Lᵀ = S_i + S'_j``; factors in float64."""
    (x, S), (y, T) = P, Q
    L = torch.linalg.cholesky(S.unsqueeze(-3) + T.unsqueeze(-4))  # (*B, N or 1, M or 1, D, D)
    d = (x.unsqueeze(-2) - y.unsqueeze(-3)).to(L.dtype)  # (*B, N, M, D)
    if L.shape[-4] == L.shape[-3] == 1:
        z = torch.linalg.solve_triangular(L.squeeze(-4), d.mT, upper=False).mT
    elif L.shape[-4] == 1:  # one factor for each j: its right-hand sides are the rows i
        z = torch.linalg.solve_triangular(L.squeeze(-4), d.movedim(-3, -1), upper=False).movedim(-1, -3)
    elif L.shape[-3] == 1:
        z = torch.linalg.solve_triangular(L.squeeze(-3), d.mT, upper=False).mT
    else:
        z = torch.linalg.solve_triangular(L, d.unsqueeze(-1), upper=False).squeeze(-1)
    half_log_det = L.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return -0.5 * z.square().sum(-1) - half_log_det - 0.5 * x.shape[-1] * _LOG_2PI


def _whitened(p: GaussianMixture, q: GaussianMixture, B: torch.Size, dtype: torch.dtype) -> Form:
    """Return the isotropic form with ``s = 1`` in the coordinates ``L⁻¹ x``, where ``L Lᵀ = S + S'`` is tied."""
    x, y = (full_rank(vectors(m).double(), len(B), 2) for m in (p, q))
    D = x.shape[-1]
    center = x.mean(-2, keepdim=True).detach()
    if isinstance(p.covariance, Isotropic | Diagonal) and isinstance(q.covariance, Isotropic | Diagonal):
        v, u = (full_rank(m.covariance.variances(D).double(), len(B), 2) for m in (p, q))
        scale = (v + u).sqrt()  # (*B, 1, D)
        x, y = (x - center) / scale, (y - center) / scale
        half_log_det = scale.log().sum(-1)  # (*B, 1)
    else:
        S, T = (full_rank(_dense(m), len(B), 3) for m in (p, q))
        L = torch.linalg.cholesky(S + T).squeeze(-3)  # (*B, D, D)
        x, y = (torch.linalg.solve_triangular(L, (a - center).mT, upper=False).mT for a in (x, y))
        half_log_det = L.diagonal(dim1=-2, dim2=-1).log().sum(-1, keepdim=True)
    if dtype != torch.float64 and max(x.detach().abs().amax(), y.detach().abs().amax()) <= _LARGEST_WHITE:
        x, y = x.to(dtype), y.to(dtype)
    half = x.new_full((1,) * (len(B) + 1), 0.5)
    return Form(isotropic, (x, half, -half_log_det), (y, half), B, p.components, q.components, 1, isotropic=True)


def _low_rank_parts(p: GaussianMixture, batch_dims: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the factor, of no columns where there is none, and the diagonal."""
    S, D = p.covariance, vectors(p).shape[-1]
    v = S.diagonal if isinstance(S, LowRank) else S.variances(D)
    F = S.factor if isinstance(S, LowRank) else v.new_empty((*v.shape, 0))
    return full_rank(F.to(dtype), batch_dims, 3), full_rank(v.to(dtype), batch_dims, 2)


def _is_tied(covariance: Covariance) -> bool:
    return not covariance.batch_shape or covariance.batch_shape[-1] == 1


def _dense(p: GaussianMixture) -> Tensor:
    """Covariance matrices in float64: a sum of squares of factors needs twice the digits of the factors."""
    return p.covariance.to(p.loc.new_empty((), dtype=torch.float64)).dense(vectors(p).shape[-1])
