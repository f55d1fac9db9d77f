"""Bessel functions, distribution function and draws of the von Mises distribution, right for κ from 0 to 1e6 and on."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["draw_angles", "log_i0e", "mean_resultant", "von_mises_cdf", "wrap"]

_LARGE = 30.0
"""From here the asymptotic series in 1/κ are exact to rounding with ``_TERMS`` terms."""
_TERMS = 16
_HARMONICS = 56
"""Below, this many terms of the Fourier series are."""


def wrap(angle: Tensor) -> Tensor:
    """Return the same angle in [-π, π)."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def log_i0e(kappa: Tensor) -> Tensor:
    """Return ``log I_0(κ) - κ`` for κ >= 0; by torch.special.i0 or, for large κ, by the asymptotic series (DLMF
    10.40.1), whose derivative keeps its digits."""
    small, large = kappa.clamp(max=_LARGE), kappa.clamp(min=_LARGE)
    series = torch.ones_like(large)
    for n in range(_TERMS, 0, -1):
        series = 1 + (2 * n - 1) ** 2 / (8 * n * large) * series
    return torch.where(
        kappa < _LARGE, torch.special.i0(small).log() - small, series.log() - 0.5 * (2 * math.pi * large).log()
    )


def mean_resultant(kappa: Tensor) -> Tensor:
    """Return ``A(κ) = I_1(κ) / I_0(κ)``, the length of the mean of exp(ix)."""
    return torch.special.i1e(kappa) / torch.special.i0e(kappa)


def von_mises_cdf(angle: Tensor, kappa: Tensor) -> Tensor:
    """Return ``∫_{-π}^x exp(κ cos t) / 2π I_0(κ) dt``, which grows by one with every turn of x."""
    turns = torch.round(angle.detach() / (2 * math.pi))
    x = angle - 2 * math.pi * turns
    x, kappa = torch.broadcast_tensors(x, kappa)
    small = kappa < _LARGE
    if bool(small.all()):
        return turns + _fourier(x, kappa)
    if not bool(small.any()):
        return turns + _asymptotic(x, kappa)
    return turns + torch.where(small, _fourier(x, kappa.clamp(max=_LARGE)), _asymptotic(x, kappa.clamp(min=_LARGE)))


def _fourier(x: Tensor, kappa: Tensor) -> Tensor:
    """``½ + x/2π + (1/π) Σ_n I_n/I_0 sin(nx)/n`` with the ratios ``I_n/I_{n-1}`` by backward recursion (Hill 1977,
    "Algorithm 518")."""
    s, c = x.sin(), x.cos()
    sn, cn = ((_HARMONICS + 1) * x).sin(), ((_HARMONICS + 1) * x).cos()
    ratio, total = torch.zeros_like(x), torch.zeros_like(x)
    for n in range(_HARMONICS, 0, -1):
        sn, cn = sn * c - cn * s, cn * c + sn * s
        ratio = kappa / (2 * n + kappa * ratio)
        total = ratio * (sn / n + total)
    return (0.5 + x / (2 * math.pi) + total / math.pi).clamp(0, 1)


def _asymptotic(x: Tensor, kappa: Tensor) -> Tensor:
    """With ``y = -2√κ sin(x/2)`` the density is that of a normal y times ``(1 - y²/4κ)^(-½)``, whose binomial series is
    integrated term by term: ``T_n(y) = ∫_y^∞ t^2n exp(-t²/2) dt = (2n-1) T_{n-1} + y^(2n-1) exp(-y²/2)``."""
    sine = (x / 2).sin()
    y = -2 * kappa.sqrt() * sine
    term, whole = math.sqrt(math.pi / 2) * torch.erfc(y * 0.5**0.5), torch.full_like(y, math.sqrt(2 * math.pi))
    edge = y * (-0.5 * y.square()).exp() / (4 * kappa)
    total, norm = term, whole
    for n in range(1, _TERMS + 1):
        edge = edge * (2 * n - 1) / (2 * n) * (sine.square() if n > 1 else 1)
        growth = (2 * n - 1) ** 2 / (8 * n * kappa)
        term, whole = growth * term + edge, growth * whole
        total, norm = total + term, norm + whole
    return (total / norm).clamp(0, 1)


def draw_angles(kappa: Tensor) -> Tensor:
    """Draw angles around zero by the rejection of Best & Fisher (1979), in terms that do not cancel at any κ >= 0."""
    k = kappa.double()
    s = (1 + 4 * k.square()).sqrt()
    tau = 1 + s
    width = tau + (2 * tau).sqrt()
    rho = 2 * k / width
    gap = (1 + 1 / (s + 2 * k) + (2 * tau).sqrt()) / width  # 1 - ρ
    angle, pending = torch.full_like(k, math.nan), ~k.isnan()
    while bool(pending.any()):
        u1, u2, u3 = torch.rand(3, *k.shape, dtype=k.dtype, device=k.device)
        rise = 2 * (0.5 * math.pi * u1).sin().square()  # 1 - z with z = cos πu₁
        drop = gap.square() * rise / (1 + rho.square() + 2 * rho * (1 - rise))  # 1 - f
        c = 0.25 * width * gap.square() + k * drop
        proposal = 2 * (0.5 * drop).sqrt().clamp(max=1).asin()
        accepted = pending & ((c / u2).log() + 1 - c >= 0)
        angle = torch.where(accepted, torch.where(u3 < 0.5, -proposal, proposal), angle)
        pending = pending & ~accepted
    return angle.to(kappa)
