"""The search of settings: what it tries, what it keeps, what it leaves alone."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_score

from mixtura import MixtureDensityRegressor
from mixtura.metrics import crps_scorer
from mixtura.selection import tune
from tests.helpers import global_state


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (80, 1))
    return X, X[:, 0] + 0.1 * rng.standard_normal(80)


class Small(MixtureDensityRegressor):
    """Lets a test be fast, whatever a trial says."""

    def fit(self, X, y, sample_weight=None):
        self.epochs, self.hidden = min(self.epochs, 8), [16]
        return super().fit(X, y, sample_weight)


def test_the_best_of_three_trials_is_fitted(rows):
    estimator = Small(2, ensemble=1, epochs=2, hidden=(16,), random_state=0)
    before, verbosity = global_state(), optuna.logging.get_verbosity()
    tuned, study = tune(estimator, *rows, trials=3, cv=2)
    assert global_state() == before
    assert optuna.logging.get_verbosity() == verbosity
    assert [t.state.name for t in study.trials] == ["COMPLETE"] * 3
    first, second, _ = study.trials
    folds = KFold(2, shuffle=True, random_state=0)
    assert first.value == cross_val_score(estimator, *rows, cv=folds).mean()  # the first is the estimator as it is
    assert first.params == {}
    assert {"components", "width", "depth", "dropout", "epochs", "learning_rate", "weight_decay"} < set(second.params)
    best = study.best_trial
    assert best.number > 0  # more than two epochs are better
    assert tuned.components == best.params["components"]
    assert tuned.learning_rate == best.params["learning_rate"]
    assert np.isfinite(tuned.score(*rows))
    assert not hasattr(estimator, "network_")
    again = tune(estimator, *rows, trials=3, cv=2).study
    assert [t.params for t in again.trials] == [t.params for t in study.trials]
    assert again.best_value == study.best_value


def test_the_estimator_stays_as_it_is_where_nothing_is_better(rows):
    class Worse(Small):
        def score(self, X, y, sample_weight=None):
            return -float(self.components)

    tuned, study = tune(Worse(1, ensemble=1, epochs=2, random_state=0), *rows, trials=2, cv=2)
    assert study.best_trial.number == 0
    assert (tuned.components, tuned.learning_rate) == (1, 2e-3)


def test_any_score_may_decide(rows):
    estimator = Small(1, ensemble=1, epochs=2, random_state=0)
    folds = KFold(2)
    study = tune(estimator, *rows, trials=1, scoring=crps_scorer, cv=folds).study
    assert study.best_value == cross_val_score(estimator, *rows, scoring=crps_scorer, cv=folds).mean()


def test_what_cannot_be_searched(rows):
    with pytest.raises(TypeError, match="LinearRegression has none of the settings"):
        tune(LinearRegression(), *rows)
    with pytest.raises(ValueError, match="trials must be at least 1, got 0"):
        tune(Small(), *rows, trials=0)
    with pytest.raises(ValueError, match="constant"):
        tune(Small(1, ensemble=1, epochs=2), rows[0], np.zeros(80), trials=2)
