"""Backtests against published examples, binomial probabilities and their distribution where predictions are right."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from mixtura.metrics import christoffersen_test, conditional_coverage_test, kupiec_test, shortfall_test


def series(n00, n01, n10, n11):
    """A series with these numbers of transitions, which starts without a violation; n01 and n10 differ by 0 or 1."""
    days = [0] + [0] * n00
    for i in range(n01):
        days += [1] * (1 + (n11 if i == 0 else 0))
        days += [0] if i < n10 else []
    return torch.tensor(days, dtype=torch.bool)


def test_worked_examples():
    """Jorion, "Value at Risk", 3rd edition, chapter 6, question 10: six violations of 1 % in 252 days, four of them the
    day after another; and its table of a portfolio of a bank: 20 of 5 % in 252 days, six the day after another."""
    days = series(244, 2, 2, 4)
    assert (len(days), int(days.sum())) == (253, 6)  # 252 days that have a day before them
    assert kupiec_test(days[1:], 0.01).statistic == pytest.approx(3.498, abs=1e-3)
    assert christoffersen_test(days).statistic == pytest.approx(25.837, abs=5e-4)
    days = series(218, 14, 14, 6)
    assert christoffersen_test(days).statistic == pytest.approx(9.53, abs=5e-3)
    assert kupiec_test(days[1:], 0.05).statistic == pytest.approx(3.91, abs=5e-3)
    both = conditional_coverage_test(days, 0.05)
    assert both.statistic == pytest.approx(kupiec_test(days, 0.05).statistic + christoffersen_test(days).statistic)
    assert both.p_value == pytest.approx(stats.chi2.sf(both.statistic, 2))


@pytest.mark.parametrize(
    ("level", "days", "low", "high"),
    [
        (0.01, 255, 0, 7),
        (0.01, 510, 1, 11),
        (0.01, 1000, 4, 17),
        (0.05, 255, 6, 21),
        (0.05, 510, 16, 36),
        (0.05, 1000, 37, 65),
    ],
)
def test_table_of_kupiec(level, days, low, high):
    """Numbers of violations between these are not refused with 95 % confidence; for 255 days at 1 % none is "< 7"."""
    for n in range(1, 2 * high):
        kept = kupiec_test(torch.arange(days) < n, level).p_value > 0.05
        assert kept == (low < n < high), n


def test_ratios_from_scipy():
    rng = np.random.default_rng(0)
    hit = rng.random(300) < 0.1
    N = int(hit.sum())
    uc = 2 * (stats.binom.logpmf(N, 300, N / 300) - stats.binom.logpmf(N, 300, 0.05))
    result = kupiec_test(torch.tensor(hit), 0.05)
    assert result.statistic == pytest.approx(uc, rel=1e-10)
    assert result.p_value == pytest.approx(stats.chi2.sf(uc, 1), rel=1e-10)
    table = np.array([[np.sum((hit[:-1] == i) & (hit[1:] == j)) for j in (0, 1)] for i in (0, 1)])
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    result = christoffersen_test(torch.tensor(hit))
    assert result.statistic == pytest.approx(g.statistic, rel=1e-10)
    assert result.p_value == pytest.approx(g.pvalue, rel=1e-10)


def test_no_violation_and_nothing_else():
    for hit, p in [(torch.zeros(100, dtype=torch.bool), 0.01), (torch.ones(100, dtype=torch.bool), 0.99)]:
        assert kupiec_test(hit, p).statistic == pytest.approx(-200 * math.log(0.99), rel=1e-12)
        assert (christoffersen_test(hit).statistic, christoffersen_test(hit).p_value) == (0, 1)
    only_last = torch.arange(50) == 49  # no day follows a violation
    assert christoffersen_test(only_last).p_value == 1


def test_p_values_are_uniform_where_violations_are_independent():
    hits = torch.rand(300, 1500, generator=torch.Generator().manual_seed(0)) < 0.2
    for p in (
        [kupiec_test(hit, 0.2).p_value for hit in hits],
        [christoffersen_test(hit).p_value for hit in hits],
        [conditional_coverage_test(hit, 0.2).p_value for hit in hits],
    ):
        assert stats.kstest(p, "uniform").pvalue > 1e-3


def normal_tail(level):
    q = stats.norm.ppf(level)
    return q, -stats.norm.pdf(q) / level


def constant(value, n):
    return torch.full((n,), float(value), dtype=torch.float64)


def test_shortfall_by_hand():
    y = torch.tensor([-3.0, 1.0, -2.0, 0.5])
    q, e = torch.tensor([-1.0, -1.0, -2.5, -1.0]), torch.tensor([-2.0, -2.0, -3.0, -2.0])
    simulated = torch.tensor([[0.0, 0.0, 0.0, 0.0], [-4.0, 0.0, 0.0, 0.0], [-9.0, -9.0, 0.0, 0.0]])
    result = shortfall_test(y, q, e, 0.25, simulated)
    assert result.statistic == pytest.approx(1 - 1.5 / (4 * 0.25))
    assert result.p_value == 3 / 4  # itself and the last two


def test_shortfall_where_predictions_are_right():
    """Mean 0; with 250 days at 2.5 % the source has -0.70 for the 5 % critical value of normal outcomes."""
    level, T = 0.025, 250
    q, e = normal_tail(level)
    y = torch.randn(2000, T, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    few = y[:2]
    z = torch.tensor([shortfall_test(row, constant(q, T), constant(e, T), level, few).statistic for row in y])
    assert abs(z.mean()) < 4 * z.std() / 2000**0.5
    assert torch.quantile(z, 0.05).item() == pytest.approx(-0.70, abs=0.05)
    half = [shortfall_test(row, constant(q, T), constant(e, T), level / 2, few).statistic for row in y]
    assert abs(np.mean(half) + 1) < 4 * np.std(half) / 2000**0.5  # losses weigh twice as much as this level says


def test_p_values_of_shortfall_are_uniform_where_predictions_are_right():
    level, T = 0.2, 40
    q, e = (constant(v, T) for v in normal_tail(level))
    draws = torch.randn(300, 100, T, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    p = [shortfall_test(d[0], q, e, level, d[1:]).p_value for d in draws]
    # p takes the values 1/100, ..., 1
    assert (
        stats.kstest(
            [v - u / 100 for v, u in zip(p, np.random.default_rng(0).random(300), strict=True)], "uniform"
        ).pvalue
        > 1e-3
    )


@pytest.mark.parametrize("hit", [torch.zeros(5), torch.zeros(0, dtype=torch.bool), torch.zeros(2, 3, dtype=torch.bool)])
def test_bad_violations_are_named(hit):
    with pytest.raises(ValueError, match="violations must be booleans"):
        kupiec_test(hit, 0.1)
    with pytest.raises(ValueError, match="violations must be booleans"):
        christoffersen_test(hit)


def test_bad_predictions_are_named():
    y, e = torch.zeros(3), -torch.ones(3)
    with pytest.raises(ValueError, match="level must lie strictly between 0 and 1, got 95"):
        kupiec_test(y > 0, 95)
    with pytest.raises(ValueError, match=r"simulated \(S, T\)"):
        shortfall_test(y, e, e, 0.1, torch.zeros(3))
    with pytest.raises(ValueError, match="shortfall must be negative"):
        shortfall_test(y, -e, -e, 0.1, torch.zeros(2, 3))
    with pytest.raises(ValueError, match="not above its quantile"):
        shortfall_test(y, 2 * e, e, 0.1, torch.zeros(2, 3))
    with pytest.raises(ValueError, match="finite"):
        shortfall_test(y, e, e, 0.1, torch.full((2, 3), math.nan))
