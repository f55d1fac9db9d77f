"""Predicted probabilities of an event, such as rain, against whether it happened."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["ReliabilityBin", "brier_score", "reliability"]


@dataclass(frozen=True)
class ReliabilityBin:
    """What became of the predictions whose probability lies in one interval."""

    predicted: float
    """Mean of the predicted probabilities."""
    observed: float
    """Share of them that happened."""
    standard_error: float
    """Of ``observed`` where the probabilities p are right, ``sqrt(Σ p (1 - p)) / rows``."""
    rows: int
    """Predictions in the interval."""


def brier_score(probability: Tensor, happened: Tensor) -> Tensor:
    """Return the Brier score of every prediction, ``(p - 1{happened})²``: 0 is best, 0.25 is what ½ always earns.

    The probability that a mixture gives to ``y > threshold`` is ``1 - mixture.cdf(threshold)``; with an atom at zero
    and ``threshold = 0`` it is the probability of rain.

    Args:
        probability: of the event, any shape.
        happened: booleans of the same shape.

    Returns:
        In float64, of that shape.

    Raises:
        ValueError: where shapes differ, a probability is outside [0, 1], or ``happened`` holds no booleans.

    Source:
        Brier 1950, "Verification of forecasts expressed in terms of probability".

    Example:
        >>> import torch, mixtura as mx
        >>> wet = mx.GaussianMixture(torch.zeros(2, 1), torch.full((2, 1), 9.0), mx.Isotropic(1.0), event_dim=0)
        >>> rain = mx.AtomMixture(torch.tensor([0.75, 0.25]).log(), torch.zeros(1), wet)
        >>> brier_score(1 - rain.cdf(torch.zeros(2)), torch.tensor([0.0, 4.0]) > 0)
        tensor([0.0625, 0.5625], dtype=torch.float64)
    """
    p, happened = _checked(probability, happened)
    return (p - happened.double()).square()


def reliability(probability: Tensor, happened: Tensor, bins: int = 10) -> list[ReliabilityBin]:
    """Return how often events happened that were given about the same probability: the points of a reliability diagram.

    Args:
        probability: of the event, shape ``(n,)``.
        happened: booleans, shape ``(n,)``.
        bins: equal intervals of [0, 1], each with its left end, the last one with both.

    Returns:
        A row per interval that holds a prediction, from the lowest probability to the highest.

    Raises:
        ValueError: as :func:`brier_score`, or where bins is below 1.

    Source:
        Murphy & Winkler 1977, "Reliability of subjective probability forecasts of precipitation and temperature".

    Example:
        >>> import torch
        >>> p = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.9])
        >>> rows = reliability(p, torch.tensor([False, False, True, False, True]), bins=2)
        >>> [(round(row.predicted, 3), row.observed, row.rows) for row in rows]
        [(0.1, 0.25, 4), (0.9, 1.0, 1)]
    """
    p, happened = _checked(probability, happened)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}.")
    p, happened = p.flatten(), happened.flatten()
    which = (p * bins).long().clamp(max=bins - 1)
    rows = []
    for i in which.unique().tolist():
        inside, hits = p[which == i], happened[which == i].double()
        error = (inside * (1 - inside)).sum().sqrt() / len(inside)
        rows.append(ReliabilityBin(inside.mean().item(), hits.mean().item(), error.item(), len(inside)))
    return rows


def _checked(probability: Tensor, happened: Tensor) -> tuple[Tensor, Tensor]:
    if probability.shape != happened.shape or happened.dtype != torch.bool:
        raise ValueError(
            f"happened must hold a boolean for each of the probabilities, of shape {tuple(probability.shape)}, got "
            f"{happened.dtype} of shape {tuple(happened.shape)}."
        )
    p = probability.detach().double()
    if not bool(((p >= 0) & (p <= 1)).all()):
        raise ValueError("probability must lie in [0, 1].")
    return p, happened
