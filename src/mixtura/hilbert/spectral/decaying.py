"""The nuclear norm of a matrix whose singular values decay, from a few random directions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mixtura.hilbert.spectral.certificate import Certificate
from mixtura.hilbert.spectral.dense import dense

__all__ = ["decaying"]

_FIRST, _LARGEST = 128, 0.5
"""Directions to start with, and the share of all from which on a full decomposition is faster."""


def decaying(C: Tensor, tolerance: float) -> Certificate:
    r"""Return a certificate whose sides are ``tolerance`` apart, relative to the lower one.

    With k orthonormal columns V that span most of the rows of C, and what they leave, ``R = C - C V Vᵀ``,

    ``‖CV‖_* <= ‖C‖_* <= ‖CV‖_* + √(min(N, M - k)) ‖R‖_F``,  ``‖R‖_F² = ‖C‖_F² - ‖CV‖_F²``.

    V is the range of ``RᵀR RᵀΩ`` for a random Ω; k grows until the sides meet. R is kept, not its norm as a difference,
    so the certificate is as good as the entries of C. A spectrum that does not decay falls back on :func:`dense`.

    Source:
        Halko, Martinsson & Tropp 2011, "Finding structure with randomness", 4.5; Martinsson & Voronin 2016, "A
        randomized blocked algorithm for efficiently computing rank-revealing factorizations of matrices".
    """
    if C.dim() > 2:
        parts = [decaying(block, tolerance) for block in C.flatten(0, -3)]
        lower, upper, factor = (torch.stack([getattr(p, n) for p in parts]) for n in ("lower", "upper", "factor"))
        return Certificate(lower.view(C.shape[:-2]), upper.view(C.shape[:-2]), factor.view_as(C))
    if C.shape[0] < C.shape[1]:
        found = decaying(C.mT, tolerance)
        return Certificate(found.lower, found.upper, found.factor.mT)
    N, M = C.shape
    generator = torch.Generator(C.device).manual_seed(0)
    R, V, CV = C.clone(), C.new_empty(M, 0), C.new_empty(N, 0)
    norm, k, wanted = _norm(R), 0, _FIRST
    while wanted <= _LARGEST * M:
        W = _directions(R, V, wanted - k, generator)
        RW = R @ W
        R.addmm_(RW, W.T, alpha=-1)
        V, CV, k = torch.cat([V, W], 1), torch.cat([CV, RW], 1), wanted
        s, U = _singular(CV)
        lower, rest = s.sum(), _norm(R)
        excess = math.sqrt(M - k) * rest
        if excess <= tolerance * lower.item():
            inverse = torch.where(s > 0, 1 / s, 0.0)
            T = (U * inverse @ U.mT).to(C.dtype)
            return Certificate(lower, lower + excess, CV @ (V @ T).T)
        decay = math.log(norm / rest) / k  # for each direction, if it goes on as it did
        wanted = k + int(min(k, max(0.25 * k, 1.1 * math.log(excess / (tolerance * lower.item())) / max(decay, 1e-9))))
        if decay * (_LARGEST * M - k) < math.log(excess / (tolerance * lower.item())):
            break
    return dense(C)


def _directions(R: Tensor, V: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Return k orthonormal columns near the largest right singular vectors of R, which has none of V."""
    W = R.T @ torch.randn(R.shape[0], k, generator=generator, dtype=R.dtype, device=R.device)
    W = R.T @ (R @ torch.linalg.qr(W)[0])
    W = torch.linalg.qr(W)[0]
    return torch.linalg.qr(W - V @ (V.T @ W))[0]


def _singular(CV: Tensor) -> tuple[Tensor, Tensor]:
    """Return singular values, never above the true ones, and right singular vectors, in float64."""
    A = CV.double()
    squares, U = torch.linalg.eigh(A.T @ A)
    rounding = CV.shape[1] * torch.finfo(A.dtype).eps * squares[-1]
    return (squares - rounding).clamp_min(0).sqrt(), U


def _norm(R: Tensor) -> float:
    return torch.linalg.vector_norm(R, dtype=torch.float64).item()
