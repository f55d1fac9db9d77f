"""The regressor as skpro knows regressors; skpro is imported where it is asked for."""

from __future__ import annotations

from functools import cache
from typing import Any

from sklearn.base import clone

from mixtura._optional import require
from mixtura.estimators.regressor import MixtureDensityRegressor

__all__ = ["skpro_regressor"]

_NAME = "SkproMixtureRegressor"


def skpro_regressor(model: MixtureDensityRegressor | None = None) -> Any:
    """Return a regressor with the interface of skpro, whose ``predict_proba`` gives skpro's ``NormalMixture``.

    It takes part in skpro's pipelines, searches and benchmarks. Distributions of skpro are those of each target by
    itself; what targets have to do with each other is in ``predict_dist`` of its ``model_``.

    Args:
        model: with Gaussian components and without atoms; its copy is fitted and kept as ``model_``. None takes one
            with default settings.

    Raises:
        ImportError: where skpro is not installed.
        ValueError: at ``fit``, where the model has atoms or another family: skpro has no distribution for these.

    Example:
        >>> import mixtura as mx
        >>> from mixtura.estimators.skpro import skpro_regressor
        >>> model = skpro_regressor(mx.MixtureDensityRegressor(components=3))  # doctest: +SKIP
        >>> model.fit(X, y).predict_proba(X).ppf(0.9)  # doctest: +SKIP
    """
    return _regressor_class()(model)


@cache
def _regressor_class() -> Any:
    purpose = "mixtura.estimators.skpro"
    base = require("skpro.regression.base", purpose, "skpro").BaseProbaRegressor
    distribution = require("skpro.distributions.normal_mixture", purpose, "skpro").NormalMixture

    class SkproMixtureRegressor(base):
        _tags = {  # noqa: RUF012
            "authors": ["the mixtura developers"],
            "capability:multioutput": True,
            "capability:missing": False,
            "python_dependencies": ["mixtura"],
        }

        def __init__(self, model: MixtureDensityRegressor | None = None) -> None:
            self.model = model
            super().__init__()

        def _fit(self, X: Any, y: Any) -> Any:
            model = MixtureDensityRegressor() if self.model is None else clone(self.model)
            if model.family != "gaussian" or model.atoms is not None:
                raise ValueError(
                    "skpro has a distribution for mixtures of Gaussians only: use family='gaussian' and no atoms here, "
                    "or the model without skpro."
                )
            self.columns_ = y.columns
            self.model_ = model.fit(X.to_numpy(), y.to_numpy())
            return self

        def _predict_proba(self, X: Any) -> Any:
            q = self.model_.predict_dist(X.to_numpy())
            sigma = q._variances().sqrt()
            return distribution(q.weights.numpy(), q.loc.numpy(), sigma.numpy(), index=X.index, columns=self.columns_)

        @classmethod
        def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
            """Return settings that are quick to fit, for skpro's own checks."""
            quick = {"hidden": (8,), "epochs": 3, "ensemble": 2, "random_state": 0}
            return [{"model": MixtureDensityRegressor(K, **quick)} for K in (1, 3)]

    SkproMixtureRegressor.__module__, SkproMixtureRegressor.__qualname__ = __name__, _NAME
    SkproMixtureRegressor.__doc__ = skpro_regressor.__doc__
    return SkproMixtureRegressor


def __getattr__(name: str) -> Any:
    """Find the class by its name, as pickle does."""
    if name == _NAME:
        return _regressor_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
