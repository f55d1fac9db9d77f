"""Bad input: a sentence, or a model with finite numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixtura import MixtureDensityRegressor
from mixtura.training.health import mixture_head

SMALL: dict[str, Any] = {"components": 3, "hidden": (8,), "epochs": 4, "ensemble": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (40, 2))
Y = X[:, 0] + 0.1 * rng.standard_normal(40)


def small(**options: Any) -> MixtureDensityRegressor:
    return MixtureDensityRegressor(**(SMALL | options))


GOOD: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "more components than rows": (X[:3], Y[:3], {"components": 10}),
    "two rows": (X[:2], Y[:2], {}),
    "networks that learn from one row": (X[:3], Y[:3], {"validation_fraction": 0.99, "ensemble": 5}),
    "more networks than rows": (X[:3], Y[:3], {"validation_fraction": 0.4, "ensemble": 8}),
    "a constant feature": (np.column_stack([X, np.full(40, 7.0)]), Y, {}),
    "nothing but a constant feature": (np.ones((40, 1)), Y, {}),
    "features of very different scale": (X * [1e30, 1e-30], Y, {}),
    "a feature that vanishes": (X * [1, 1e-200], Y, {}),
    "a target far from zero": (X, 1e9 + 1e-3 * Y, {}),
    "a large target": (X, 1e140 * Y, {}),
    "a small target": (X, 1e-140 * Y, {}),
    "two values": (X, np.tile([0.0, 1.0], 20), {}),
    "duplicated rows": (np.repeat(X[:4], 10, 0), np.repeat(Y[:4], 10), {}),
    "duplicated targets of two kinds": (X, np.column_stack([Y, Y]), {}),
    "one wild target": (X, np.r_[Y[1:], 1e12], {}),
    "one wild target, robust": (X, np.r_[Y[1:], 1e12], {"loss": "conditional"}),
    "whole numbers": (X, np.round(3 * Y).astype(int), {}),
    "truth values": (X, Y > 0, {}),
    "objects": (X.astype(object), Y.astype(object), {}),
    "float32": (X.astype("f4"), Y.astype("f4"), {}),
    "lists": (X.tolist(), Y.tolist(), {}),
    "an atom that never happens": (X, Y, {"atoms": [7.0]}),
}


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.filterwarnings("error")
def test_odd_input_gives_finite_numbers(name: str) -> None:
    x, y, options = GOOD[name]
    model = small(**options).fit(x, y)
    for found in (model.log_prob(x, y), model.predict(x), model.predict_quantiles(x), model.sample(x, 2)):
        assert np.isfinite(found).all()
    aleatoric, epistemic = model.predict_variances(x)
    assert np.isfinite(aleatoric).all()
    assert (aleatoric > 0).all()
    assert (epistemic >= 0).all()
    far = np.asarray(x, dtype=float) * 1e6 + 1e6
    assert np.isfinite(model.predict_quantiles(far)).all()


def test_targets_on_a_grid_have_components_no_narrower_than_a_cell() -> None:
    model = small(epochs=20).fit(np.repeat([[0.0], [1.0]], 50, axis=0), np.repeat([0.0, 1.0], 50))
    assert model.targets_.floor == pytest.approx(12**-0.5 / 0.5)
    deviation = model.predict_dist([[0.0], [1.0]]).covariance.parameter.sqrt()
    assert float(deviation.min()) >= 12**-0.5  # of a uniform distribution over a cell
    assert model.log_prob([[0.0]], [0.0]) < np.log(12**0.5 / (2 * np.pi) ** 0.5)


def test_a_target_on_a_grid_leaves_the_others_their_own_floor() -> None:
    rng = np.random.default_rng(0)
    y = np.column_stack([np.repeat([0.0, 1.0], 50), rng.standard_normal(100)])
    model = small(epochs=1).fit(rng.standard_normal((100, 2)), y)
    np.testing.assert_allclose(
        mixture_head(model.network_).min_scale.numpy(), [12**-0.5 / 0.5, model.min_scale], rtol=1e-6
    )


WEIGHTS: dict[str, tuple[Any, str]] = {
    "all zero": (np.zeros(40), "(?i)sample.weight"),
    "negative": (-np.ones(40), "[Nn]egative"),
    "NaN": (np.full(40, np.nan), "sample_weight contains NaN"),
    "of another length": (np.ones(3), r"sample_weight.shape == \(3,\), expected \(40,\)"),
    "one row": (np.eye(40)[0], "y is constant"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_make_no_sense_are_refused(name: str) -> None:
    weight, message = WEIGHTS[name]
    with pytest.raises(ValueError, match=message):
        small().fit(X, Y, weight)


def test_weights_of_the_score_are_checked() -> None:
    model = small().fit(X, Y)
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        model.score(X, Y, -np.ones(40))
    with pytest.raises(ValueError, match="expected"):
        model.score(X, Y, np.ones(3))
    assert model.score(X, Y, 1e-9 * np.ones(40)) == pytest.approx(model.score(X, Y), rel=1e-12)


@pytest.mark.parametrize("unit", [1e-300, 1e300])
def test_units_of_weights_do_not_matter(unit: float) -> None:
    weight = np.tile([1.0, 2.0], 20)
    np.testing.assert_allclose(small().fit(X, Y, unit * weight).predict(X), small().fit(X, Y, weight).predict(X), 1e-5)


BAD: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "one row": (X[:1], Y[:1], {}, "minimum of 2 is required"),
    "no row": (X[:0], Y[:0], {}, "minimum of 2 is required"),
    "no feature": (X[:, :0], Y, {}, r"0 feature\(s\)"),
    "a missing feature": (np.where(X > 0.9, np.nan, X), Y, {}, "Input X contains NaN"),
    "an infinite feature": (np.where(X > 0.9, np.inf, X), Y, {}, "Input X contains infinity"),
    "a missing target": (X, np.where(Y > 0, np.nan, Y), {}, "Input y contains NaN"),
    "text": (np.full((40, 1), "red"), Y, {}, "could not convert string to float"),
    "text as target": (X, ["red"] * 40, {}, "could not convert string to float"),
    "no target": (X, None, {}, "requires y"),
    "numbers in a row": (X[:, 0], Y, {}, "Expected 2D array, got 1D array"),
    "lengths that differ": (X, Y[:5], {}, "inconsistent numbers of samples"),
    "complex numbers": (X + 1j, Y, {}, "Complex data not supported"),
    "a constant target": (X, np.full(40, 3.5), {}, "y is constant: every value of target 0 is 3.5"),
    "a huge feature": (X * [1, 1e200], Y, {}, r"feature 1 of X reaches .*e\+199, which cannot be squared"),
    "a huge target": (X, 1e200 * Y, {}, r"y has targets of scale .*e\+199, whose square is no float64"),
    "a vanishing target": (X, 1e-200 * Y, {}, "whose square is no float64: multiply y by a power of ten"),
    "degrees": (X, 180 * Y, {"family": "vonmises"}, "angles in radians, but y reaches"),
    "half a component": (X, Y, {"components": 2.5}, "components must be positive and a whole number, or 'auto'"),
    "another word": (X, Y, {"components": "many"}, "or 'auto', got 'many'"),
    "no network": (X, Y, {"ensemble": 0}, "ensemble must be a whole number of at least 1, got 0"),
    "half a network": (X, Y, {"ensemble": 2.5}, "ensemble must be a whole number"),
    "one width": (X, Y, {"hidden": 8}, r"hidden must be a sequence of widths such as \(64, 64\), got 8"),
    "no epoch": (X, Y, {"epochs": 0}, "epochs, batch_size and patience must be at least 1, got 0"),
    "no row per step": (X, Y, {"batch_size": 0}, "epochs, batch_size and patience must be at least 1"),
    "a floor of weights that is too high": (X, Y, {"min_weight": 0.5}, r"min_weight must be in \[0, 1/K\)"),
    "noise below zero": (X, Y, {"input_noise": -1.0}, "must not be negative"),
    "another family": (X, Y, {"family": "student"}, "family must be one of"),
    "no atom": (X, Y, {"atoms": []}, r"atoms has shape \(0,\); for 1 targets it must be \(A, 1\) with A >= 1"),
    "atoms of other targets": (X, np.column_stack([Y, -Y]), {"atoms": [0.0, 1.0]}, r"must be \(A, 2\)"),
    "a missing atom": (X, Y, {"atoms": [np.nan]}, "atoms holds a value that is not finite"),
    "nothing but atoms": (X, Y > 0, {"atoms": [0, 1]}, "every target is an atom"),
    "atoms of angles": (X, Y, {"atoms": [0.0], "family": "vonmises"}, "atoms are for numbers, not for the angles"),
    "noise on atoms": (X, Y, {"atoms": [0.0], "target_noise": 0.1}, "target_noise would move targets off their atoms"),
    "a robust loss of atoms": (
        X,
        Y,
        {"atoms": [0.0], "loss": "conditional"},
        "needs Gaussian components without atoms",
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.filterwarnings("error")
def test_bad_input_is_a_sentence(name: str) -> None:
    x, y, options, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        small(**options).fit(x, y)


def test_input_of_another_shape_at_prediction_is_a_sentence() -> None:
    model, both = small().fit(X, Y), small().fit(X, np.column_stack([Y, -Y]))
    for method in (model.predict, model.predict_dist, model.sample, model.predict_region, model.predict_variances):
        with pytest.raises(ValueError, match="X has 3 features, but MixtureDensityRegressor is expecting 2"):
            method(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"y has shape \(40,\); as in fit, it must be \(40, 2\)"):
        both.log_prob(X, Y)
    with pytest.raises(ValueError, match=r"y has shape \(40, 2\); as in fit, it must be \(40,\)"):
        model.calibrate(X, np.column_stack([Y, Y]))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict(np.full((1, 2), np.nan))


def test_waves_are_as_strong_as_the_target_is_rough():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(600, 2))
    smooth, ripples = X.sum(1), np.sin(16 * np.pi * X[:, 0])
    noise = 0.1 * rng.standard_normal(600)
    fitted = [
        MixtureDensityRegressor(2, hidden=(32,), ensemble=2, epochs=60, random_state=0).fit(X, y + noise)
        for y in (smooth, ripples)
    ]
    assert fitted[0].roughness_ < fitted[1].roughness_ == 0.75


def test_roughness_can_be_given():
    rng = np.random.default_rng(1)
    X = rng.uniform(size=(200, 1))
    model = MixtureDensityRegressor(1, hidden=(8,), ensemble=1, epochs=2, roughness=0.6, random_state=0)
    model.fit(X, np.sin(9 * X[:, 0]) + 0.1 * rng.standard_normal(200))
    assert model.roughness_ == 0.6
    for wrong in (-0.1, 1.1, "smooth"):
        with pytest.raises(ValueError, match=r"roughness must be in \[0, 1\] or 'auto'"):
            model.set_params(roughness=wrong).fit(X, X[:, 0])
