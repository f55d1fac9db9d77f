"""Whether predicted probabilities are the frequencies of what happens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mixtura.distributions import AtomMixture, Mixture
from mixtura.metrics.scores import check_rows

__all__ = ["Coverage", "PitTest", "coverage", "pit", "pit_test"]


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


@dataclass(frozen=True)
class PitTest:
    """Kolmogorov–Smirnov test of the values of one target's probability integral transform against uniformity."""

    statistic: float
    """Largest distance between their distribution function and that of the uniform distribution."""
    p_value: float
    """Probability of a distance as large or larger where the distributions are right and the rows independent."""
    target: int = 0
    """Which of the targets."""


def pit(mixture: Mixture[Any] | AtomMixture, y: Tensor, seed: int = 0) -> Tensor:
    """Return the probability integral transform F(y) of every row, of each target by itself.

    It is uniform on [0, 1] where the distributions are right (Dawid 1984, "Statistical theory: the prequential
    approach"). At an atom F jumps, and the value is drawn between ``F(y) - P(y)`` and ``F(y)``, which keeps it uniform
    (Smith 1985, "Diagnostic checks of non-standard time series models").

    Args:
        mixture: one distribution per row, of any family, batch_shape B and event_shape ``()`` or ``(T,)``.
        y: what happened, shape ``(*B, *event_shape)``.
        seed: of the draws at atoms.

    Raises:
        ValueError: where y has another shape.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(2, 1), torch.zeros(2, 1), mx.Isotropic(1.0), event_dim=0)
        >>> pit(q, torch.tensor([0.0, 1.0]))
        tensor([0.5000, 0.8413])
    """
    check_rows(mixture, y)
    F = mixture.cdf(y)
    if not isinstance(mixture, AtomMixture):
        return F
    event = len(mixture.event_shape)
    w, atoms = mixture.weights[..., :-1].movedim(-1, 0), mixture.atoms.movedim(-1 - event, 0)
    jump = (w.reshape(*w.shape, *[1] * event) * (atoms == y.to(atoms))).sum(0)
    part = torch.rand(y.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(F)
    return (F - part * jump).clamp(0, 1)


def pit_test(values: Tensor) -> list[PitTest]:
    """Return the Kolmogorov–Smirnov test of probability integral transforms against uniformity, target by target.

    The p-value is exact for independent continuous values. Equal values count as often as they occur, on the safe side
    where they are rounded; of atoms they would be found to be uneven rightly or wrongly, so :func:`pit` draws there.

    Args:
        values: from :func:`pit`, in [0, 1], shape ``(n,)`` or ``(n, T)``.

    Raises:
        ValueError: where there is no row, or a value is outside [0, 1] or NaN.

    Example:
        >>> import torch
        >>> [test] = pit_test(torch.linspace(0, 0.5, 30))
        >>> round(test.statistic, 3), test.p_value < 1e-6
        (0.5, True)
    """
    from scipy.stats import kstest  # half a second that import mixtura need not take

    if values.dim() not in (1, 2) or not values.numel():
        raise ValueError(f"values must have shape (n,) or (n, T) with n >= 1, got {tuple(values.shape)}.")
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise ValueError("values must lie in [0, 1]: they are values of a distribution function.")
    columns = values.detach().double().reshape(len(values), -1).cpu().numpy().T
    results = [kstest(u, "uniform") for u in columns]
    return [PitTest(float(r.statistic), float(r.pvalue), t) for t, r in enumerate(results)]


def coverage(
    mixture: Mixture[Any] | AtomMixture, y: Tensor, levels: Sequence[float] = (0.5, 0.8, 0.9, 0.95)
) -> list[Coverage]:
    """Return how often y lies in the central intervals ``[F⁻¹((1 - level)/2), F⁻¹((1 + level)/2)]``.

    Args:
        mixture: one distribution per row, of any family, batch_shape B and event_shape ``()`` or ``(T,)``.
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
