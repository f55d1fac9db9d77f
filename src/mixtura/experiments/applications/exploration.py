"""The matrix cost as a reward for exploring: how much of a new state's bump lies outside the span of those visited."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura.costs import matrix_matrix
from mixtura.distributions import GaussianMixture
from mixtura.experiments.applications.rooms import BONUSES, FREE, KNOWN, cell_centers, coverage, explore, outside_span
from mixtura.experiments.record import Cell, Curves, Options, Picture, Record, Scatter, Table

__all__ = ["exploration", "largest_difference"]

Array = NDArray[np.float64]

_STEPS, _QUICK_STEPS = 600, 60
_VARIANCE = 0.25
_WIDTHS = (0.1, 1.0, 4.0)
"""Other variances of the bumps, in squared cells."""
_KERNELS = ("kernel density", "nearest state", "matrix cost")


def exploration(options: Options) -> Record:
    """Return how much of nine rooms an agent sees that plans by the matrix cost, and by other bonuses."""
    steps = _QUICK_STEPS if options.quick else _STEPS
    seen: dict[str, list[Array]] = {name: [] for name in BONUSES}
    outside: dict[str, list[float]] = {name: [] for name in BONUSES}
    seconds: dict[str, list[float]] = {name: [] for name in BONUSES}
    first: dict[str, Array] = {}
    remembered: list[int] = []
    differences: list[float] = []
    for seed in options.seeds:
        for name, bonus in BONUSES.items():
            start = time.process_time()
            visited, memory = explore(bonus, steps, seed, _VARIANCE)
            seconds[name].append(time.process_time() - start)
            first.setdefault(name, visited)
            seen[name].append(coverage(visited))
            outside[name].append(outside_span(visited, _VARIANCE))
            if name == "matrix cost":
                remembered.append(len(memory))
                differences.append(largest_difference(cell_centers(), memory, _VARIANCE))
            options.say(f"seed {seed}, {name}: {seen[name][-1][-1]:.0%} of the cells")
    widths = _widths(options, steps, {name: [float(c[-1]) for c in seen[name]] for name in _KERNELS})
    rows: list[list[Cell]] = [
        [
            name,
            *(float(np.mean([c[k] for c in curves])) for k in (steps // 4, steps // 2, steps)),
            _error([float(c[-1]) for c in curves]),
            float(np.mean(outside[name])),
            _error(outside[name]),
            float(np.mean(seconds[name])),
        ]
        for name, curves in seen.items()
    ]
    return Record(
        "coverage-bonus",
        "The matrix cost as a bonus for exploring",
        "The papers wish for their costs in reinforcement learning. Visited states are a mixture, one bump for each. "
        "What a new state adds is the share of its bump outside their span, 1 - hᵀ G⁻¹ h / k(s, s): the relative Schur "
        "complement, which the gap of the matrix-matrix cost is. An agent in nine rooms plans towards states of a "
        "large bonus, and is compared with agents of the same planner and other bonuses.",
        {
            "seeds": list(options.seeds),
            "free cells": int(FREE.sum()),
            "steps": steps,
            "variance of a bump": f"{_VARIANCE} squared cells",
            "quick": options.quick,
        },
        _findings(rows, widths, remembered, differences, steps),
        [
            Table(
                "Share of the free cells that were entered",
                (
                    "bonus",
                    f"{steps // 4} steps",
                    f"{steps // 2}",
                    f"{steps}",
                    "±",
                    "outside the span",
                    "±",
                    "CPU seconds",
                ),
                rows,
                f"Means over {len(options.seeds)} seeds, with standard errors. Outside the span: share of the whole "
                "world that the bumps of visited states do not span, by the matrix cost itself. Counts of cells: "
                "1/√(1 + visits) of the very cells by which all are judged, which an agent would not know. Random "
                "plans: as the others, without a bonus.",
            ),
            *widths,
        ],
        [
            Picture(
                "States visited from the upper left room, first seed.",
                [_panel(name, first[name]) for name in ("random steps", "kernel density", "matrix cost")],
            ),
            Picture("How the rooms are covered, means over the seeds.", [_curves(seen, steps)], columns=1),
        ],
    )


def largest_difference(states: Array, memory: Array, variance: float) -> float:
    """Return the largest difference of the bonus of states ``(n, 2)`` from ``1 - kᵀ G⁺ k`` by numpy's least squares."""
    new = GaussianMixture.from_samples(torch.as_tensor(states).unsqueeze(1), variance)
    bonus = -torch.expm1(-matrix_matrix(new, GaussianMixture.from_samples(torch.as_tensor(memory), variance)).gap)

    def k(a: Array, b: Array) -> Array:
        return np.exp(-np.square(a[:, None] - b).sum(-1) / (4 * variance))

    h = k(states, memory)
    exact = 1 - (h * np.linalg.lstsq(k(memory, memory), h.T, rcond=1e-12)[0].T).sum(1)
    return float(np.abs(bonus.numpy() - exact).max())


def _error(values: list[float]) -> float | None:
    return None if len(values) < 2 else float(np.std(values, ddof=1) / math.sqrt(len(values)))


def _widths(options: Options, steps: int, known: dict[str, list[float]]) -> list[Table]:
    """Return the coverage by bumps of other widths."""
    if options.quick:
        return []
    rows: list[list[Cell]] = []
    for v in sorted((*_WIDTHS, _VARIANCE)):
        row: list[Cell] = [v]
        for name in _KERNELS:
            found = known[name] if v == _VARIANCE else [_last(name, steps, seed, v) for seed in options.seeds]
            row += [float(np.mean(found)), _error(found)]
        rows.append(row)
        options.say(f"variance {v}: " + ", ".join(f"{n} {row[1 + 2 * i]:.0%}" for i, n in enumerate(_KERNELS)))
    return [
        Table(
            "Share of the free cells by the width of a bump",
            ("variance", *(c for name in _KERNELS for c in (name, "±"))),
            rows,
            f"After {steps} steps; variance in squared cells, rooms are 5 cells wide.",
        )
    ]


def _last(name: str, steps: int, seed: int, variance: float) -> float:
    return float(coverage(explore(BONUSES[name], steps, seed, variance)[0])[-1])


def _findings(
    rows: list[list[Cell]], widths: list[Table], remembered: list[int], differences: list[float], steps: int
) -> list[str]:
    share = {str(r[0]): float(r[3] or 0) for r in rows}
    outside = {str(r[0]): float(r[5] or 0) for r in rows}
    own, others = "matrix cost", [n for n in _KERNELS if n != "matrix cost"]
    errors = {str(r[0]): float(r[4] or 0) for r in rows}
    apart = [share[own] - share[n] for n in others]
    noise = [2 * math.hypot(errors[own], errors[n]) for n in others]
    if errors[own] == 0:
        verdict = "one seed cannot say whether that is different"
    elif all(d > e for d, e in zip(apart, noise, strict=True)):
        verdict = "more than both by over two standard errors"
    elif any(d < -e for d, e in zip(apart, noise, strict=True)):
        verdict = "less than one of them by over two standard errors"
    else:
        verdict = "within two standard errors of one of them at least"
    said = [
        f"After {steps} steps the matrix cost has led to {share[own]:.1%} of the cells, random steps to "
        f"{share['random steps']:.1%}, random plans to {share['random plans']:.1%}, and counts of the very cells to "
        f"{share['counts of cells']:.1%}.",
        "With the same planner and bump "
        + " and ".join(f"{n} led to {share[n]:.1%}" for n in others)
        + f": {verdict}.",
        "Of the world as bumps, "
        + ", ".join(f"{outside[n]:.1%} ({n})" for n in (*_KERNELS, "counts of cells"))
        + " are outside the span of the visited ones: what the matrix cost asks for.",
        f"Of {steps + 1} visited states {np.mean(remembered):.0f} span the rest but for {KNOWN:.0e} each; the bonus "
        f"differs from numpy's least squares by {max(differences):.0e} at most.",
    ]
    if widths:
        by_width = {name: [float(r[1 + 2 * i] or 0) for r in widths[0].rows] for i, name in enumerate(_KERNELS)}
        worst = min(by_width, key=lambda name: by_width[name][-1])
        said.append(
            "From the narrowest bump to the widest: "
            + "; ".join(f"{name} " + ", ".join(f"{s:.0%}" for s in shares) for name, shares in by_width.items())
            + f". The widest, of {max(_WIDTHS):g} squared cells, serves the {worst} worst."
        )
    return said


def _panel(name: str, visited: Array) -> Scatter:
    points, reference = (np.stack([s[:, 1], -s[:, 0]], -1) for s in (visited, cell_centers()))
    return Scatter(f"{name}: {coverage(visited)[-1]:.0%}", points, reference)


def _curves(seen: dict[str, list[Array]], steps: int) -> Curves:
    at = np.linspace(0, steps, 31).astype(int)
    lines = {name: np.mean(curves, 0)[at].tolist() for name, curves in seen.items()}
    return Curves("Share of the free cells", at.tolist(), lines, "steps", "share")
