"""What a reader must know before trusting a density, in sentences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mixtura.metrics import grid_step
from mixtura.report.density.case import DensityCase
from mixtura.report.density.scores import DensityScores
from mixtura.report.words import listed, number, percent, plus_minus

__all__ = ["about_baselines", "about_columns", "about_neighbours", "about_reach", "about_repeats", "about_rows"]

Array = NDArray[np.float64]
_FEW_TRAIN, _FEW_TEST = 200, 50
_REACHED = 0.9
_COPY = 0.999
_REPEATED, _SURPLUS = 0.05, 3
"""A value is a point mass where it has this share of the rows, and so many times that of any other value."""
_FEW_VALUES = 10
_FAR = 12
"""Standard deviations from the mean beyond which one width for all rows cannot do."""
_CLEARLY = 0.05


def about_rows(train: int, test: int) -> list[str]:
    """Warn of few rows."""
    sentences = []
    if train < _FEW_TRAIN:
        sentences.append(
            f"Only {train} rows to learn from: a density of so few can hardly show more than where they lie."
        )
    if test < _FEW_TEST:
        rows = "is only 1 test row" if test == 1 else f"are only {test} test rows"
        sentences.append(f"There {rows}: every score below is uncertain.")
    return sentences


def about_baselines(scores: DensityScores) -> list[str]:
    """Warn where a simpler density is as likely as the model's."""
    sentences = []
    for other in (scores.gaussian, scores.independent, scores.kernels):
        gain, error = scores.model.gain_over(other)
        if gain < -2 * error:
            sentences.append(
                f"By likelihood, the baseline “{other.name}” is better than the model by {plus_minus(-gain, error)} "
                "nats per test row."
            )
        elif gain < 2 * error:
            sentences.append(
                f"By likelihood, the baseline “{other.name}” is about as good as the model: the lead of the model is "
                f"{plus_minus(gain, error)} nats per test row."
            )
    return sentences


def about_neighbours(scores: DensityScores) -> list[str]:
    """Warn where samples stand where no data are, or data where no samples are."""
    ours, best = scores.samples.neighbours, scores.fresh.neighbours
    if ours is None or best is None:
        return []
    sentences = []
    if ours.precision < best.precision - _CLEARLY:
        sentences.append(
            f"{percent(1 - ours.precision)} of the samples lie near no test row, where {percent(1 - best.precision)} "
            "of the training rows do: the density is too wide or joins what is apart."
        )
    if ours.recall < best.recall - _CLEARLY:
        sentences.append(
            f"{percent(1 - ours.recall)} of the test rows have no sample nearby, where {percent(1 - best.recall)} of "
            "them have no training row nearby: the density misses a part of the data."
        )
    return sentences


def about_reach(reach: float) -> list[str]:
    """Warn of centers that the kernel does not connect with any row."""
    if reach >= _REACHED:
        return []
    return [
        f"{percent(1 - reach)} of the centers are so far from every row held back that the kernel's last variance "
        "connects them with none: nothing drew them to the data at the end. Increase variance, steps or batch_size."
    ]


def about_repeats(case: DensityCase) -> list[str]:
    """Warn of rows and values that repeat, where a density can score as well as it likes."""
    x, sentences = case.train, []
    twice = len(x) - len(np.unique(x, axis=0))
    if twice > _REPEATED * len(x):
        sentences.append(
            f"{percent(twice / len(x))} of the rows repeat an earlier one. A density that piles up there gains "
            "likelihood without limit: rely on the samples."
        )
    for name, column, width in zip(case.names, x.T, case.width, strict=True):
        values, counts = np.unique(column, return_counts=True)
        first, second = np.sort(counts)[[-1, -2]] / len(column) if len(values) > 1 else (0.0, 0.0)
        step = grid_step(column)
        if 1 < len(values) <= _FEW_VALUES:
            sentences.append(
                f"{name} takes only {len(values)} different values. A density is for numbers that vary without steps: "
                f"the model smears them over ± {number(width)}."
            )
        elif first > _REPEATED and first > _SURPLUS * second:
            sentences.append(
                f"{percent(first)} of the rows share one value, {name} = {number(values[counts.argmax()])}. That is a "
                f"point mass, whose likelihood has no limit, not a density; the model smears it over ± {number(width)}."
            )
        elif step is not None and width < step:
            sentences.append(
                f"The values of {name} lie on a grid with step {number(step)}, and the density is narrower than that, "
                "which flatters its likelihood: rely on the samples."
            )
    return sentences


def about_columns(case: DensityCase) -> list[str]:
    """Warn of columns that one width for all rows and columns cannot follow."""
    x, names, sentences = case.train, case.names, []
    spread = x.std(0)
    constant = [name for name, s in zip(names, spread, strict=True) if s == 0]
    if constant:
        sentences.append(f"The same value in every row: {listed(constant)}. Leave such columns out.")
    z = (x - x.mean(0)) / np.where(spread > 0, spread, np.inf)
    correlation = np.abs(z.T @ z / len(z))
    groups: list[list[int]] = []
    for d in range(len(names)):
        group = next((g for g in groups if correlation[g[0], d] > _COPY), None)
        if group is None:
            groups.append([d])
        else:
            group.append(d)
    for group in groups:
        if len(group) > 1:
            sentences.append(
                f"{listed([names[d] for d in group])} are nearly copies of each other (correlations above {_COPY}). "
                "The density is as wide across as along them, so their differences come out far too large: give the "
                "differences or ratios as columns instead."
            )
    far = [f"{name} ({most:.0f})" for name, most in zip(names, np.abs(z).max(0), strict=True) if most > _FAR]
    if far:
        sentences.append(
            f"Values many standard deviations from the mean: {listed(far)}. A logarithm or a root of such columns "
            "would show what happens among the others."
        )
    return sentences
