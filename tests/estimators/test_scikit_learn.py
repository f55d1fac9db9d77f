"""Both estimators in the tools of scikit-learn: pipelines, searches, routing of weights, names of features, pickles."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_validate
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mixtura import MixtureDensityEstimator, MixtureDensityRegressor

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (90, 2))
Y = np.where(rng.random(90) < 0.5, 1, -1) * (0.5 + X[:, 0]) + 0.05 * rng.standard_normal(90)
WEIGHT = rng.integers(0, 3, 90).astype(float)


def small(**options: Any) -> MixtureDensityRegressor:
    settings: dict[str, Any] = {"components": 2, "hidden": (8,), "epochs": 4, "ensemble": 2, "random_state": 0}
    return MixtureDensityRegressor(**(settings | options))


def density(**options: Any) -> MixtureDensityEstimator:
    settings: dict[str, Any] = {"components": 50, "hidden": (8,), "steps": 5, "batch_size": 32, "random_state": 0}
    return MixtureDensityEstimator(**(settings | options))


def test_grid_search_finds_the_number_of_components() -> None:
    search = GridSearchCV(small(epochs=40), {"components": [1, 2]}, cv=3).fit(X, Y)
    assert search.best_params_ == {"components": 2}
    best: Any = search.best_estimator_
    np.testing.assert_array_equal(search.predict(X), best.predict(X))
    assert search.score(X, Y) == pytest.approx(best.log_prob(X, Y).mean(), abs=1e-12)
    fold = search.cv_results_["split0_test_score"][1]
    train, test = next(KFold(3).split(X))
    by_hand = small(epochs=40).fit(X[train], Y[train]).log_prob(X[test], Y[test]).mean()
    assert fold == pytest.approx(by_hand, abs=1e-9)


def test_a_density_can_be_searched_and_piped() -> None:
    search = GridSearchCV(make_pipeline(StandardScaler(), density()), {"mixturedensityestimator__components": [20, 50]})
    search.set_params(cv=2).fit(X)
    train, test = next(KFold(2).split(X))
    scaler = StandardScaler().fit(X[train])
    by_hand = density(components=20).fit(scaler.transform(X[train])).score_samples(scaler.transform(X[test])).mean()
    assert search.cv_results_["split0_test_score"][0] == pytest.approx(by_hand, abs=1e-6)


def test_weights_are_routed_through_pipelines_searches_and_validation() -> None:
    train, test = next(KFold(3).split(X))
    scaler = StandardScaler().fit(X[train], sample_weight=WEIGHT[train])
    by_hand = small().fit(scaler.transform(X[train]), Y[train], WEIGHT[train])
    log_prob = by_hand.log_prob(scaler.transform(X[test]), Y[test])
    weighted = np.average(log_prob, weights=WEIGHT[test])
    with config_context(enable_metadata_routing=True):
        model: Any = small().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), model)
        found = cross_validate(pipe, X, Y, cv=3, params={"sample_weight": WEIGHT})
        assert found["test_score"][0] == pytest.approx(weighted, abs=1e-9)
        grid = {"mixturedensityregressor__components": [2]}
        search = GridSearchCV(pipe, grid, cv=3, refit=False).fit(X, Y, sample_weight=WEIGHT)
        assert search.cv_results_["split0_test_score"][0] == pytest.approx(weighted, abs=1e-9)
        half: Any = small().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        found = cross_validate(half, X, Y, cv=3, params={"sample_weight": WEIGHT})
        unweighted = small().fit(X[train], Y[train], WEIGHT[train]).score(X[test], Y[test])
        assert found["test_score"][0] == pytest.approx(unweighted, abs=1e-9)
        with pytest.raises(ValueError, match=r"sample_weight.*not explicitly set"):
            cross_validate(small(), X, Y, cv=3, params={"sample_weight": WEIGHT})


def test_weights_of_a_density_are_routed() -> None:
    with config_context(enable_metadata_routing=True):
        model: Any = density().set_fit_request(sample_weight=True)
        found = cross_validate(model, X, cv=2, params={"sample_weight": WEIGHT})
    train, test = next(KFold(2).split(X))
    by_hand = density().fit(X[train], sample_weight=WEIGHT[train]).score(X[test])
    assert found["test_score"][0] == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("model", [small(), density()])
@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_names_of_features_are_learnt_checked_and_saved(model: Any, library: str, tmp_path: Any) -> None:
    frames = pytest.importorskip(library)
    table = frames.DataFrame({"height": X[:, 0], "width": X[:, 1]})
    y = frames.Series(Y)
    model = clone(model).fit(table, y)
    assert list(model.feature_names_in_) == ["height", "width"]
    model.save(tmp_path / "model")
    method = "predict" if isinstance(model, MixtureDensityRegressor) else "score_samples"
    for fitted in (model, type(model).load(tmp_path / "model")):
        np.testing.assert_array_equal(
            getattr(fitted, method)(table), getattr(clone(model).fit(table, y), method)(table)
        )
        with pytest.raises(ValueError, match="feature names should match"):
            getattr(fitted, method)(frames.DataFrame({"height": X[:, 0], "depth": X[:, 1]}))
    assert not hasattr(clone(model).fit(X, Y), "feature_names_in_")


def test_rows_that_may_not_be_written_to_are_read_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of a table of pandas are. Torch warns of them once in a process, so every time must count."""
    monkeypatch.setattr(torch, "as_tensor", _refusing_read_only(torch.as_tensor))
    X_, Y_ = X.copy(), Y.copy()
    X_.flags.writeable = Y_.flags.writeable = False
    regressor = small().fit(X_, Y_).calibrate(X_, Y_)
    np.testing.assert_array_equal(regressor.log_prob(X_, Y_), regressor.log_prob(X, Y))
    np.testing.assert_array_equal(regressor.predict(X_), regressor.predict(X))
    np.testing.assert_array_equal(density().fit(X_).score_samples(X_), density().fit(X).score_samples(X))


def _refusing_read_only(as_tensor: Any) -> Any:
    def checked(data: Any, **options: Any) -> Any:
        assert not isinstance(data, np.ndarray) or data.flags.writeable
        return as_tensor(data, **options)

    return checked


@pytest.mark.parametrize("options", [{}, {"components": 1, "atoms": [0.0], "family": "laplace"}])
def test_a_pickled_regressor_predicts_the_same(options: dict[str, Any], tmp_path: Any) -> None:
    model = small(**options).fit(X, Y)
    if not options:
        model.calibrate(X, Y)
    joblib.dump(model, tmp_path / "model")
    again = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_quantiles(X), model.predict_quantiles(X))
    np.testing.assert_array_equal(again.log_prob(X, Y), model.log_prob(X, Y))
    np.testing.assert_array_equal(again.sample(X, 2), model.sample(X, 2))
    assert again.history_ == model.history_
    if not options:
        assert torch.equal(again.predict_region(X).log_level, model.predict_region(X).log_level)
    np.testing.assert_array_equal(again.fit(X, Y).predict(X), model.predict(X))  # goes on being an estimator


def test_a_pickled_density_scores_the_same(tmp_path: Any) -> None:
    model = density().fit(X)
    joblib.dump(model, tmp_path / "model")
    again = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(again.score_samples(X), model.score_samples(X))
    np.testing.assert_array_equal(again.sample(5), model.sample(5))


@pytest.mark.parametrize("model", [small(atoms=[0.0], covariance="low_rank"), density(cost="scalar")])
def test_a_clone_has_the_settings_and_nothing_learnt(model: Any) -> None:
    fitted = clone(model).fit(X, Y)
    again = clone(fitted)
    assert again.get_params() == model.get_params()
    assert not [name for name in vars(again) if name.endswith("_") and not name.startswith("_")]


def test_fitted_models_survive_a_change_of_settings() -> None:
    """What was learnt does not depend on what the next fit is asked for."""
    model = small().fit(X, Y)
    before = model.predict(X)
    np.testing.assert_array_equal(model.set_params(ensemble=7, components=9).predict(X), before)


def test_a_transformed_target_gives_the_transformed_mean() -> None:
    """It has no density, and exp of the mean of log y is not the mean of y: to be avoided, and documented."""
    positive = np.exp(Y)
    model: Any = TransformedTargetRegressor(small(), func=np.log, inverse_func=np.exp).fit(X, positive)
    inner = model.regressor_
    np.testing.assert_allclose(model.predict(X), np.exp(inner.predict(X)), rtol=1e-12)
    mean = np.exp(inner.sample(X, 4000)).mean(1)
    assert (model.predict(X) < mean).mean() > 0.95  # Jensen's inequality
    assert not hasattr(model, "predict_dist")


def test_there_is_nothing_to_set_an_output_for() -> None:
    """``set_output`` is for transformers; predictions are arrays."""
    assert not hasattr(small(), "set_output")


def test_in_meta_estimators() -> None:
    both = np.column_stack([Y, -Y])
    separate: Any = MultiOutputRegressor(small()).fit(X, both)
    np.testing.assert_array_equal(separate.predict(X)[:, 1], small().fit(X, -Y).predict(X))
    bag: Any = BaggingRegressor(small(), n_estimators=2, random_state=0).fit(X, Y)
    np.testing.assert_allclose(bag.predict(X), np.mean([m.predict(X) for m in bag.estimators_], 0), rtol=1e-12)
    crossed = cross_val_predict(small(), X, both, cv=3)
    train, test = next(KFold(3).split(X))
    np.testing.assert_array_equal(crossed[test], small().fit(X[train], both[train]).predict(X[test]))
