"""Scores of quantiles and of intervals."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["interval_score", "pinball"]


def pinball(y: Tensor, quantiles: Tensor, levels: Sequence[float]) -> Tensor:
    """Return the pinball loss ``max(τ (y - q), (τ - 1) (y - q))`` of quantiles, in the target's units; lower is better.

    Twice its mean over all levels τ from 0 to 1 is the CRPS.

    Args:
        y: what happened, any shape S.
        quantiles: predicted, shape ``(*S, len(levels))``.
        levels: probabilities τ, strictly between 0 and 1.

    Returns:
        Losses of the shape of ``quantiles``.

    Raises:
        ValueError: where shapes do not fit or a level is not strictly between 0 and 1.

    Source:
        Koenker & Bassett 1978, "Regression quantiles".

    Example:
        >>> import torch
        >>> pinball(torch.tensor([1.0]), torch.tensor([[0.0, 3.0]]), [0.1, 0.9])
        tensor([[0.1000, 0.2000]])
    """
    for level in levels:
        _check(level, "levels")
    if tuple(quantiles.shape) != (*y.shape, len(levels)):
        raise ValueError(
            f"quantiles has shape {tuple(quantiles.shape)}; one per value of y and level is {(*y.shape, len(levels))}."
        )
    tau = torch.as_tensor(levels, dtype=y.dtype, device=y.device)
    error = y.unsqueeze(-1) - quantiles
    return torch.maximum(tau * error, (tau - 1) * error)


def interval_score(y: Tensor, low: Tensor, high: Tensor, coverage: float) -> Tensor:
    """Return the interval score, the width and ``2 / (1 - coverage)`` times the distance by which y misses, in the
    target's units; lower is better.

    The central interval of the right distribution minimises its mean.

    Args:
        y: what happened, any shape.
        low: left ends, of the same shape.
        high: right ends, of the same shape.
        coverage: probability that the intervals are meant to hold, strictly between 0 and 1.

    Raises:
        ValueError: where shapes differ, a left end lies right of its right end, or coverage is not strictly between 0
            and 1.

    Source:
        Winkler 1972, "A decision-theoretic approach to interval estimation".

    Example:
        >>> import torch
        >>> interval_score(torch.tensor([0.5, 3.0]), torch.zeros(2), torch.ones(2), coverage=0.9)
        tensor([ 1., 41.])
    """
    _check(coverage, "coverage")
    if not y.shape == low.shape == high.shape:
        raise ValueError(
            f"y, low and high must have one shape, got {tuple(y.shape)}, {tuple(low.shape)} and {tuple(high.shape)}."
        )
    if bool((low > high).any()):
        raise ValueError("low lies right of high in some interval: exchange the ends.")
    return high - low + 2 / (1 - coverage) * ((low - y).clamp_min(0) + (y - high).clamp_min(0))


def _check(level: float, name: str) -> None:
    if not 0 < level < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {level}.")
