"""Inner products within the other families: Laplace, Cauchy and von Mises."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mixtura.distributions import CauchyMixture, LaplaceMixture, Mixture, VonMisesMixture
from mixtura.distributions.circular import log_i0e
from mixtura.hilbert.distances import squared_distances
from mixtura.hilbert.form import Form, Parts, full_rank, vectors

__all__ = ["cauchy_form", "laplace_form", "smoothed_laplace_form", "von_mises_form"]

_SERIES = 0.3
"""From here on the closed form of the second divided difference of ``e^-x`` has its digits, below the series has."""


def laplace_form(p: LaplaceMixture, q: LaplaceMixture, dtype: torch.dtype) -> Form:
    """Return the closed form of two Laplace mixtures, a product over coordinates; see :func:`laplace`."""
    return _form(laplace, p, q, dtype, own=2)


def smoothed_laplace_form(form: Form, scale: Tensor) -> Form:
    """Return the form of ``log <p_i * k, q_j>`` from that of ``log <p_i, q_j>``; see :func:`smoothed_laplace`.

    Args:
        form: of two Laplace mixtures.
        scale: of the Laplace density k in every coordinate, a positive number.
    """
    c = full_rank(scale.to(form.P[0]), len(form.batch_shape), 2)
    return dataclasses.replace(form, kernel=smoothed_laplace, P=(*form.P, c))


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
    a = _absolute(x.unsqueeze(-2) - y.unsqueeze(-3))  # (*B, N, M, D)
    s, t = _descending(b.unsqueeze(-2), c.unsqueeze(-3))
    return (-a / s + torch.log1p(a / s * _phi(a / t * ((s - t) / s))) - (2 * (s + t)).log()).sum(-1)


def smoothed_laplace(P: Parts, Q: Parts) -> Tensor:
    """Return the log-density of a sum of three Laplace variables at ``m_i - m'_j``, a product over coordinates.

    With ``a = |m_id - m'_jd|`` it is ``Σ_k b_k³ e^(-a/b_k) / 2 Π_l (b_k² - b_l²)`` for scales that differ, which is the
    second divided difference of ``e^(-aα) Π_l α_l² / (α + α_l)`` at the rates ``α_k = 1/b_k``. By Leibniz' rule that is
    a sum of positive terms, in which nothing cancels and equal scales are no special case: for ``s >= m >= t``

        ``e^(-a/s) [(sm + st + mt) (1 + (a/s) φ(h)) + a² ψ(h, h') t (s + m)/(sm)] / 2(s + m)(s + t)(m + t)``

    where ``h = a/m - a/s``, ``h' = a/t - a/s``, ``φ(h) = (1 - e^-h) / h``, and ψ is the second divided difference of
    ``e^-x`` at 0, h and h'.

    Args:
        P: locations, scales, and the scale of the density that p is convolved with.
        Q: locations and scales.
    """
    (x, b, k), (y, c) = P, Q
    a = _absolute(x.unsqueeze(-2) - y.unsqueeze(-3))  # (*B, N, M, D)
    s, t = _descending(b.unsqueeze(-2), c.unsqueeze(-3))
    s, m = _descending(s, k.unsqueeze(-2))
    m, t = _descending(m, t)
    u, r, q = a / s, m / s, t / s
    h, step, whole = (a / low * ((high - low) / high) for high, low in ((s, m), (m, t), (s, t)))
    second = u * _psi(h, step, whole) * (t / m) * (1 + r) / (r + q + r * q)
    log_peak = torch.log1p(r * q / (r + q)) - torch.log1p(r) - torch.log1p(q) - (2 * s).log()
    return (torch.log1p(u * (_phi(h) + second)) - u + log_peak).sum(-1)


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


def _psi(h: Tensor, step: Tensor, whole: Tensor) -> Tensor:
    """Return ``(φ(h) - e^-h φ(step)) / whole`` with ``whole = h + step``, ½ at zero.

    Where that cancels it is ``e^-p Σ_n (-1)ⁿ H_n / (n + 2)!`` with p the mean of the points 0, h and whole, and
    ``H_n = A H_(n-2) + B H_(n-3)`` the complete homogeneous polynomial of their distances to p.
    """
    small = whole < _SERIES
    x, d = (torch.where(small, z, 0.0) for z in (h, step))
    p = (2 * x + d) / 3
    A, B = (x * x + x * d + d * d) / 3, p * (x - p) * (p - x - d)
    even = 1 / 2 + A * (1 / 24 + A * (1 / 720 + A * (1 / 40320 + A / 3628800)))
    odd = 1 / 120 + A * (1 / 2520 + A / 120960) - B * (1 / 40320 + A / 1209600)
    closed = (_phi(h) - torch.exp(-h) * _phi(step)) / torch.where(small, 1.0, whole)
    return torch.where(small, torch.exp(-p) * (even - B * odd), closed)


def _absolute(d: Tensor) -> Tensor:
    """Return ``|d|``, whose second derivative in an even function of d that is smooth at 0 is right."""
    return d * torch.where(d < 0, -1.0, 1.0)


def _descending(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return the larger and the smaller one; equal ones keep their places, and so their second derivatives."""
    first = a >= b
    return torch.where(first, a, b), torch.where(first, b, a)


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
