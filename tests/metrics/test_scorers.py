"""Scorers against the scores that they are made of, in scikit-learn's model selection, with weights and without."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mixtura.distributions import Diagonal, GaussianMixture, Isotropic
from mixtura.metrics import (
    coverage_scorer,
    crps,
    crps_scorer,
    energy_score,
    energy_scorer,
    nll_scorer,
    pinball,
    pinball_scorer,
)

SCORERS = {
    "crps": crps_scorer,
    "energy": energy_scorer,
    "nll": nll_scorer,
    "coverage": coverage_scorer(0.8),
    "pinball": pinball_scorer(0.9),
}


class Line(RegressorMixin, BaseEstimator):
    """Least squares with Gaussians of one scale around it."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X, y, sample_weight=None):
        root = np.ones(len(X)) if sample_weight is None else np.sqrt(sample_weight)
        design = np.column_stack([np.ones(len(X)), X])
        self.coef_ = np.linalg.lstsq(design * root[:, None], (y.T * root).T, rcond=None)[0]
        return self

    def predict(self, X):
        return np.column_stack([np.ones(len(X)), X]) @ self.coef_

    def predict_dist(self, X):
        mean = torch.as_tensor(self.predict(X))
        loc = mean.unsqueeze(1)
        logits = loc.new_zeros(len(loc), 1)
        if mean.dim() == 1:
            return GaussianMixture(logits, loc, Isotropic(self.scale**2), event_dim=0)
        return GaussianMixture(logits, loc, Diagonal(loc.new_full(mean.shape[1:], self.scale**2)))


def data(T=None, n=120):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (n, 2))
    noise = 0.5 * rng.standard_normal((n,) if T is None else (n, T))
    return X, noise + (X.sum(1) if T is None else X.sum(1, keepdims=True)), rng.integers(0, 4, n).astype(float)


def by_hand(name, mixture, y, weight):
    y = torch.as_tensor(y)
    each = {
        "crps": lambda: crps(mixture, y),
        "energy": lambda: energy_score(mixture, y).value,
        "nll": lambda: -mixture.log_prob(y),
        "pinball": lambda: pinball(y, mixture.icdf(torch.full_like(y, 0.9)).unsqueeze(-1), [0.9]),
        "coverage": lambda: ((mixture.cdf(y) - 0.5).abs() <= 0.4).double(),
    }[name]()
    mean = np.average(each.reshape(len(y), -1), axis=0, weights=weight)
    return -np.abs(mean - 0.8).mean() if name == "coverage" else -mean.mean()


@pytest.mark.parametrize("name", SCORERS)
@pytest.mark.parametrize("T", [None, 2])
def test_the_score_is_what_it_says(name, T):
    X, y, weight = data(T)
    model = Line(0.4).fit(X, y)
    q = model.predict_dist(X)
    assert SCORERS[name](model, X, y) == pytest.approx(by_hand(name, q, y, None), rel=1e-12)
    got = SCORERS[name](model, X, y, sample_weight=weight)
    assert got == pytest.approx(by_hand(name, q, y, weight), rel=1e-12)
    rows = np.repeat(np.arange(len(y)), weight.astype(int))
    if name != "energy":  # whose draws belong to rows
        assert got == pytest.approx(SCORERS[name](model, X[rows], y[rows]), rel=1e-12)


@pytest.mark.parametrize("name", SCORERS)
def test_in_cross_validation(name):
    X, y, _ = data()
    folds = KFold(3)
    got = cross_val_score(Line(0.5), X, y, cv=folds, scoring=SCORERS[name])
    for score, (train, test) in zip(got, folds.split(X), strict=True):
        model = Line(0.5).fit(X[train], y[train])
        assert score == pytest.approx(by_hand(name, model.predict_dist(X[test]), y[test], None), rel=1e-12)


@pytest.mark.parametrize("name", SCORERS)
def test_the_best_scale_is_found(name):
    X, y, _ = data(n=600)
    grid = {"scale": [0.05, 0.5, 5.0]}
    search = GridSearchCV(Line(), grid, scoring=SCORERS[name], cv=3).fit(X, y)
    assert search.best_params_ == {"scale": 0.5}
    pipeline = make_pipeline(StandardScaler(), Line())
    search = GridSearchCV(pipeline, {"line__scale": grid["scale"]}, scoring=SCORERS[name], cv=3).fit(X, y)
    assert search.best_params_ == {"line__scale": 0.5}


def test_weights_by_metadata_routing():
    X, y, weight = data()
    folds = KFold(3)
    with config_context(enable_metadata_routing=True):
        scorer = clone(crps_scorer).set_score_request(sample_weight=True)
        model = Line(0.5).set_fit_request(sample_weight=False)
        got = cross_val_score(model, X, y, cv=folds, scoring=scorer, params={"sample_weight": weight})
        both = cross_validate(
            model,
            X,
            y,
            cv=folds,
            scoring={"weighted": scorer, "plain": clone(crps_scorer).set_score_request(sample_weight=False)},
            params={"sample_weight": weight},
        )
        with pytest.raises(ValueError, match="not explicitly set"):
            cross_val_score(model, X, y, cv=folds, scoring=crps_scorer, params={"sample_weight": weight})
    for i, (train, test) in enumerate(folds.split(X)):
        q = Line(0.5).fit(X[train], y[train]).predict_dist(X[test])
        assert got[i] == both["test_weighted"][i] == pytest.approx(by_hand("crps", q, y[test], weight[test]))
        assert both["test_plain"][i] == pytest.approx(by_hand("crps", q, y[test], None))


def test_weights_without_metadata_routing():
    X, y, weight = data()
    folds = KFold(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # scikit-learn warns of scorers that take no weights
        search = GridSearchCV(Line(), {"scale": [0.5]}, cv=folds, scoring=dict(SCORERS), refit="crps")
        search.fit(X, y, sample_weight=weight)
    for i, (train, test) in enumerate(folds.split(X)):
        q = Line(0.5).fit(X[train], y[train], weight[train]).predict_dist(X[test])
        for name in SCORERS:
            got = search.cv_results_[f"split{i}_test_{name}"][0]
            assert got == pytest.approx(by_hand(name, q, y[test], weight[test]))


@pytest.mark.parametrize("name", SCORERS)
def test_copies_do_the_same(name):
    X, y, _ = data()
    model = Line(0.5).fit(X, y)
    for copy in (pickle.loads(pickle.dumps(SCORERS[name])), clone(SCORERS[name])):
        assert copy(model, X, y) == SCORERS[name](model, X, y)


def test_a_row_without_weight_does_not_count():
    X, y, _ = data()
    model = Line(1e-3).fit(X, y)
    y[0], weight = 1e200, np.ones(len(y))
    weight[0] = 0
    expected = nll_scorer(model, X[1:], y[1:])
    assert nll_scorer(model, X, y, sample_weight=weight) == pytest.approx(expected)


def test_refuses():
    X, y, _ = data()
    model = Line().fit(X, y)
    with pytest.raises(TypeError, match="StandardScaler has no predict_dist"):
        crps_scorer(StandardScaler().fit(X), X, y)
    with pytest.raises(ValueError, match="one value per distribution"):
        nll_scorer(model, X, y[:, None])
    for weight in (np.zeros(len(y)), -np.ones(len(y)), np.ones(3)):
        with pytest.raises(ValueError, match="sample_weight must hold one number per row"):
            nll_scorer(model, X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="level must lie strictly"):
        pinball_scorer(0.0)
