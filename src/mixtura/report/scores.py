"""The model's scores on test rows, beside those of two simple predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold, cross_val_predict

from mixtura.distributions import Diagonal, GaussianMixture
from mixtura.metrics import Coverage, crps
from mixtura.report.words import number, plus_minus

__all__ = ["Score", "Scores", "homoscedastic_regression", "marginal_gaussian", "score"]

Array = NDArray[np.float64]
_SMALLEST_SD = 1e-6
"""Of a baseline, in standard deviations of the target."""


@dataclass(frozen=True)
class Score:
    """How good one prediction is on the test rows."""

    name: str
    log_prob: Array = field(repr=False)
    """Log-likelihood of each row in nats, in the targets' units, shape (n,)."""
    crps: tuple[float, ...]
    """Mean continuous ranked probability score of each target, in its units."""
    rmse: tuple[float, ...]
    """Root of the mean squared error of the predicted mean, of each target."""

    @property
    def nll(self) -> float:
        """Mean negative log-likelihood in nats, joint for several targets."""
        return float(-self.log_prob.mean())

    @property
    def nll_error(self) -> float:
        """Standard error of ``nll``; NaN for a single row."""
        return _standard_error(self.log_prob)

    def gain_over(self, other: Score) -> tuple[float, float]:
        """Return by how many nats per row this is better than another, and the standard error of the difference."""
        difference = self.log_prob - other.log_prob
        return float(difference.mean()), _standard_error(difference)


@dataclass(frozen=True)
class Scores:
    """What a report says in numbers; ``print`` shows it as a table."""

    model: Score
    regression: Score
    """A boosted regression with one standard deviation for all rows."""
    marginal: Score
    """A Gaussian with the mean and the standard deviation of the training targets."""
    coverage: list[Coverage]
    """Of the central intervals of the model, target by target."""
    targets: tuple[str, ...]

    def __str__(self) -> str:
        several = len(self.targets) > 1
        header = ["", "NLL [nats]"]
        header += [f"{what} {name}" if several else what for name in self.targets for what in ("CRPS", "RMSE")]
        rows = [header]
        for s in (self.model, self.regression, self.marginal):
            pairs = zip(s.crps, s.rmse, strict=True)
            rows.append([s.name, plus_minus(s.nll, s.nll_error), *(number(x) for pair in pairs for x in pair)])
        widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join(lines)


def score(name: str, mixture: GaussianMixture, y: Array) -> Score:
    """Score the predictions of one mixture per row.

    Args:
        name: of what predicts.
        mixture: batch_shape (n,), event_shape () or (T,).
        y: the truth, shape (n,) or (n, T).
    """
    truth = torch.as_tensor(y)
    columns = (crps(mixture, truth).reshape(len(y), -1), (mixture.mean - truth).square().reshape(len(y), -1))
    each, error = (c.mean(0).tolist() for c in columns)
    return Score(name, mixture.log_prob(truth).numpy(), tuple(each), tuple(e**0.5 for e in error))


def marginal_gaussian(y: Array, rows: int) -> GaussianMixture:
    """Return, for every row alike, independent Gaussians with the mean and the standard deviation of each target.

    Args:
        y: targets of the training rows, shape (n, T).
        rows: how many distributions to return.
    """
    return _gaussians(np.repeat(y.mean(0)[None], rows, axis=0), y.std(0))


def homoscedastic_regression(X: Array, y: Array, X_test: Array) -> GaussianMixture:
    """Return independent Gaussians around a boosted regression of each target, with one standard deviation for all
    rows: the root mean square of the residuals in five-fold cross-validation.

    Args:
        X: inputs of the training rows, shape (n, d).
        y: their targets, shape (n, T).
        X_test: inputs of the rows to predict, shape (m, d).
    """
    mean, spread = y.mean(0), y.std(0)
    predicted, sd = np.empty((len(X_test), y.shape[1])), np.empty(y.shape[1])
    for t, z in enumerate(((y - mean) / spread).T):
        regressor = HistGradientBoostingRegressor(random_state=0)
        folds = KFold(min(5, len(X)), shuffle=True, random_state=0)
        residual = z - cross_val_predict(regressor, X, z, cv=folds)
        predicted[:, t] = regressor.fit(X, z).predict(X_test)
        sd[t] = max(np.square(residual).mean() ** 0.5, _SMALLEST_SD)
    return _gaussians(mean + spread * predicted, spread * sd)


def _gaussians(mean: Array, sd: Array) -> GaussianMixture:
    loc = torch.as_tensor(mean).unsqueeze(-2)  # (n, 1, T)
    return GaussianMixture(loc.new_zeros(loc.shape[:-1]), loc, Diagonal(torch.as_tensor(sd).square()))


def _standard_error(x: Sequence[float] | Array) -> float:
    return float(np.std(x, ddof=1) / len(x) ** 0.5) if len(x) > 1 else float("nan")
