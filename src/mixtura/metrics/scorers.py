"""Scores of predicted distributions for scikit-learn's model selection."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import UNUSED
from torch import Tensor

from mixtura.metrics.quantile_scores import pinball
from mixtura.metrics.scores import check_rows, crps, energy_score

__all__ = [
    "DistributionScorer",
    "coverage_scorer",
    "crps_scorer",
    "energy_scorer",
    "nll_scorer",
    "pinball_scorer",
]


class DistributionScorer(BaseEstimator):
    """Score what ``estimator.predict_dist(X)`` says about y, for ``scoring=`` of :func:`cross_val_score`,
    ``GridSearchCV`` and all that take a scorer: higher is better.

    The last step of a :class:`~sklearn.pipeline.Pipeline` may be such an estimator too. Weights of rows come by
    ``sample_weight``; with scikit-learn's metadata routing, ``clone(scorer).set_score_request(sample_weight=True)``
    asks for them.

    Args:
        measure: of a mixture, y and the weights of the rows, which sum to one.

    Raises:
        TypeError: when called, where the estimator has no ``predict_dist``.

    Example:
        >>> import torch, mixtura as mx
        >>> from mixtura.metrics import crps_scorer
        >>> class Standard:
        ...     def predict_dist(self, X):
        ...         zeros = torch.zeros(len(X), 1)
        ...         return mx.GaussianMixture(zeros, zeros, mx.Isotropic(1.0), event_dim=0)
        >>> round(crps_scorer(Standard(), [[1.0], [2.0]], [0.0, 0.0]), 4)
        -0.2337
    """

    __metadata_request__score = {"estimator": UNUSED}  # noqa: RUF012 - scikit-learn's own way to say what is no metadata

    def __init__(self, measure: Callable[[Any, Tensor, Tensor], Tensor]) -> None:
        self.measure = measure

    def __call__(self, estimator: Any, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the score of an estimator."""
        return self.score(estimator, X, y, sample_weight)

    def score(self, estimator: Any, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the score of an estimator on inputs X and targets y."""
        mixture = _predict_dist(estimator, X)
        truth = torch.as_tensor(np.asarray(y, dtype=np.float64)).to(mixture.logits.device)
        check_rows(mixture, truth)
        weight = np.ones(len(truth)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        if weight.shape != (len(truth),) or not (weight >= 0).all() or not 0 < weight.sum() < np.inf:
            raise ValueError("sample_weight must hold one number per row, none negative and not all zero.")
        with torch.no_grad():
            return self.measure(mixture, truth, torch.as_tensor(weight / weight.sum()).to(truth)).item()

    def _accept_sample_weight(self) -> bool:
        """Say to scikit-learn, where several scorers share a search without metadata routing, who takes weights."""
        return True


def coverage_scorer(level: float) -> DistributionScorer:
    """Return minus the distance between a level and how often the central intervals of it hold y, averaged over
    targets: best at zero.

    Args:
        level: strictly between 0 and 1.

    Raises:
        ValueError: where level is not strictly between 0 and 1.

    Example:
        >>> coverage_scorer(90)
        Traceback (most recent call last):
        ValueError: level must lie strictly between 0 and 1, got 90.
    """
    return DistributionScorer(partial(_coverage, level=_checked(level)))


def pinball_scorer(level: float) -> DistributionScorer:
    """Return minus the mean pinball loss of the quantile of a level, averaged over targets, in the target's units.

    Args:
        level: strictly between 0 and 1.

    Raises:
        ValueError: where level is not strictly between 0 and 1.
    """
    return DistributionScorer(partial(_pinball, level=_checked(level)))


def _crps(mixture: Any, y: Tensor, weight: Tensor) -> Tensor:
    return -_mean(crps(mixture, y), weight)


def _energy(mixture: Any, y: Tensor, weight: Tensor) -> Tensor:
    return -_mean(energy_score(mixture, y).value, weight)


def _log_likelihood(mixture: Any, y: Tensor, weight: Tensor) -> Tensor:
    return _mean(mixture.log_prob(y), weight)


def _coverage(mixture: Any, y: Tensor, weight: Tensor, level: float) -> Tensor:
    low, high = (mixture.icdf(torch.full_like(y, (1 + sign * level) / 2)) for sign in (-1, 1))
    inside = ((low <= y) & (y <= high)).to(weight).reshape(len(y), -1)
    return -((weight @ inside) - level).abs().mean()


def _pinball(mixture: Any, y: Tensor, weight: Tensor, level: float) -> Tensor:
    quantile = mixture.icdf(torch.full_like(y, level))
    return -_mean(pinball(y, quantile.unsqueeze(-1), [level]), weight)


def _mean(losses: Tensor, weight: Tensor) -> Tensor:
    """Average over targets, and over rows by their weights; rows without weight do not count even if infinite."""
    each = losses.reshape(len(losses), -1).mean(-1)
    return (weight[weight > 0] * each[weight > 0]).sum()


def _predict_dist(estimator: Any, X: Any) -> Any:
    if isinstance(estimator, Pipeline) and len(estimator) > 1:
        return _predict_dist(estimator[-1], estimator[:-1].transform(X))
    if not hasattr(estimator, "predict_dist"):
        raise TypeError(
            f"{type(estimator).__name__} has no predict_dist: this scorer is for estimators that predict distributions."
        )
    return estimator.predict_dist(X)


def _checked(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}.")
    return level


crps_scorer = DistributionScorer(_crps)
"""Minus the mean continuous ranked probability score, averaged over targets, in the target's units."""
energy_scorer = DistributionScorer(_energy)
"""Minus the mean energy score of all targets together, in the target's units."""
nll_scorer = DistributionScorer(_log_likelihood)
"""Minus the mean negative log-likelihood in nats, joint for several targets."""
