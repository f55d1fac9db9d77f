"""A bandit with two equally good actions: a goal, an obstacle before it, and a heading that passes on either side.

A context is ``(φ, δ)``: the direction of the goal, and half of the angle that the obstacle hides, in radians. An action
is a heading a. Its reward is ``-(|a - φ| - δ)²``, minus the squared distance from the nearer of the two headings
``φ ± δ`` that just pass; the best is zero. At a temperature T the policy that maximises ``E r + T entropy`` is
``π* ∝ exp(r / T)``: two normal bumps of variance ``σ² = T / 2`` that meet at φ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mixtura.distributions import Mixture

__all__ = [
    "TEMPERATURE",
    "context_grid",
    "demonstrate",
    "draw_contexts",
    "limits",
    "log_soft_optimal",
    "reward",
    "score",
]

TEMPERATURE = 0.02
"""T in squared radians: bumps of a standard deviation of .1."""
TRIES = 4
"""Draws that may be made until one passes on the side that is open."""
_DIRECTIONS, _ANGLES = (-1.0, 1.0), (0.6, 1.2)
_REACH, _STEP = 6.0, 0.005
"""Of the quadrature over headings, relative to the goal, in radians."""


def draw_contexts(n: int, generator: torch.Generator | None = None) -> Tensor:
    """Return n contexts, uniform in direction and angle, shape ``(n, 2)``."""
    low, high = torch.tensor([_DIRECTIONS, _ANGLES]).T
    return low + (high - low) * torch.rand(n, 2, generator=generator)


def context_grid(n: int) -> Tensor:
    """Return the midpoints of an n x n grid of contexts in float64, shape ``(n², 2)``."""
    middle = (torch.arange(n).double() + 0.5) / n
    sides = [low + (high - low) * middle for low, high in (_DIRECTIONS, _ANGLES)]
    return torch.cartesian_prod(*sides)


def reward(x: Tensor, a: Tensor) -> Tensor:
    """Return ``-(|a - φ| - δ)²`` for contexts ``(*B, 2)`` and headings ``(*S, *B)``."""
    return -((a - x[..., 0]).abs() - x[..., 1]).square()


def log_soft_optimal(x: Tensor, a: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return the log-density of ``π* ∝ exp(r / T)``, whose integral is ``2 σ √2π Φ(δ / σ)``."""
    sigma = math.sqrt(temperature / 2)
    log_Z = math.log(2 * sigma * math.sqrt(2 * math.pi)) + torch.special.log_ndtr(x[..., 1] / sigma)
    return reward(x, a) / temperature - log_Z


def demonstrate(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Return headings of π* for contexts ``(n, 2)``, as if by many people of whom each takes the side he likes.

    Draws of the two normals; the share that would have crossed to the other side, 1e-9 at most, is mirrored.
    """
    side = torch.randint(2, (len(x),), generator=generator).to(x) * 2 - 1
    sigma = math.sqrt(TEMPERATURE / 2)
    return x[:, 0] + side * (x[:, 1] + sigma * torch.randn(len(x), generator=generator).to(x)).abs()


def score(policy: Mixture[Any], x: Tensor) -> dict[str, float]:
    """Return what a policy is worth, by quadrature over its headings, on average over contexts.

    Args:
        policy: of headings, in float64, batch shape ``(n,)``, event shape ``(1,)``.
        x: its contexts, shape ``(n, 2)``.

    Returns:
        ``reward``; ``best heading``, the reward of the densest heading; ``left`` (of larger angle) and ``right``, the
        shares of headings within 3 σ of either best one; ``neither``; ``rarer side``, the smaller of left and right,
        context by context; ``blocked``, how often one of 4 draws passes where one side, either as often, is blocked;
        ``KL(π|π*)`` and ``KL(π*|π)`` in nats.
    """
    offsets = torch.arange(-_REACH, _REACH + _STEP / 2, _STEP, dtype=torch.float64)
    a = x[:, 0] + offsets.unsqueeze(-1)  # (n_a, n)
    log_p, log_best, r = policy.log_prob(a.unsqueeze(-1)), log_soft_optimal(x, a), reward(x, a)
    p, best = (log.exp() * _STEP for log in (log_p, log_best))
    near = (r >= -9 * TEMPERATURE / 2) * p
    left, right = ((near * (side * offsets > 0).unsqueeze(-1)).sum(0) for side in (1, -1))
    passes = [1 - (1 - share.clamp_max(1)) ** TRIES for share in (left, right)]
    found = {
        "reward": (p * r).sum(0),
        "best heading": r.gather(0, log_p.argmax(0, keepdim=True)),
        "left": left,
        "right": right,
        "neither": 1 - left - right,
        "rarer side": torch.minimum(left, right),
        "blocked": (passes[0] + passes[1]) / 2,
        "KL(π|π*)": (p * (log_p - log_best)).sum(0),
        "KL(π*|π)": (best * (log_best - log_p)).sum(0),
    }
    return {name: value.mean().item() for name, value in found.items()}


def limits(x: Tensor) -> Mapping[str, float]:
    """Return what theory says of contexts ``(n, 2)``: the smallest divergences that one Gaussian can have.

    ``KL(π*|π)`` is smallest for the normal with the moments of π*, mean φ and variance ``δ² + σ²``: ``½ log(1 + δ²/σ²)
    - log 2``. ``KL(π|π*)`` is smallest, log 2, for a normal on one of the bumps. ``reward`` is that of π*, ``-T/2``;
    ``averaged`` is that of the normal with its moments, ``-E(|z| - δ)²``. All to 1e-7, what the bumps overlap.
    """
    delta, variance = x[:, 1], TEMPERATURE / 2
    total = delta.square() + variance
    averaged = -(total + delta.square() - 2 * delta * (2 * total / math.pi).sqrt())
    return {
        "KL(π*|π)": (0.5 * (total / variance).log() - math.log(2)).mean().item(),
        "KL(π|π*)": math.log(2),
        "reward": -variance,
        "averaged": averaged.mean().item(),
    }
