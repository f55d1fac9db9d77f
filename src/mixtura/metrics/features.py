"""Samples as the metrics want them: rows of finite numbers in float64."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

__all__ = ["as_pair", "as_rows", "distance_blocks", "fixed_choice"]

_PAIRS = 2**22
"""Distances held at a time: 32 MiB."""
_EXACT = 16
"""Dimensions up to which distances are taken by differences; beyond, by a matrix product of centred rows."""


def as_rows(x: Tensor, name: str, least: int = 1) -> Tensor:
    """Return x as ``(N, D)`` in float64 without gradient; images are flattened.

    Raises:
        ValueError: where x has fewer than ``least`` rows, no features, or holds NaN or infinity.
    """
    if x.dim() < 2 or len(x) < least or x[0].numel() == 0:
        raise ValueError(
            f"{name} must hold one sample per row, shape (N, D) with N >= {least} and D >= 1, got {tuple(x.shape)}."
        )
    if x.is_complex() or not bool(torch.isfinite(x).all()):
        raise ValueError(f"{name} must hold finite real numbers, but has NaN, infinity or complex values: remove them.")
    return x.detach().flatten(1).double()


def as_pair(a: Tensor, b: Tensor, names: tuple[str, str], least: int = 1) -> tuple[Tensor, Tensor]:
    """Return both as rows in the same space.

    Raises:
        ValueError: as :func:`as_rows`, or where the numbers of features differ.
    """
    rows, others = as_rows(a, names[0], least), as_rows(b, names[1], least)
    if rows.shape[1] != others.shape[1]:
        raise ValueError(
            f"{names[0]} and {names[1]} must have the same features, got {rows.shape[1]} and {others.shape[1]}."
        )
    return rows, others


def distance_blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield Euclidean distances of a few rows of a at a time to all rows of b, with the slice of those rows."""
    step = max(1, _PAIRS // len(b))
    if a.shape[1] <= _EXACT:
        for start in range(0, len(a), step):
            rows = slice(start, start + step)
            yield rows, torch.cdist(a[rows], b, compute_mode="donot_use_mm_for_euclid_dist")
        return
    mean = b.mean(0)
    b = b - mean
    norms = b.square().sum(-1)
    for start in range(0, len(a), step):
        rows = slice(start, start + step)
        x = a[rows] - mean
        squares = torch.addmm(norms, x, b.mT, alpha=-2).add_(x.square().sum(-1, keepdim=True))
        yield rows, squares.clamp_min_(0).sqrt_()


def fixed_choice(x: Tensor, rows: int) -> Tensor:
    """Return at most so many rows of x, a random choice that is always the same."""
    if len(x) <= rows:
        return x
    generator = torch.Generator().manual_seed(0)
    return x[torch.randperm(len(x), generator=generator)[:rows].to(x.device)]
