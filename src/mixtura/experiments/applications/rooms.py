"""Rooms in the plane, and an agent that plans towards what it has not seen, by one of several bonuses.

The agent knows how it moves and where walls are, and is told nothing of what to look for: its only reward is a bonus
of new states. It draws many sequences of steps, goes a little way along the one whose states have the largest mean
bonus, and plans again. Correlations of states are those of the bumps around them, ``k(s, s') = exp(-‖s - s'‖² / 4v)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixtura.costs import matrix_matrix
from mixtura.distributions import GaussianMixture
from mixtura.hilbert import log_gram

__all__ = ["BONUSES", "FREE", "Bonus", "cell_centers", "coverage", "explore", "move", "outside_span"]

Array = NDArray[np.float64]

_ROOMS = """
###################
#.....#.....#.....#
#.....#.....#.....#
#...........#.....#
#.....#.....#.....#
#.....#...........#
###.#####.#####.###
#.....#.....#.....#
#.....#.....#.....#
#.....#...........#
#...........#.....#
#.....#.....#.....#
##.#######.#####.##
#.....#.....#.....#
#.....#.....#.....#
#.....#...........#
#...........#.....#
#.....#.....#.....#
###################
"""
FREE = np.array([[cell == "." for cell in row] for row in _ROOMS.split()])
"""Which cells are free: nine rooms of 5 x 5 with doors of one cell. Positions are (row, column) in cells."""
_BEGIN = np.array([3.5, 3.5])
_STEP, _LEGS, _STEPS_OF_LEG, _GO = 0.5, 4, 8, 4
"""Length of a step in cells, legs of a plan, steps of a leg in one direction, steps before planning again."""
_PLANS = 48
KNOWN = 1e-6
"""A state whose bonus is not larger adds nothing to the span of those remembered."""


@dataclass(frozen=True)
class Bonus:
    """What makes a new state worth going to."""

    of: Callable[[Tensor, Tensor, float], Tensor]
    """Mean bonus of the states of paths ``(n, H, 2)`` given the remembered states ``(M, 2)`` and v, shape ``(n,)``."""
    is_new: Callable[[Tensor, Tensor, float], Tensor] | None = None
    """Which states ``(n, 2)`` are worth remembering; None remembers all."""


def explore(bonus: Bonus | None, steps: int, seed: int, variance: float = 0.25) -> tuple[Array, Array]:
    """Return the states that an agent visits, shape ``(steps + 1, 2)``, and those that it remembers, ``(M, 2)``.

    Args:
        bonus: of new states; None draws every step at random.
        steps: to take.
        seed: of the plans.
        variance: v of the bump around a state, in squared cells.
    """
    rng = np.random.default_rng(seed)
    visited, memory = [_BEGIN], _BEGIN[None]
    while len(visited) <= steps:
        for step in _directions(rng, (_GO,)) if bonus is None else _plan(bonus, visited[-1], memory, variance, rng):
            visited.append(move(visited[-1], step))
        new = np.stack(visited[-_GO:])
        if bonus is not None and bonus.is_new is not None:
            new = np.unique(new, axis=0)
            new = new[bonus.is_new(torch.as_tensor(new), torch.as_tensor(memory), variance).numpy()]
        memory = np.concatenate([memory, new])
    return np.stack(visited[: steps + 1]), memory


def move(state: Array, step: Array) -> Array:
    """Return the next state: ``state + step``, or the same where a wall is there; shapes ``(*B, 2)``."""
    there: Array = state + step
    row, column = np.moveaxis(there.astype(int), -1, 0)
    return np.where(FREE[row, column][..., None], there, state)


def cell_centers() -> Array:
    """Return the middles of the free cells, shape ``(n, 2)``."""
    return np.argwhere(FREE).astype(np.float64) + 0.5


def coverage(visited: Array) -> Array:
    """Return the share of the free cells that were entered by each step, shape ``(n,)``, for states ``(n, 2)``."""
    row, column = visited.astype(int).T
    cell = row * FREE.shape[1] + column
    first = np.zeros(len(visited))
    first[np.unique(cell, return_index=True)[1]] = 1
    return first.cumsum() / FREE.sum()


def outside_span(visited: Array, variance: float = 0.25) -> float:
    """Return the share of the world that is outside the span of the bumps around visited states: no cells needed.

    ``1 - e^-gap`` of the matrix-matrix cost, the trace of the Schur complement of the middles of the free cells
    relative to theirs.
    """
    world, seen = (GaussianMixture.from_samples(torch.as_tensor(s), variance) for s in (cell_centers(), visited))
    return float(-torch.expm1(-matrix_matrix(world, seen).gap))


def _directions(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    angle = rng.uniform(0, 2 * np.pi, shape)
    return _STEP * np.stack([np.cos(angle), np.sin(angle)], -1)


def _plan(bonus: Bonus, state: Array, memory: Array, variance: float, rng: np.random.Generator) -> Array:
    """Return the first steps of the best of the plans, shape ``(_GO, 2)``."""
    steps = _directions(rng, (_PLANS, _LEGS)).repeat(_STEPS_OF_LEG, 1)  # (n, H, 2)
    paths = [np.broadcast_to(state, (_PLANS, 2))]
    for t in range(steps.shape[1]):
        paths.append(move(paths[-1], steps[:, t]))
    worth = bonus.of(torch.as_tensor(np.stack(paths[1:], 1)), torch.as_tensor(memory), variance)
    return steps[int(worth.argmax()), :_GO]


def _outside(paths: Tensor, memory: Tensor, variance: float) -> Tensor:
    """Return ``1 - hᵀ G⁻¹ h / k(s, s)``, the share of a state's bump outside the span of the remembered ones."""
    new, seen = (GaussianMixture.from_samples(s, variance) for s in (paths, memory))
    return -torch.expm1(-matrix_matrix(new, seen).gap)


def _is_outside(states: Tensor, memory: Tensor, variance: float) -> Tensor:
    return _outside(states.unsqueeze(1), memory, variance) > KNOWN


def _correlations(paths: Tensor, memory: Tensor, variance: float) -> Tensor:
    """Return k between the states of paths and the remembered ones, shape ``(n, H, M)``."""
    new, seen, one = (GaussianMixture.from_samples(s, variance) for s in (paths, memory, memory[:1]))
    return (log_gram(new, seen) - log_gram(one, one)).exp()


def _nearest(paths: Tensor, memory: Tensor, variance: float) -> Tensor:
    """Return ``1 - max_j k(s, s_j)²``: the share outside the nearest bump alone."""
    return 1 - _correlations(paths, memory, variance).amax(-1).square().mean(-1)


def _kernel_count(paths: Tensor, memory: Tensor, variance: float) -> Tensor:
    """Return ``1 / √(1 + Σ_j k(s, s_j))``: the usual bonus of counts, of a kernel density instead of counts."""
    return (1 + _correlations(paths, memory, variance).sum(-1)).rsqrt().mean(-1)


def _cell_count(paths: Tensor, memory: Tensor, variance: float) -> Tensor:
    """Return ``1 / √(1 + n)`` with the number n of visits to the cell: it knows the cells by which it is judged."""
    n = torch.zeros(FREE.shape, dtype=torch.float64)
    n.index_put_(tuple(memory.long().T), n.new_ones(len(memory)), accumulate=True)
    return (1 + n[tuple(paths.long().movedim(-1, 0))]).rsqrt().mean(-1)


def _none(paths: Tensor, memory: Tensor, variance: float) -> Tensor:
    """Return no bonus at all: the first plan is as good as any."""
    return paths.new_zeros(len(paths))


BONUSES: Mapping[str, Bonus | None] = {
    "random steps": None,
    "random plans": Bonus(_none),
    "kernel density": Bonus(_kernel_count),
    "nearest state": Bonus(_nearest),
    "matrix cost": Bonus(_outside, _is_outside),
    "counts of cells": Bonus(_cell_count),
}
"""By name, from the least that an agent is told to the most."""
