"""What a reader must know before trusting the numbers, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import chisquare, rankdata

from mixtura.distributions import GaussianMixture
from mixtura.metrics import Coverage, grid_step
from mixtura.report.plots import pit_bins
from mixtura.report.scores import Scores
from mixtura.report.words import number, percent, plus_minus

__all__ = [
    "SURPRISING",
    "about_baselines",
    "about_copies",
    "about_grids",
    "about_repeats",
    "about_rows",
    "about_the_floor",
    "calibration",
    "heaviest_scales",
]

Array = NDArray[np.float64]
_FEW = 50
_COPY = 0.999
_REPEATED = 0.05
_CLEARLY_LESS = 0.95
SURPRISING = 2.6
"""Standard errors beyond which a coverage is called wrong; chance does it once in a hundred."""
_RARE = 0.01
"""Probability below which a histogram of transforms is called uneven."""


def about_rows(n: int) -> list[str]:
    """Warn of few test rows."""
    if n >= _FEW:
        return []
    rows = "is only 1 test row" if n == 1 else f"are only {n} test rows"
    return [
        f"There {rows}: every score below is uncertain, and calibration can hardly be judged with fewer than {_FEW}."
    ]


def about_baselines(scores: Scores) -> list[str]:
    """Warn where a baseline is as good as the model."""
    sentences = []
    for other in (scores.marginal, scores.regression):
        gain, error = scores.model.gain_over(other)
        if gain < 0:
            sentences.append(
                f"By likelihood, {other.name} is better than the model by {plus_minus(-gain, error)} nats per test row."
            )
        elif gain < 2 * error:
            sentences.append(
                f"By likelihood, the lead over {other.name}, {plus_minus(gain, error)} nats per test row, "
                "could be chance."
            )
        for target, ours, theirs in zip(scores.targets, scores.model.crps, other.crps, strict=True):
            if theirs < _CLEARLY_LESS * ours:
                sentences.append(
                    f"By CRPS of {target}, {other.name} is better than the model: {number(theirs)} against "
                    f"{number(ours)}."
                )
    return sentences


def about_copies(X: Array, y: Array, features: Sequence[str], targets: Sequence[str]) -> list[str]:
    """Warn where a feature puts the rows in the same order as a target, or the opposite one.

    Args:
        X: inputs, shape (n, d).
        y: targets, shape (n, T).
        features: d names.
        targets: T names.
    """
    chosen = np.random.default_rng(0).permutation(len(X))[:5000]
    if len(chosen) < 5:
        return []
    a, b = (_standardised(rankdata(c[chosen], axis=0)) for c in (X, y))
    correlation = a.T @ b / len(chosen)  # (d, T); zero where a feature is constant
    return [
        f"The feature {features[f]} puts the rows in {'the same' if correlation[f, t] > 0 else 'the opposite'} order "
        f"as the target {targets[t]} (rank correlation {correlation[f, t]:.4f}): it looks like a copy or a leak."
        for f, t in np.argwhere(np.abs(correlation) > _COPY)
    ]


def about_repeats(y: Array, targets: Sequence[str]) -> list[str]:
    """Warn of a target value that many rows share, where a density can score as well as it likes.

    Args:
        y: targets of all rows, shape (n, T).
        targets: T names.
    """
    sentences = []
    for name, column in zip(targets, y.T, strict=True):
        values, counts = np.unique(column, return_counts=True)
        share = counts.max() / len(column)
        if counts.max() > 1 and share > _REPEATED:
            sentences.append(
                f"{percent(share)} of the rows share one value, {name} = {number(values[counts.argmax()])}. A density "
                "that piles up there gains likelihood without limit, so its likelihood is flattered: rely on coverage "
                "and CRPS."
            )
    return sentences


def about_grids(y: Array, scales: Array, targets: Sequence[str], harmful: bool) -> list[str]:
    """Tell of target values that lie on a grid, where a density may pile up on the grid's points.

    Args:
        y: targets of all rows, shape (n, T).
        scales: of the heaviest component predicted for each test row, shape (m, T).
        targets: T names.
        harmful: tell of those where it does, or of those where it does not.
    """
    sentences = []
    for t, name in enumerate(targets):
        step, narrow = grid_step(y[:, t]), 0.0
        if step is None or len(y) < 5:
            continue
        narrow = (scales[:, t] < step).mean()
        effect = (
            f"for {percent(narrow)} of the test rows the heaviest component is narrower than that, which flatters "
            "their likelihood: rely on coverage and CRPS"
            if narrow
            else "no test row's heaviest component is narrower than that, so the likelihood is hardly flattered"
        )
        if harmful == bool(narrow):
            sentences.append(f"The values of {name} lie on a grid with step {number(step)}; {effect}.")
    return sentences


def about_the_floor(scales: Array, floor: Array) -> list[str]:
    """Warn where the smallest scale that the model may use decides.

    Args:
        scales: of the heaviest component predicted for each test row, shape (m, T).
        floor: of the scales of each target, shape (T,).
    """
    share = (scales < 1.05 * floor).any(1).mean()
    if share == 0:
        return []
    return [
        f"For {percent(share)} of the test rows the heaviest component is as narrow as min_scale and the grid of "
        "the target let it be, so they, not the data, decide their likelihood. Targets that repeat, that lie on "
        "a grid or that follow exactly from the features do this."
    ]


def calibration(pit: Array, coverage: Sequence[Coverage]) -> str:
    """Return in a few words whether the predicted probabilities of one target are right.

    Args:
        pit: probability integral transforms, shape (n,).
        coverage: of several levels.
    """
    off = [c.observed - c.level for c in coverage]
    if max(abs(o) / c.standard_error for o, c in zip(off, coverage, strict=True)) > SURPRISING:
        worst = max(off, key=abs)
        return f"its intervals are {'slightly ' if abs(worst) < 0.03 else ''}too {'wide' if worst > 0 else 'narrow'}"
    if len(pit) >= _FEW and chisquare(np.histogram(pit, pit_bins(len(pit)), (0, 1))[0]).pvalue < _RARE:
        shift = pit.mean() - 0.5
        if abs(shift) > SURPRISING / (12 * len(pit)) ** 0.5:
            return (
                f"its intervals hold what they should, but it predicts too {'low' if shift > 0 else 'high'} on average"
            )
        return "its intervals hold what they should, but the PIT histogram is uneven"
    return "there is no sign of miscalibration" + (", but so few rows can hardly show one" if len(pit) < _FEW else "")


def heaviest_scales(mixture: GaussianMixture, unit: Array) -> Array:
    """Return the scales of the heaviest component of each row: of each target given the ones before it, as the head of
    the network emits them, shape (n, T).

    Args:
        mixture: one distribution per row.
        unit: scale of each target, shape (T,), for the sake of precision.
    """
    T = mixture.event_shape.numel()
    S = mixture.covariance.dense(T).expand(*mixture.logits.shape, T, T)  # (n, K, T, T)
    heaviest = mixture.logits.argmax(-1)[:, None, None, None].expand(-1, 1, T, T)
    u = torch.as_tensor(unit)
    S = S.gather(1, heaviest).squeeze(1) / (u[:, None] * u)
    return torch.linalg.cholesky_ex(S).L.diagonal(dim1=-2, dim2=-1).numpy() * unit


def _standardised(x: Array) -> Array:
    x = x - x.mean(0)
    spread = x.std(0)
    return x / np.where(spread > 0, spread, np.inf)
