"""A regressor that chooses its number of components."""

from typing import Any

import numpy as np
import pytest

from mixtura import MixtureDensityRegressor
from tests.helpers import global_state


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (400, 1))
    return X, np.where(rng.random(400) < 0.5, 1, -1) * (1 + X[:, 0] ** 2) + 0.1 * rng.standard_normal(400)


def regressor(components: Any = "auto", **options: Any) -> MixtureDensityRegressor:
    settings: dict[str, Any] = {"hidden": (16,), "ensemble": 2, "epochs": 40, "learning_rate": 1e-2, "random_state": 0}
    return MixtureDensityRegressor(components, **settings | options)


@pytest.fixture(scope="module")
def fitted(rows):
    return regressor().fit(*rows)


def test_two_branches_need_more_than_one_component(fitted, rows):
    assert fitted.study_.candidates == [1, 2, 3, 5, 10, 20]
    assert fitted.components_ == fitted.study_.chosen > 1
    assert fitted.predict_dist(rows[0][:3]).components == 2 * fitted.components_
    assert fitted.get_params()["components"] == "auto"


def test_the_result_is_that_of_the_number_chosen(fitted, rows):
    before = global_state()
    same = regressor(fitted.components_, roughness=fitted.roughness_).fit(*rows)  # the view was chosen for ten
    assert global_state() == before
    assert same.study_ is None
    assert same.components_ == fitted.components_
    np.testing.assert_array_equal(same.log_prob(*rows), fitted.log_prob(*rows))


def test_the_study_is_in_the_units_of_the_target(fitted, rows):
    X, y = rows
    scaled = regressor().fit(X, 1024 * y).study_  # a power of two rounds nothing
    assert scaled is not None
    np.testing.assert_allclose(scaled.nll, np.array(fitted.study_.nll) + np.log(1024), atol=1e-9)
    np.testing.assert_allclose(scaled.error, fitted.study_.error, rtol=1e-6)


def test_saved_and_loaded(fitted, rows, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = MixtureDensityRegressor.load(tmp_path / "model")
    assert loaded.components == "auto"
    assert (loaded.components_, loaded.study_) == (fitted.components_, fitted.study_)
    np.testing.assert_allclose(loaded.log_prob(*rows), fitted.log_prob(*rows), rtol=1e-6)


def test_another_word_is_refused(rows):
    with pytest.raises(ValueError, match="whole number, or 'auto', got 'many'"):
        regressor("many").fit(*rows)
