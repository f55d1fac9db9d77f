"""Where one-dimensional mixtures are denser than a level, and how much probability lies elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mixtura.distributions.quantiles import Standard

__all__ = ["LevelSets", "Rows", "level_for", "level_sets"]

_OFFSETS = (0.0, 1e-6, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.5, 8.0)
"""Points per component, in its scales to both sides: no extremum hides between two of them but those of a nearly flat
density. The nearest ones show to which side the density falls from a cusp."""
_EVALUATIONS = 2**20
"""Components evaluated at a time, as many as stay in the cache."""
_GOLDEN = 0.5 * (5**0.5 - 1)
_NARROWINGS = 32
_DOUBLINGS = 1200
_ITERATIONS = 60
_ROUNDING = 16 * torch.finfo(torch.float64).eps
_ACCURACY = 1e-11
"""Of the logarithm of the mass outside, relative to it."""


class Rows(NamedTuple):
    """R mixtures of K components ``F((x - m) / s)`` of one location-scale family; tensors of shape ``(R, K)``."""

    standard: Standard
    log_weights: Tensor
    loc: Tensor
    scale: Tensor

    def take(self, rows: Tensor | slice) -> Rows:
        """Return some of the mixtures."""
        return Rows(self.standard, self.log_weights[rows], self.loc[rows], self.scale[rows])

    def log_density(self, x: Tensor) -> Tensor:
        """Return ``log p(x)`` for ``x`` of shape ``(R, n)``."""
        height, K = torch.empty_like(x), self.loc.shape[-1]
        step = max(1, _EVALUATIONS // (K * max(1, x.shape[-1])))
        offset, m, s = ((t.mT.unsqueeze(-1)) for t in (self.log_weights - self.scale.log(), self.loc, self.scale))
        for start in range(0, len(x), step):
            r = slice(start, start + step)
            z = (x[r] - m[:, r]) / s[:, r]  # (K, R, n): sums over the first dimension are the fast ones
            height[r] = torch.logsumexp(offset[:, r] + self.standard.log_density(z), 0)
        return height

    def log_mass(self, low: Tensor, high: Tensor) -> Tensor:
        """Return the log-probability of the union of disjoint intervals, ends of shape ``(R, n)``, shape ``(R,)``."""
        log_w, m, s = (t.mT.unsqueeze(-1) for t in (self.log_weights, self.loc, self.scale))
        each = log_w + self.standard.log_mass((low - m) / s, (high - m) / s)  # (K, R, n)
        return torch.logsumexp(torch.logsumexp(each, 0), -1).clamp(max=0)


class LevelSets(NamedTuple):
    """The sets ``{x: p(x) >= level}`` of R mixtures."""

    log_level: Tensor
    """Shape ``(R,)``."""
    ends: Tensor
    """Left and right ends of their intervals in turn, shape ``(R, 2J)``, infinite behind the last."""
    log_outside: Tensor
    """Log-probability of what is less dense, shape ``(R,)``."""


class _Profile(NamedTuple):
    """Points between which log-densities are monotone."""

    q: Rows
    x: Tensor
    height: Tensor


def level_sets(q: Rows, y: Tensor) -> LevelSets:
    """Return the sets of what is at least as dense as y, shape ``(R,)``."""
    known = y.isfinite()
    profile, level = _profile(q, torch.where(known, y, q.loc[:, 0]).unsqueeze(-1))
    known = known & level.isfinite()  # so far out that the density is no number, all is denser
    sets = _at(profile, torch.where(known, level, profile.height.amax(-1)))
    limit = torch.where(y.isnan(), torch.nan, -torch.inf)
    return LevelSets(
        torch.where(known, level, limit),
        torch.where(known.unsqueeze(-1), sets.ends, torch.inf),
        torch.where(known, sets.log_outside, limit),
    )


def level_for(q: Rows, log_outside: float) -> LevelSets:
    """Return the sets outside of which the log-probability is ``log_outside``, a finite number."""
    profile, _ = _profile(q, q.loc[:, :1])

    def excess(level: Tensor) -> Tensor:
        return _at(profile, level).log_outside - log_outside

    high = profile.height.amax(-1)
    low, drop = high - 1, 1.0
    below = excess(low)
    while bool((below > 0).any()):
        drop *= 2
        low = torch.where(below > 0, low - drop, low)
        below = excess(low)
    at_high = torch.full_like(below, -log_outside)
    level = _root(excess, low, high, below, at_high, _ACCURACY * at_high)
    return _at(profile, level)


def _profile(q: Rows, extra: Tensor) -> tuple[_Profile, Tensor]:
    """Return the points near all components and at ``extra``, shape ``(R, 1)``, all local extrema among them, and the
    log-density at ``extra``."""
    offsets = torch.tensor([-o for o in _OFFSETS[:0:-1]] + list(_OFFSETS)).to(q.loc)
    x = (q.loc.unsqueeze(-1) + q.scale.unsqueeze(-1) * offsets).flatten(-2)
    x = torch.cat([x, extra], -1)
    height = q.log_density(x)
    level = height[:, -1]
    x, height = _sorted(x, height)
    tops, top_heights = _extrema(q, x, height, sign=1)
    dips, dip_heights = _extrema(q, x, height, sign=-1)
    x, height = _sorted(torch.cat([x, tops, dips], -1), torch.cat([height, top_heights, dip_heights], -1))
    return _Profile(q, x, height), level


def _sorted(x: Tensor, height: Tensor) -> tuple[Tensor, Tensor]:
    x, order = x.sort(-1)
    return x, height.gather(-1, order)


def _extrema(q: Rows, x: Tensor, height: Tensor, sign: int) -> tuple[Tensor, Tensor]:
    """Return the local maxima (sign 1) or minima (-1) by golden section between the neighbours of the points that are
    extreme; where a row has fewer, its first point again."""
    left, middle, right = (sign * h for h in (height[:, :-2], height[:, 1:-1], height[:, 2:]))
    rows, j = ((middle >= left) & (middle >= right) & (middle > torch.minimum(left, right))).nonzero(as_tuple=True)
    near, a, b = q.take(rows), x[rows, j], x[rows, j + 2]

    def height_at(t: Tensor) -> Tensor:
        return sign * near.log_density(t.unsqueeze(-1)).squeeze(-1)

    c, d = b - _GOLDEN * (b - a), a + _GOLDEN * (b - a)
    at_c, at_d = height_at(c), height_at(d)
    for _ in range(_NARROWINGS):
        right = at_c < at_d
        a, b = torch.where(right, c, a), torch.where(right, b, d)
        new = torch.where(right, a + _GOLDEN * (b - a), b - _GOLDEN * (b - a))
        at_new = height_at(new)
        c, d = torch.where(right, d, new), torch.where(right, new, c)
        at_c, at_d = torch.where(right, at_d, at_new), torch.where(right, at_new, at_c)
    best = (a + b) / 2
    found = near.log_density(best.unsqueeze(-1)).squeeze(-1)
    return _in_rows(rows, best, x[:, :1]), _in_rows(rows, found, height[:, :1])


def _at(profile: _Profile, level: Tensor) -> LevelSets:
    q, x, height = _beyond(profile, level)
    above = height >= level.unsqueeze(-1)
    rows, j = (above[:, 1:] != above[:, :-1]).nonzero(as_tuple=True)
    near, wanted = q.take(rows), level[rows]
    ends = _root(
        lambda t: near.log_density(t.unsqueeze(-1)).squeeze(-1) - wanted,
        x[rows, j],
        x[rows, j + 1],
        height[rows, j] - wanted,
        height[rows, j + 1] - wanted,
        _ROUNDING * wanted.abs().clamp_min(1),
    )
    ends = _in_rows(rows, ends, torch.full_like(x[:, :1], torch.inf))
    infinite = torch.full_like(x[:, :1], torch.inf)
    low, high = torch.cat([-infinite, ends[:, 1::2]], -1), torch.cat([ends[:, ::2], infinite], -1)
    return LevelSets(level, ends, q.log_mass(low, high))


def _beyond(profile: _Profile, level: Tensor) -> _Profile:
    """Add a point below the level at both ends; beyond the outermost locations the density only falls."""
    q, x, height = profile
    limit = torch.finfo(x.dtype).max / 4
    for side, sign in ((0, -1), (-1, 1)):
        edge, top, reach = x[:, side], height[:, side], 8 * q.scale.amax(-1)
        for _ in range(_DOUBLINGS):
            high = top >= level
            if not bool(high.any()):
                break
            edge = torch.where(high, edge + sign * reach, edge).clamp(-limit, limit)
            reach, top = 2 * reach, q.log_density(edge.unsqueeze(-1)).squeeze(-1)
        top = torch.where(top >= level, -torch.inf, top)  # of a tail that is still denser where numbers end
        x, height = (
            torch.cat([end.unsqueeze(-1), t] if side == 0 else [t, end.unsqueeze(-1)], -1)
            for end, t in ((edge, x), (top, height))
        )
    return _Profile(q, x, height)


def _in_rows(rows: Tensor, values: Tensor, fill: Tensor) -> Tensor:
    """Put values, ordered by their row, into as many columns as the fullest row needs; fill has shape ``(R, 1)``."""
    count = torch.bincount(rows, minlength=len(fill))
    column = torch.arange(len(rows), device=rows.device) - (count.cumsum(0) - count)[rows]
    table = fill.repeat(1, int(count.max()) if len(count) else 0)
    table[rows, column] = values
    return table


def _root(f: Callable[[Tensor], Tensor], a: Tensor, b: Tensor, at_a: Tensor, at_b: Tensor, tolerance: Tensor) -> Tensor:
    """Return zeros of monotone functions between a and b by the method of Ridders (1979), which halves every bracket at
    least and converges quadratically."""
    eps = torch.finfo(a.dtype).eps
    best = a
    for _ in range(_ITERATIONS):
        middle, previous = a / 2 + b / 2, best
        at_middle = f(middle)
        slope = (at_middle.square() - at_a * at_b).sqrt() * torch.where(at_a < at_b, -1.0, 1.0)
        step = (middle - a) * at_middle / slope
        best = torch.where(step.isfinite(), middle + step, middle)
        at_best = f(best)
        settled = (at_best.abs() <= tolerance) | ((best - previous).abs() <= 4 * eps * best.abs())
        if bool(settled.all()):
            break
        # Of a, the middle, the new point and b, keep the narrowest pair of opposite signs.
        inner, first = (at_middle < 0) != (at_best < 0), (at_a < 0) != (at_best < 0)
        a, b, at_a, at_b = (
            torch.where(inner, middle, torch.where(first, a, b)),
            best,
            torch.where(inner, at_middle, torch.where(first, at_a, at_b)),
            at_best,
        )
    return best
