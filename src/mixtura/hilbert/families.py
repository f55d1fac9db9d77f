"""Inner products within the other families: Laplace, Cauchy and von Mises."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mixtura.distributions import CauchyMixture, LaplaceMixture, Mixture, VonMisesMixture
from mixtura.distributions.circular import log_i0e
from mixtura.hilbert.distances import squared_distances
from mixtura.hilbert.form import Form, Parts, full_rank, vectors

__all__ = ["cauchy_form", "laplace_form", "von_mises_form"]


def laplace_form(p: LaplaceMixture, q: LaplaceMixture, dtype: torch.dtype) -> Form:
    """Return the closed form of two Laplace mixtures, a product over coordinates; see :func:`laplace`."""
    return _form(laplace, p, q, dtype, own=2)


def cauchy_form(p: CauchyMixture, q: CauchyMixture, dtype: torch.dtype) -> Form:
    """Return the closed form of two isotropic Cauchy mixtures; see :func:`cauchy`."""
    return _form(cauchy, p, q, dtype, own=1)


def von_mises_form(p: VonMisesMixture, q: VonMisesMixture, dtype: torch.dtype) -> Form:
    """Return the closed form of two von Mises mixtures, a product over angles; see :func:`von_mises`."""
    return _form(von_mises, p, q, dtype, own=2)


def laplace(P: Parts, Q: Parts) -> Tensor:
    """Return ``log Π_d (b e^(-a/b) - b' e^(-a/b')) / 2(b² - b'²)`` with ``a = |m_id - m'_jd|``, for parts ``(m, b)``.

    With s the larger and t the smaller scale it is ``-a/s + log1p((a/s) φ(h)) - log 2(s + t)`` where
    ``h = a (s - t) / (s t)`` and ``φ(h) = (1 - e^-h) / h``, in which nothing cancels and ``s = t`` is no special case.
    """
    (x, b), (y, c) = P, Q
    d = x.unsqueeze(-2) - y.unsqueeze(-3)  # (*B, N, M, D)
    a = d * torch.where(d < 0, -1.0, 1.0)  # |d| whose second derivative at 0 is that of the smooth function of d
    b, c = b.unsqueeze(-2), c.unsqueeze(-3)
    s, t = torch.maximum(b, c), torch.minimum(b, c)
    return (-a / s + torch.log1p(a / s * _phi(a / t * ((s - t) / s))) - (2 * (s + t)).log()).sum(-1)


def cauchy(P: Parts, Q: Parts) -> Tensor:
    """Return the log-density of ``m_i - m'_j`` under a Cauchy distribution of scale ``g = γ_i + γ'_j``.

    ``Γ(a) π^-a g (g² + ‖m_i - m'_j‖²)^-a`` with ``a = (D + 1)/2``: characteristic functions ``e^(-γ|t|)`` multiply, so
    scales add. For parts ``(m, γ)``.
    """
    (x, v), (y, u) = P, Q
    g = v.unsqueeze(-1) + u.unsqueeze(-2)
    a = 0.5 * (x.shape[-1] + 1)
    unit = g.detach().amin()  # in which squares neither vanish nor overflow where it matters
    ratio = squared_distances(x / unit, y / unit, torch.ones_like(g)) * (unit / g).square()
    return math.lgamma(a) - a * math.log(math.pi) + (1 - 2 * a) * g.log() - a * torch.log1p(ratio)


def von_mises(P: Parts, Q: Parts) -> Tensor:
    """Return ``Σ_d log I0(R) / (2π I0(κ) I0(κ'))`` with ``R = |κ e^(i m) + κ' e^(i m')|``, for parts ``(m, κ)``.

    From ``R² = (κ - κ')² + 4κκ' cos²(d/2)`` and ``κ + κ' - R = 4κκ' sin²(d/2) / (κ + κ' + R)`` nothing cancels.
    """
    (x, k), (y, c) = P, Q
    half = 0.5 * (x.unsqueeze(-2) - y.unsqueeze(-3))  # (*B, N, M, D)
    k, c = k.unsqueeze(-2), c.unsqueeze(-3)
    square = (k - c).square() + 4 * k * c * half.cos().square()
    zero = square == 0  # equal and opposite: the root has no derivative there, the even function of R has derivative 0
    R = torch.where(zero, 0.0, torch.where(zero, 1.0, square).sqrt())
    total = k + c + R
    gap = 4 * k * c * half.sin().square() / torch.where(total == 0, 1.0, total)
    return (log_i0e(R) - log_i0e(k) - log_i0e(c) - gap - math.log(2 * math.pi)).sum(-1)


def _phi(h: Tensor) -> Tensor:
    """Return ``(1 - e^-h) / h``, 1 at h = 0."""
    small = h < (1e-2 if h.dtype == torch.float32 else 1e-3)
    series = 1 - h / 2 * (1 - h / 3 * (1 - h / 4 * (1 - h / 5)))
    safe = torch.where(small, 1.0, h)
    return torch.where(small, torch.where(small, series, 1.0), -torch.expm1(-safe) / safe)


def _form(
    kernel: Callable[[Parts, Parts], Tensor], p: Mixture[Any], q: Mixture[Any], dtype: torch.dtype, own: int
) -> Form:
    """Return the form whose parts are locations and spreads, the latter with ``own`` dimensions beside the batch."""
    B = torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    P, Q = (_parts(m, dtype, len(B), own) for m in (p, q))
    return Form(kernel, P, Q, B, p.components, q.components, P[0].shape[-1] if own == 2 else 1)


def _parts(p: Mixture[Any], dtype: torch.dtype, batch_dims: int, own: int) -> Parts:
    loc, spread = vectors(p).to(dtype), p._spread.parameter.to(dtype)
    return full_rank(loc, batch_dims, 2), full_rank(spread, batch_dims, own)
