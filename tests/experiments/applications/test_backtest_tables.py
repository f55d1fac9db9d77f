"""Violations, their tests and the days of the crises, by hand."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from mixtura.experiments.applications.backtest_tables import (
    crises,
    score_table,
    shortfall_table,
    tracked,
    violation_table,
    violations,
)
from mixtura.experiments.applications.returns import LEVELS, ReturnForecasts
from mixtura.metrics import kupiec_test

T = 1000
RNG = np.random.default_rng(0)
Y = norm.ppf((RNG.permutation(T) + 0.5) / T)  # exactly as many below each quantile as there should be


def _forecasts(scale: float) -> ReturnForecasts:
    q = dict(zip(LEVELS, (-2.326, -1.960, -1.645), strict=True))
    density = -0.5 * (Y / scale) ** 2 - np.log(scale * (2 * np.pi) ** 0.5)
    draws = scale * RNG.standard_normal((1000, T))
    return ReturnForecasts(density, {p: np.full(T, scale * v) for p, v in q.items()}, np.full(T, -2.338 * scale), draws)


def test_right_forecasts_pass_and_narrow_ones_fail() -> None:
    right, narrow = _forecasts(1.0), _forecasts(0.7)
    assert all(v.passed for v in violations(right, Y))
    for v in violations(narrow, Y):
        below = torch.as_tensor(0.7 * {0.01: -2.326, 0.05: -1.645}[v.level] > Y)
        assert v.share == below.double().mean()
        assert v.kupiec == kupiec_test(below, v.level).p_value < 0.01
        assert not v.passed
    table = violation_table({"right": right, "narrow": narrow}, Y)
    assert [row[:2] for row in table.rows] == [["right", 0.01], ["right", 0.05], ["narrow", 0.01], ["narrow", 0.05]]
    good, bad = shortfall_table({"right": right, "narrow": narrow}, Y).rows
    assert float(good[4] or 0) > 0.05 > 0.01 > float(bad[4] or 0)


def test_scores_of_all_days_and_of_the_crises_in_them() -> None:
    dates = np.datetime64("2008-08-30") + np.arange(T)
    days = crises(dates)
    assert {name: int(d.sum()) for name, d in days.items()} == {"2008-09 to 2009-03": 212}
    right, wide = _forecasts(1.0), _forecasts(3.0)
    rows = score_table({"right": right, "wide": wide}, "right", dates).rows
    assert rows[0][2:4] == [0.0, 0.0]
    first = days["2008-09 to 2009-03"]
    expected = (wide.log_density - right.log_density)[first].mean()
    assert rows[1][5] == pytest.approx(expected)


def test_tracked_quantiles_are_passed_as_often_as_they_should_be_and_know_no_future() -> None:
    rng = np.random.default_rng(1)
    for scale in (0.5, 1.0, 2.0):
        y = rng.standard_t(4, 5000)
        q = np.full(5000, -1.5 * scale)
        followed = tracked(q, y, 0.05)
        assert (y < followed).mean() == pytest.approx(0.05, abs=0.005)
        changed = y.copy()
        changed[2000:] = 9.0
        np.testing.assert_array_equal(tracked(q, changed, 0.05)[:2001], followed[:2001])
    narrow = violations(_forecasts(0.7), Y, track=True)
    assert all(v.kupiec > 0.05 for v in narrow)
