"""How an autoencoder does on test rows: its bound, and how far its answers are from the row and from real rows."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixtura.costs import Bound
from mixtura.estimators import MixtureAutoencoder
from mixtura.report.words import number, plus_minus
from mixtura.training import code_bound

__all__ = ["ANSWERS", "AutoencoderScore", "AutoencoderScores", "score"]

Array = NDArray[np.float64]
ANSWERS = 30
"""Answers that are drawn for every test row."""
_BOUND_ROWS = 800
_DRAWS = 400
_SEED = 0


@dataclass(frozen=True)
class AutoencoderScore:
    """Numbers of one model. Errors are squared distances in squared units of X, summed over columns, mean of the rows,
    with their standard errors."""

    name: str
    train_ratio: tuple[float, float]
    """Value over bound of 800 training rows at most, with its standard error over draws of the code."""
    test_ratio: tuple[float, float]
    """The same for test rows, which are fewer: a code means fewer of them, so the bound is higher."""
    mean_error: tuple[float, float]
    """From the row to the mean of the answers to its code, which is what a standard autoencoder returns."""
    answer_error: tuple[float, float]
    """From the row to one answer, drawn by its weight."""
    best_error: tuple[float, float]
    """From the row to the nearest of 30 answers drawn by their weights."""
    nearest: tuple[float, float]
    """From an answer to the nearest training row: a blurred average is far from all of them."""


@dataclass(frozen=True)
class AutoencoderScores:
    """What a report says in numbers; ``print`` shows it as a table."""

    model: AutoencoderScore
    rivals: tuple[AutoencoderScore, ...]

    @property
    def all(self) -> tuple[AutoencoderScore, ...]:
        """The model and what it is compared with."""
        return (self.model, *self.rivals)

    def __str__(self) -> str:
        rows = [["", "value / bound", f"best of {ANSWERS}", "mean error", "answer to data"]]
        rows += [
            [s.name, plus_minus(*s.train_ratio), *(number(e[0]) for e in (s.best_error, s.mean_error, s.nearest))]
            for s in self.all
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(lines)


def score(name: str, model: MixtureAutoencoder, variance: float, train: Array, test: Array) -> AutoencoderScore:
    """Score one model.

    Args:
        name: of the model.
        model: fitted.
        variance: of the kernel that the bound is taken with, in squared units of what the network sees.
        train: rows that it was fitted on, shape (n, D).
        test: rows that it has not seen, shape (m, D).
    """
    seeded = copy(model).set_params(random_state=_SEED)  # the same report is written again
    mean = seeded.inverse_transform(seeded.transform(test))
    answers = seeded.reconstruct(test, ANSWERS)
    errors = np.square(answers - test[:, None]).sum(-1)
    return AutoencoderScore(
        name,
        _ratio(model, variance, train),
        _ratio(model, variance, test),
        _mean(np.square(mean - test).sum(-1)),
        _mean(errors[:, 0]),
        _mean(errors.min(1)),
        _mean(_nearest(torch.as_tensor(answers[:, 0]), torch.as_tensor(train))),
    )


def _ratio(model: MixtureAutoencoder, variance: float, x: Array) -> tuple[float, float]:
    z = torch.as_tensor((x - model.mean_) / model.scale_)
    z = z[np.random.default_rng(_SEED).permutation(len(z))[:_BOUND_ROWS]]
    bound: Bound = code_bound(model.autoencoder_, z, variance, draws=_DRAWS, seed=_SEED)
    ratio = float((-bound.gap).exp())
    return ratio, ratio * float(bound.standard_error)


def _nearest(answers: Tensor, train: Tensor) -> Array:
    return torch.cdist(answers, train).square().amin(1).numpy()


def _mean(x: Array) -> tuple[float, float]:
    return float(x.mean()), float(x.std(ddof=1) / len(x) ** 0.5) if len(x) > 1 else float("nan")
