"""The adapter for skpro against the regressor's own distributions, and skpro's checks."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pytest
import torch

from mixtura import MixtureDensityRegressor
from mixtura.estimators.skpro import skpro_regressor

SMALL: dict[str, Any] = {"components": 3, "hidden": (8,), "epochs": 5, "ensemble": 2, "random_state": 0}


def data(T: int) -> tuple[Any, Any]:
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pandas.DataFrame(rng.standard_normal((60, 2)), columns=["a", "b"], index=np.arange(100, 160))
    y = X["a"].to_numpy()[:, None] * np.arange(1, T + 1) + 0.1 * rng.standard_normal((60, T))
    return X, pandas.DataFrame(y, columns=[f"y{t}" for t in range(T)], index=X.index)


def test_without_skpro_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from mixtura.estimators import skpro

    monkeypatch.setitem(sys.modules, "skpro.regression.base", None)
    skpro._regressor_class.cache_clear()
    with pytest.raises(ImportError, match=r"needs skpro: install it with `pip install 'mixtura\[skpro\]'`"):
        skpro_regressor()
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        skpro.Nothing  # noqa: B018
    skpro._regressor_class.cache_clear()


@pytest.mark.parametrize("T", [1, 2])
def test_distributions_are_those_of_each_target(T: int) -> None:
    pytest.importorskip("skpro")
    X, y = data(T)
    model = skpro_regressor(MixtureDensityRegressor(**SMALL)).fit(X, y)
    got, q = model.predict_proba(X), model.model_.predict_dist(X.to_numpy())
    values = torch.as_tensor(y.to_numpy())
    log_pdf = torch.stack([q.marginal(t).log_prob(values[:, t]) for t in range(T)], -1)
    np.testing.assert_allclose(got.log_pdf(y), log_pdf.numpy(), rtol=1e-6)
    np.testing.assert_allclose(got.cdf(y), q.cdf(values).numpy(), rtol=1e-9)
    np.testing.assert_allclose(got.mean(), q.mean.numpy(), rtol=1e-9)
    np.testing.assert_allclose(got.var(), q.variance.numpy(), rtol=1e-9)
    level = torch.full_like(values, 0.9)
    np.testing.assert_allclose(got.ppf(0.9), q.icdf(level).numpy(), atol=1e-5)
    assert list(got.index) == list(X.index)
    assert list(got.columns) == list(y.columns)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("options", [{"family": "laplace"}, {"atoms": [0.0]}])
def test_other_families_are_refused(options: dict[str, Any]) -> None:
    pytest.importorskip("skpro")
    X, y = data(1)
    with pytest.raises(ValueError, match="mixtures of Gaussians only"):
        skpro_regressor(MixtureDensityRegressor(**options)).fit(X, y)


def test_checks_of_skpro() -> None:
    pytest.importorskip("skpro")
    from skpro.utils.estimator_checks import check_estimator  # pyright: ignore[reportMissingImports]

    results = check_estimator(type(skpro_regressor()))
    assert not [f"{name}: {result}" for name, result in results.items() if result != "PASSED"]
