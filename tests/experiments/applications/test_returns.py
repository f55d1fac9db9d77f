"""Forecasts of returns: densities, quantiles and shortfalls against quadrature, and none that knows the future."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from mixtura.datasets import walk_forward
from mixtura.distributions import LaplaceMixture
from mixtura.experiments.applications.returns import (
    LEVELS,
    SHORTFALL,
    garch_forecasts,
    historical_forecasts,
    mixture_forecasts,
    student_forecasts,
    student_windows,
)

RNG = np.random.default_rng(0)


def _check(density, f, day, low=-3.0):
    """Quantiles and shortfall of one day against its density."""
    for level in LEVELS:
        mass = integrate.quad(density, low, f.quantiles[level][day], limit=200)[0]
        assert mass == pytest.approx(level, rel=1e-4)
    end = f.quantiles[SHORTFALL][day]
    worst = integrate.quad(lambda x: x * density(x), low, end, limit=200)[0] / SHORTFALL
    assert f.shortfall[day] == pytest.approx(worst, rel=1e-3)
    below = (f.draws[:, day] < end).mean()
    assert abs(below - SHORTFALL) < 4 * (SHORTFALL / len(f.draws)) ** 0.5


def test_student_by_quadrature() -> None:
    y, center, scale, freedom = np.array([0.01, -0.03]), np.array([0.0, 1e-3]), np.array([0.01, 0.02]), np.array([6, 9])
    f = student_forecasts(freedom, center, scale, y)
    np.testing.assert_allclose(f.log_density, stats.t.logpdf(y, freedom, center, scale))
    for day in range(2):
        _check(stats.t(freedom[day], center[day], scale[day]).pdf, f, day)


def test_a_mixture_in_units_of_volatility_by_quadrature() -> None:
    logits, loc = torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([[0.1, -0.2], [0.0, 0.5]])
    b = torch.tensor([[0.5, 1.0], [0.4, 2.0]])
    scale, y = np.array([0.01, 0.03]), np.array([0.002, -0.05])
    f = mixture_forecasts(LaplaceMixture(logits.double(), loc.double(), b.double(), event_dim=0), scale, y)
    for day in range(2):
        w = torch.softmax(logits[day], -1).tolist()
        parts = [(w[k], stats.laplace(loc[day, k].item() * scale[day], b[day, k].item() * scale[day])) for k in (0, 1)]

        def density(x, parts=parts):
            return sum(weight * part.pdf(x) for weight, part in parts)

        assert f.log_density[day] == pytest.approx(np.log(density(y[day])), abs=1e-5)
        _check(density, f, day, low=-2.0)


def test_students_of_windows_are_as_likely_as_those_of_scipy() -> None:
    past = np.stack([0.01 * RNG.standard_t(4, 500), 0.02 * RNG.standard_normal(500) + 0.1])
    freedom, loc, scale = student_windows(past)
    assert freedom[0] < 8 < freedom[1]
    for row in range(2):
        fitted = stats.t.fit(past[row])
        best = stats.t.logpdf(past[row], *fitted).mean()
        own = stats.t.logpdf(past[row], freedom[row], loc[row], scale[row]).mean()
        assert own == pytest.approx(best, abs=2e-3)


def test_historical_simulation_is_the_quantile_of_the_past() -> None:
    y = 0.01 * RNG.standard_t(5, 520)
    rows = np.array([500, 519])
    f = historical_forecasts(y, rows)
    for i, row in enumerate(rows):
        past = y[row - 500 : row]
        assert f.quantiles[0.05][i] == pytest.approx(np.quantile(past, 0.05))
        assert f.shortfall[i] == pytest.approx(np.sort(past)[:12].mean())
        assert np.isin(f.draws[:, i], past).all()
    changed = y.copy()
    changed[500:] = 1.0
    assert historical_forecasts(changed, rows[:1]).quantiles[0.01] == f.quantiles[0.01][:1]
    with pytest.raises(ValueError, match="500 days before the first"):
        historical_forecasts(y, np.array([499]))


@pytest.mark.parametrize("asymmetric", [False, True])
def test_garch_goes_on_as_archs_own_filter_does_and_knows_no_future(asymmetric: bool) -> None:
    arch = pytest.importorskip("arch")
    y = 0.01 * RNG.standard_t(6, 900)
    split = walk_forward(np.datetime64("2018-01-01") + np.arange(900), 2020)
    train, test = split[0].train, split[0].test
    f = garch_forecasts(y, split, asymmetric)
    model = {"mean": "Constant", "dist": "t", "o": int(asymmetric)}
    p = arch.arch_model(100 * y[train], **model).fit(disp="off").params
    deviation = arch.arch_model(100 * y, **model).fix(p).conditional_volatility[test]
    standard = stats.t(p["nu"], scale=((p["nu"] - 2) / p["nu"]) ** 0.5)
    for level in LEVELS:
        expected = (p["mu"] + deviation * standard.ppf(level)) / 100
        np.testing.assert_allclose(f.quantiles[level], expected, rtol=1e-4)
    expected = standard.logpdf((100 * y[test] - p["mu"]) / deviation) - np.log(deviation / 100)
    np.testing.assert_allclose(f.log_density, expected, atol=1e-4)
    changed = y.copy()
    changed[test[100] :] = -0.2
    g = garch_forecasts(changed, split, asymmetric)
    np.testing.assert_array_equal(g.quantiles[0.01][:101], f.quantiles[0.01][:101])
    assert g.quantiles[0.01][101] < f.quantiles[0.01][101]
