"""The three views of the inputs."""

import numpy as np
from scipy import stats

from mixtura.estimators.inputs import Inputs


def test_columns_are_standardised_and_gaussianised():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.lognormal(3, 2, 5000), 1e6 + rng.uniform(size=5000)])
    Z = Inputs().fit(X).transform(X)
    near = (X - X.mean(0)) / X.std(0)
    np.testing.assert_allclose(Z[:, :2], np.clip(near, -10, 10), atol=1e-9)
    for j in (2, 3):
        inside = Z[np.abs(Z[:, j]) < 2, j]
        ranks = stats.rankdata(X[:, j - 2])[np.abs(Z[:, j]) < 2] / 5001
        np.testing.assert_allclose(inside, stats.norm.ppf(ranks), atol=0.02)


def test_waves_are_those_of_the_quantiles():
    X = np.random.default_rng(1).exponential(size=(4000, 2))
    inputs = Inputs(0.75).fit(X)
    Z = inputs.transform(X)
    assert Z.shape[1] == inputs.width == 24
    u = (stats.rankdata(X, axis=0) - 0.5) / 4000
    inside = np.abs(Z[:, 2:4]) < 2
    for k in range(5):
        for i, wave in enumerate((np.sin, np.cos)):
            columns = Z[:, 4 + 10 * i + 2 * k :][:, :2]
            expected = wave(2**k * np.pi * u) * 0.75 ** (k + 1)
            np.testing.assert_allclose(columns[inside], expected[inside], atol=0.01)


def test_wild_and_constant_columns_stay_finite():
    X = np.column_stack([np.ones(50), np.r_[np.zeros(49), 1e150], np.linspace(0, 1e-150, 50)])
    inputs = Inputs().fit(X)
    for rows in (X, X * 1e5, -X):
        Z = inputs.transform(rows)
        assert np.isfinite(Z).all()
        assert np.abs(Z).max() <= 10


def test_state_is_all_there_is():
    X = np.random.default_rng(0).normal(size=(300, 3))
    inputs = Inputs(0.25).fit(X)
    again = Inputs.from_state({k: v.copy() for k, v in inputs.state().items()})
    np.testing.assert_array_equal(again.transform(X * 1.3), inputs.transform(X * 1.3))
