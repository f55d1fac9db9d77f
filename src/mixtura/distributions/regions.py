"""Highest-density regions: the smallest sets that hold a given mass."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mixtura._random import isolated_seed
from mixtura.distributions.level_sets import Rows, level_for, level_sets
from mixtura.distributions.mixture import Mixture
from mixtura.distributions.quantiles import LocationScale

__all__ = ["HighestDensityRegion", "find_region", "log_mass_outside", "region_outside"]

_COMPONENTS = 2**13
"""Components of scalar mixtures, each with its points on the axis, held at a time."""
_VALUES = 2**22
"""Components evaluated at a time for draws."""
_DRAWS = 20_000
_FEW_DRAWS = 1000


@dataclass(frozen=True)
class HighestDensityRegion:
    """The set ``{x: p(x) >= level}`` with a given mass (Hyndman 1996, "Computing and graphing highest density
    regions")."""

    mixture: Mixture[Any]
    mass: float
    log_level: Tensor
    """Log-density on the border, shape ``B``."""
    intervals: Tensor | None
    """For D = 1, the disjoint intervals that the region is made of, shape ``(*B, J, 2)``, NaN where there are fewer
    than J; None for vectors and for angles."""

    def contains(self, value: Tensor) -> Tensor:
        """Return whether values are in the region, shape ``(*S, *B)``."""
        return self.mixture.log_prob(value) >= self.log_level


def find_region(mixture: Mixture[Any], mass: float) -> HighestDensityRegion:
    """Return the smallest region that holds ``mass``: by its intervals for D = 1, else by the quantile of 20,000
    samples' log-densities, whose error in mass is at most 0.4 %."""
    if not 0 < mass < 1:
        raise ValueError(f"mass must lie strictly between 0 and 1, got {mass}.")
    return region_outside(mixture, math.log1p(-mass), draws=_DRAWS)


def region_outside(
    mixture: Mixture[Any], log_outside: float, seed: int = 0, draws: int = _FEW_DRAWS
) -> HighestDensityRegion:
    """Return the smallest region outside of which the log-probability is ``log_outside``: minus infinity is everything.

    A mass of ``1 - exp(log_outside)`` would round to one already at -37. It contains what has a
    :func:`log_mass_outside` of at least ``log_outside``.

    Args:
        mixture: of any family, batch_shape B.
        log_outside: zero or negative.
        seed: of the draws for D > 1.
        draws: how many.
    """
    mass = -math.expm1(log_outside)
    with torch.no_grad():
        if log_outside == -math.inf:
            level = mixture.logits.new_full(mixture.batch_shape, -math.inf)
            line = torch.tensor([[-math.inf, math.inf]]).to(level).expand(*mixture.batch_shape, 1, 2)
            return HighestDensityRegion(mixture, mass, level, line if _rows(mixture) else None)
        q = _rows(mixture)
        if q is None:
            heights = torch.cat(list(_heights(mixture, draws, seed))).sort(0).values  # (draws, *B)
            return HighestDensityRegion(mixture, mass, _sampled_level(heights, log_outside), None)
        parts = [level_for(q.take(r), log_outside) for r in _slices(q)]
        level = torch.cat([p.log_level for p in parts]) if parts else q.loc.new_empty(0)
        J = max((p.ends.shape[-1] for p in parts), default=0) // 2
        ends = q.loc.new_full((len(level), 2 * J), torch.inf)
        for r, p in zip(_slices(q), parts, strict=True):
            ends[r, : p.ends.shape[-1]] = p.ends
        ends = torch.where(ends.isinf(), torch.nan, ends).reshape(*mixture.batch_shape, J, 2)
        return HighestDensityRegion(
            mixture, mass, level.reshape(mixture.batch_shape).to(mixture.loc), ends.to(mixture.loc)
        )


def log_mass_outside(mixture: Mixture[Any], value: Tensor, seed: int = 0) -> Tensor:
    """Return ``log ∫ 1{p(t) < p(x)} p(t) dt``, the log-probability of what is less dense than x, shape ``B``.

    For D = 1 by the ends of the level sets, right far out in the tails. Else by the rank of ``log p(x)`` among those of
    1,000 draws, between two of which it is interpolated; beyond the last it falls as log p does.

    Args:
        mixture: of any family, batch_shape B.
        value: one x per mixture, shape ``(*B, *event_shape)``.
        seed: of the draws for D > 1.
    """
    with torch.no_grad():
        q = _rows(mixture)
        if q is None:
            return _sampled_log_outside(mixture, value, _FEW_DRAWS, seed)
        y = value.reshape(-1).to(q.loc)
        parts = [level_sets(q.take(r), y[r]).log_outside for r in _slices(q)]
        return torch.cat([*parts, y.new_empty(0)]).reshape(mixture.batch_shape).to(mixture.loc)


def _rows(mixture: Mixture[Any]) -> Rows | None:
    """Return the mixtures as rows in float64, or None where they are not of one location-scale dimension."""
    marginals = mixture._marginals()
    if mixture._loc.shape[-1] > 1 or not isinstance(marginals, LocationScale):
        return None
    loc, scale = (t.squeeze(-2).expand(mixture.logits.shape) for t in (marginals.loc, marginals.scale))
    flat = (t.reshape(-1, mixture.components).double() for t in (mixture.logits, loc, scale))
    logits, loc, scale = flat
    return Rows(marginals.standard, torch.log_softmax(logits, -1), loc, scale)


def _slices(q: Rows) -> list[slice]:
    step = max(1, _COMPONENTS // q.loc.shape[-1])
    return [slice(start, start + step) for start in range(0, len(q.loc), step)]


def _heights(mixture: Mixture[Any], draws: int, seed: int) -> Iterator[Tensor]:
    """Yield log-densities of draws, a few draws at a time, shape ``(few, *B)``."""
    few = max(1, _VALUES // max(1, mixture.logits.numel() * mixture._loc.shape[-1]))
    with isolated_seed(seed, mixture.logits.device):
        for start in range(0, draws, few):
            yield mixture.log_prob(mixture.sample((min(few, draws - start),)))


def _sampled_log_outside(mixture: Mixture[Any], value: Tensor, draws: int, seed: int) -> Tensor:
    """Return ``log (j + t) / (n + 1)`` where j of n draws are less dense and t says how far it is to the next one."""
    level = mixture.log_prob(value)
    count = torch.zeros_like(level)
    under, over = torch.full_like(level, -math.inf), torch.full_like(level, math.inf)
    for h in _heights(mixture, draws, seed):
        below = h < level
        count += below.sum(0)
        under = torch.maximum(under, torch.where(below, h, -math.inf).amax(0))
        over = torch.minimum(over, torch.where(below, math.inf, h).amin(0))
    part = torch.where((count > 0) & (count < draws), (level - under) / (over - under), 0.0)
    log_outside = (count + part).log() - math.log(draws + 1)
    return torch.where(count > 0, log_outside, level - over - math.log(draws + 1))


def _sampled_level(heights: Tensor, log_outside: float) -> Tensor:
    """Return the level at which :func:`_sampled_log_outside` is ``log_outside``, from sorted heights."""
    n = len(heights)
    rank = log_outside + math.log(n + 1)
    if rank < 0:
        return heights[0] + rank
    j = min(math.exp(rank), n)
    under = heights[math.floor(j) - 1]
    return under + (j - math.floor(j)) * (heights[min(math.floor(j), n - 1)] - under)
