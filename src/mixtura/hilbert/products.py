"""Products of matrices of which half of the work is enough."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["squares", "times_lower", "times_upper"]

_STRIP = 128
"""Columns that are multiplied at once."""


def squares(C: Tensor) -> Tensor:
    """Return ``CᵀC``, shape ``(*B, M, M)``."""
    if C.dim() == 2 and C.device.type == "cpu":
        return torch.from_numpy(C.numpy().T @ C.numpy())  # numpy sees the symmetry and does half of the work
    return C.mT @ C


def times_upper(A: Tensor, U: Tensor) -> Tensor:
    """Return ``A U`` for an upper triangular U, without most of its zeros."""
    return torch.cat([A[:, : i.stop] @ U[: i.stop, i] for i in _strips(U)], 1)


def times_lower(A: Tensor, L: Tensor) -> Tensor:
    """Return ``A L`` for a lower triangular L, without most of its zeros."""
    return torch.cat([A[:, i.start :] @ L[i.start :, i] for i in _strips(L)], 1)


def _strips(T: Tensor) -> list[slice]:
    M = T.shape[-1]
    return [slice(i, min(i + _STRIP, M)) for i in range(0, M, _STRIP)]
