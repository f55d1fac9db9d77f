"""Every other setting, by trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_score

from mixtura._optional import require

__all__ = ["Tuned", "tune"]

_SPACE: dict[str, Callable[[Any], Any]] = {
    "components": lambda trial: trial.suggest_int("components", 1, 30, log=True),
    "hidden": lambda trial: [trial.suggest_int("width", 16, 256, log=True)] * trial.suggest_int("depth", 1, 4),
    "dropout": lambda trial: trial.suggest_float("dropout", 0.0, 0.5),
    "input_noise": lambda trial: trial.suggest_float("input_noise", 1e-3, 0.3, log=True),
    "target_noise": lambda trial: trial.suggest_float("target_noise", 1e-3, 0.3, log=True),
    "learning_rate": lambda trial: trial.suggest_float("learning_rate", 3e-4, 2e-2, log=True),
    "epochs": lambda trial: trial.suggest_int("epochs", 20, 400, log=True),
    "weight_decay": lambda trial: trial.suggest_float("weight_decay", 1e-4, 1.0, log=True),
}
"""How a trial draws each setting of an estimator."""
_SETTINGS = "settings"


class Tuned(NamedTuple):
    """What :func:`tune` found."""

    estimator: Any
    """With the best settings, fitted to all rows."""
    study: Any
    """The ``optuna.Study``; its first trial is the estimator as it was given."""


def tune(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    trials: int = 50,
    scoring: str | Callable[..., float] | None = None,
    cv: Any = 3,
    random_state: int = 0,
) -> Tuned:
    """Search the settings of a regressor by cross-validation, and fit it with the best.

    Those of its settings that matter are drawn by Optuna's tree-structured Parzen estimator: number of components (1 to
    30), width (16 to 256) and depth (1 to 4) of the network, dropout, noise, learning rate, epochs and weight decay.
    The first trial is the estimator as it is, so that the result is never worse by this measure. Smaller ensembles make
    the trials shorter.

    Args:
        estimator: a :class:`~mixtura.MixtureDensityRegressor`, or what has some of its parameters; it stays as it is.
        X: inputs, shape (n, d).
        y: targets, shape (n,) or (n, T).
        trials: settings that are tried, the first included.
        scoring: as in :func:`sklearn.model_selection.cross_val_score`, such as :data:`mixtura.metrics.crps_scorer`;
            None takes the estimator's own ``score``, which is its mean log-likelihood. Higher is better.
        cv: as there; a number of folds shuffles the rows.
        random_state: seed of the search and of the folds.

    Raises:
        ImportError: where optuna is not installed.
        TypeError: where the estimator has none of these parameters.
        ValueError: where ``trials`` is not positive or the data is wrong.

    Source:
        Akiba et al. 2019, "Optuna: a next-generation hyperparameter optimization framework".

    Example:
        >>> import numpy as np, mixtura as mx
        >>> from mixtura.selection import tune
        >>> X = np.linspace(-1, 1, 60)[:, None]
        >>> y = X[:, 0] + 0.1 * np.random.default_rng(0).standard_normal(60)
        >>> model = mx.MixtureDensityRegressor(2, hidden=(8,), ensemble=1, epochs=10, random_state=0)
        >>> tuned, study = tune(model, X, y, trials=1, cv=2)
        >>> bool(study.best_value > -2), tuned.components
        (True, 2)
    """
    if trials < 1:
        raise ValueError(f"trials must be at least 1, got {trials}.")
    names = sorted(_SPACE.keys() & estimator.get_params(deep=False).keys())
    if not names:
        raise TypeError(f"{type(estimator).__name__} has none of the settings that are searched: {', '.join(_SPACE)}.")
    optuna = require("optuna", "Tuning", "select")
    folds = KFold(cv, shuffle=True, random_state=random_state) if isinstance(cv, int) else cv

    def score(trial: Any) -> float:
        settings = {name: _SPACE[name](trial) for name in names} if trial.number else {}
        trial.set_user_attr(_SETTINGS, settings)
        candidate = clone(estimator).set_params(**settings)
        return float(cross_val_score(candidate, X, y, scoring=scoring, cv=folds, error_score="raise").mean())

    with _quiet(optuna):
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=random_state))
        study.optimize(score, n_trials=1)  # what is wrong with the data is said here
        study.optimize(score, n_trials=trials - 1, catch=FloatingPointError)
    best = clone(estimator).set_params(**study.best_trial.user_attrs[_SETTINGS])
    return Tuned(best.fit(X, y), study)


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Let optuna say only what is wrong, and put its own setting back."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
