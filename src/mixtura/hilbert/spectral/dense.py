"""The nuclear norm from a full singular value decomposition."""

from __future__ import annotations

import torch
from torch import Tensor

from mixtura.hilbert.spectral.certificate import Certificate

__all__ = ["dense"]

_SMALL = 2**18
"""Entries up to which float32 is decomposed in float64, as that costs little."""


def dense(C: Tensor) -> Certificate:
    """Return the sum of the singular values, with the error of LAPACK: a few ε times the largest of them.

    The factor is ``U Vᵀ`` without the directions whose singular values are rounding.
    """
    A = C.double() if C.shape[-2] * C.shape[-1] <= _SMALL else C
    U, s, Vh = _decompose(A)
    in_range = s > 10 * torch.finfo(A.dtype).eps * s[..., :1]
    value = s.double().sum(-1)
    return Certificate(value, value, ((U * in_range.unsqueeze(-2)) @ Vh).to(C.dtype))


def _decompose(A: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the singular value decomposition; LAPACK's fastest way fails for a few matrices, not for their mirrors."""
    try:
        U, s, Vh = torch.linalg.svd(A, full_matrices=False)
        return U, s, Vh
    except RuntimeError:
        V, s, Uh = torch.linalg.svd(A.flip(-2).mT, full_matrices=False)
        return Uh.mT.flip(-2), s, V.mT
