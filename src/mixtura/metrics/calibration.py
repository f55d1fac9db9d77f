"""Whether predicted probabilities are the frequencies of what happens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from mixtura.distributions import GaussianMixture
from mixtura.metrics.scores import check_rows

__all__ = ["Coverage", "coverage", "pit"]


@dataclass(frozen=True)
class Coverage:
    """How often the truth fell into the central intervals of one level."""

    level: float
    """Probability that the intervals are meant to hold."""
    observed: float
    """Share of the rows whose truth they hold."""
    standard_error: float
    """Of ``observed`` where the intervals are right, ``sqrt(level (1 - level) / n)``: never zero, even if all hit."""
    mean_width: float
    """Mean width of the intervals in the target's units."""
    target: int = 0
    """Which of the targets."""


def pit(mixture: GaussianMixture, y: Tensor) -> Tensor:
    """Return the probability integral transform F(y) of every row, of each target by itself.

    It is uniform on [0, 1] where the distributions are right (Dawid 1984, "Statistical theory: the prequential
    approach").

    Args:
        mixture: one distribution per row, batch_shape B and event_shape ``()`` or ``(T,)``.
        y: what happened, shape ``(*B, *event_shape)``.

    Raises:
        ValueError: where y has another shape.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(2, 1), torch.zeros(2, 1), mx.Isotropic(1.0), event_dim=0)
        >>> pit(q, torch.tensor([0.0, 1.0]))
        tensor([0.5000, 0.8413])
    """
    check_rows(mixture, y)
    return mixture.cdf(y)


def coverage(mixture: GaussianMixture, y: Tensor, levels: Sequence[float] = (0.5, 0.8, 0.9, 0.95)) -> list[Coverage]:
    """Return how often y lies in the central intervals ``[F⁻¹((1 - level)/2), F⁻¹((1 + level)/2)]``.

    Args:
        mixture: one distribution per row, batch_shape B and event_shape ``()`` or ``(T,)``.
        y: what happened, shape ``(*B, *event_shape)``.
        levels: probabilities, strictly between 0 and 1.

    Returns:
        One row per target and level, target by target.

    Raises:
        ValueError: where y has another shape, has no rows, or a level is not strictly between 0 and 1.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(4, 1), torch.zeros(4, 1), mx.Isotropic(1.0), event_dim=0)
        >>> [row] = coverage(q, torch.tensor([-2.0, 0.0, 1.0, 1.5]), levels=[0.9])
        >>> row.observed, round(row.mean_width, 3)
        (0.75, 3.29)
    """
    check_rows(mixture, y)
    T = mixture.event_shape.numel()
    if not y.numel():
        raise ValueError("y has no rows, so there is no coverage.")
    n, rows = y.numel() // T, []
    for level in levels:
        if not 0 < level < 1:
            raise ValueError(f"levels must lie strictly between 0 and 1, got {level}.")
        low, high = (mixture.icdf(y.new_full(y.shape, (1 + sign * level) / 2)) for sign in (-1, 1))
        inside = ((low <= y) & (y <= high)).reshape(n, T).double().mean(0).tolist()
        width = (high - low).reshape(n, T).double().mean(0).tolist()
        error = math.sqrt(level * (1 - level) / n)
        rows += [Coverage(level, inside[t], error, width[t], t) for t in range(T)]
    return sorted(rows, key=lambda row: row.target)
