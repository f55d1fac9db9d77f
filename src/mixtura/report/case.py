"""What a report on a regressor is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from mixtura.distributions import GaussianMixture
from mixtura.estimators import MixtureDensityRegressor
from mixtura.metrics import coverage, pit
from mixtura.report.importance import permutation_importance
from mixtura.report.rows import Survey, survey_rows
from mixtura.report.scores import Scores, homoscedastic_regression, marginal_gaussian, score
from mixtura.report.words import clean

__all__ = ["Case"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A fitted regressor with its data, and what it predicts for the test rows."""

    model: MixtureDensityRegressor
    X_train: Array
    y_train: Array
    """Shape (n, T), also for one target."""
    X_test: Array
    y_test: Array
    """Shape (m, T), also for one target."""
    features: tuple[str, ...]
    targets: tuple[str, ...]
    mixture: GaussianMixture
    """Predicted for the test rows."""
    pit: Array
    """Of the test rows, shape (m, T)."""
    scores: Scores

    @classmethod
    def build(
        cls,
        model: MixtureDensityRegressor,
        train: tuple[ArrayLike, ArrayLike],
        test: tuple[ArrayLike, ArrayLike],
        feature_names: Sequence[str] | None = None,
        target_names: Sequence[str] | None = None,
    ) -> Self:
        """Predict and score; the arguments are those of :func:`~mixtura.report.regression_report`.

        Raises:
            ValueError: where the data do not fit the model, each other or the names.
        """
        X, y = _pair(train, "train")
        X_test, y_test = _pair(test, "test")
        mixture = model.predict_dist(X_test)
        for values, name in ((y, "train"), (y_test, "test")):
            if values.shape[1:] != mixture.event_shape:
                expected = ("n", *mixture.event_shape)
                raise ValueError(f"y of {name} has shape {values.shape}; as in fit, it must be {expected}.")
        truth = torch.as_tensor(y_test)
        y, y_test = y.reshape(len(y), -1), y_test.reshape(len(y_test), -1)
        features = _names(feature_names, getattr(model, "feature_names_in_", None), "feature", X_test.shape[1])
        targets = _names(target_names, None, "target", y.shape[1])
        scores = Scores(
            score("mixture density", mixture, truth.numpy()),
            score("regression, one sd", homoscedastic_regression(X, y, X_test), y_test),
            score("marginal Gaussian", marginal_gaussian(y, len(y_test)), y_test),
            coverage(mixture, truth),
            targets,
        )
        transforms = pit(mixture, truth).reshape(len(y_test), -1).numpy()
        return cls(model, X, y, X_test, y_test, features, targets, mixture, transforms, scores)

    @property
    def judged_on_test(self) -> bool:
        """Whether the importance of features is judged on the test rows: there are enough to be shuffled."""
        return len(self.X_test) >= 50

    @cached_property
    def importance(self) -> tuple[Array, Array]:
        """Drop of the mean log-likelihood in nats when a feature is shuffled, and its standard error, shapes (d,)."""
        X, y = (self.X_test, self.y_test) if self.judged_on_test else (self.X_train, self.y_train)
        return permutation_importance(self.model, X, y.reshape(len(y), *self.mixture.event_shape))

    @cached_property
    def survey(self) -> Survey:
        """What the predictions for the test rows look like."""
        return survey_rows(self.model, self.X_test, self.scores.model.log_prob)


def _pair(data: tuple[ArrayLike, ArrayLike], name: str) -> tuple[Array, Array]:
    X, y = (np.asarray(a, dtype=np.float64) for a in data)
    if X.ndim != 2 or y.ndim not in (1, 2) or len(X) != len(y) or len(X) == 0:
        raise ValueError(
            f"{name} has X of shape {X.shape} and y of shape {y.shape}; they must be (n, d) and (n,) or (n, T) with "
            "the same n >= 1."
        )
    return X, y


def _names(given: Sequence[str] | None, seen: Sequence[str] | None, word: str, count: int) -> tuple[str, ...]:
    numbered = [word] if count == 1 else [f"{word} {i + 1}" for i in range(count)]
    chosen = given if given is not None else seen if seen is not None else numbered
    if len(chosen) != count:
        raise ValueError(f"{word}_names has {len(chosen)} names, but there are {count}.")
    return tuple(clean(name) or blank for name, blank in zip(chosen, numbered, strict=True))
