"""Forecasts of rain: scores against closed forms, densities against quadrature, fits against scipy and by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from mixtura.datasets import DailySeries
from mixtura.distributions import AtomMixture, GaussianMixture, Isotropic
from mixtura.experiments.applications.rain import (
    DRY,
    RainForecast,
    climatology,
    gamma_shape,
    log_rain,
    logistic_gamma,
    rain_mixture,
)

scoringrules = pytest.importorskip("scoringrules")
RNG = np.random.default_rng(0)
WET = np.array([0.0, 0.2, 0.9, 1.0])
SHAPE, SCALE = np.array([0.5, 0.8, 1.0, 3.0]), np.array([1.0, 9.0, 5.0, 40.0])
RAIN = np.array([0.0, 0.3, 12.0, 118.9])


def _gamma() -> RainForecast:
    amount: Any = stats.gamma(SHAPE, scale=SCALE)
    return RainForecast(WET, amount.logpdf, amount.cdf)


def test_crps_of_a_gamma_distribution_beside_a_mass_at_zero() -> None:
    def gamma(y: np.ndarray) -> np.ndarray:
        return scoringrules.crps_gamma(y, SHAPE, scale=SCALE)

    dry = 1 - WET
    expected = dry * RAIN + WET * gamma(RAIN) - dry * WET * gamma(np.zeros(4))
    np.testing.assert_allclose(_gamma().crps(RAIN), expected, rtol=1e-4)


def _mixture() -> AtomMixture:
    q = GaussianMixture(torch.zeros(4, 1).double(), torch.arange(4.0).double()[:, None], Isotropic(0.49), event_dim=0)
    wet = torch.as_tensor(WET)
    return AtomMixture(torch.stack([1 - wet, wet], -1).log(), torch.tensor([DRY]).double(), q)


def test_a_mixture_of_logs_is_a_density_of_millimetres() -> None:
    f = rain_mixture(_mixture())
    mean = np.arange(4.0)
    x = np.array([0.3, 1.0, 12.0, 118.9])
    lognormal: Any = stats.lognorm(0.7, scale=np.exp(mean))
    np.testing.assert_allclose(f.log_density(x), lognormal.logpdf(x), rtol=1e-5)
    np.testing.assert_allclose(f.cdf(x), lognormal.cdf(x), rtol=1e-5)
    closed = scoringrules.crps_lognormal(RAIN, mean, np.full(4, 0.7))
    at_zero = scoringrules.crps_lognormal(np.zeros(4), mean, np.full(4, 0.7))
    dry = 1 - WET
    np.testing.assert_allclose(f.crps(RAIN), dry * RAIN + WET * closed - dry * WET * at_zero, rtol=1e-4)


def _density(f: RainForecast, x: float, day: int) -> float:
    return float(np.exp(f.log_score(np.full(4, x))[day]))


def test_mass_and_density_add_up_to_one() -> None:
    for f in (_gamma(), rain_mixture(_mixture())):
        with np.errstate(divide="ignore"):
            dry = np.exp(f.log_score(np.zeros(4)))
            np.testing.assert_allclose(dry, 1 - WET, atol=1e-15)
            for day in range(1, 4):
                wet = integrate.quad(
                    lambda u, f=f, d=day: np.exp(f.log_score(np.full(4, np.exp(u)))[d] + u), -40, 9, limit=200
                )
                assert dry[day] + wet[0] == pytest.approx(1, abs=1e-6)
                over = integrate.quad(lambda x, f=f, d=day: _density(f, x, d), 5, np.inf, limit=200)
                assert f.exceeds(5.0)[day] == pytest.approx(over[0], abs=1e-6)
        np.testing.assert_allclose(f.exceeds(0.0), WET, atol=1e-15)


def test_log_of_rain() -> None:
    np.testing.assert_allclose(log_rain(np.array([0.0, np.e, 0.3])), [DRY, 1.0, np.log(0.3)])
    assert np.log(0.1) > DRY


def test_the_shape_is_that_of_scipys_fit() -> None:
    x = RNG.gamma(0.7, 9.0, 300)
    found = gamma_shape(np.array([np.log(x.mean()) - np.log(x).mean()]))
    assert found[0] == pytest.approx(stats.gamma.fit(x, floc=0)[0], rel=1e-5)


def _series(rain: np.ndarray, first: str = "2013-01-01") -> DailySeries:
    return DailySeries(np.zeros((len(rain), 1)), rain, np.datetime64(first) + np.arange(len(rain)), ["none"])


def test_climatology_is_a_gamma_of_the_days_around() -> None:
    rain = np.where(RNG.random(3 * 365) < 0.4, RNG.gamma(0.8, 9.0, 3 * 365), 0.0)
    train = _series(rain)
    day = np.array([np.datetime64("2017-01-10"), np.datetime64("2017-07-01")])
    f = climatology(train, day)
    for i, middle in enumerate((9, 181)):
        places = [(middle + k) % 365 + 365 * year for k in range(-30, 31) for year in range(3)]
        near = rain[places]
        assert f.wet[i] == pytest.approx(((near > 0).sum() + 0.5) / (len(near) + 1))
        shape, _, scale = stats.gamma.fit(near[near > 0], floc=0)
        x = np.full(2, 3.0)
        assert f.log_density(x)[i] == pytest.approx(stats.gamma.logpdf(3.0, shape, scale=scale), rel=1e-4)
    with pytest.raises(ValueError, match="two wet days or more around 2017-07-01"):
        climatology(_series(np.where(np.arange(1095) % 365 < 60, rain + 0.1, 0.0)), day)


def test_logistic_and_gamma_regression_find_what_made_the_rain() -> None:
    n = 20_000
    X = RNG.standard_normal((n, 2))
    wet = RNG.random(n) < 1 / (1 + np.exp(-(X[:, 0] - 0.5)))
    mean = np.exp(0.5 * X[:, 1])
    rain = np.where(wet, RNG.gamma(2.0, mean / 2.0), 0.0)
    new = np.array([[0.0, 0.0], [1.0, 0.0]])
    f = logistic_gamma(X, rain, new)
    np.testing.assert_allclose(f.wet, 1 / (1 + np.exp(-(new[:, 0] - 0.5))), atol=0.02)
    x = np.array([0.5, 2.0])
    truth = stats.gamma.cdf(x, 2.0, scale=0.5)
    np.testing.assert_allclose(f.cdf(x), truth, atol=0.05)  # the ridge shrinks slopes
