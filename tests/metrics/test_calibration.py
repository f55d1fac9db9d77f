"""Calibration against scipy, by hand, and on samples of the mixture itself."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.optimize import brentq

from mixtura.distributions import AtomMixture, GaussianMixture, Isotropic, LaplaceMixture
from mixtura.metrics import coverage, pit, pit_test
from tests.helpers import random_case


def marginal_cdf(case, i, d, x):
    sd = np.sqrt(case.dense.S[i, :, d, d])
    return float((case.dense.weights[i] * stats.norm.cdf((x - case.dense.loc[i, :, d]) / sd)).sum())


def test_pit_is_the_distribution_function():
    case = random_case("full", batch=(5,), K=4, D=2, seed=1)
    y = case.values()
    expected = [[marginal_cdf(case, i, d, y[i, d].item()) for d in range(2)] for i in range(5)]
    np.testing.assert_allclose(pit(case.mixture, y).numpy(), expected, rtol=1e-12)


def test_coverage_by_hand():
    case = random_case("precision", batch=(6,), K=3, D=2, seed=2)
    y = case.values()
    rows = coverage(case.mixture, y, levels=(0.3, 0.8))
    assert [(row.target, row.level) for row in rows] == [(0, 0.3), (0, 0.8), (1, 0.3), (1, 0.8)]
    for row in rows:
        ends = [
            [brentq(lambda x, i=i, u=u, d=row.target: marginal_cdf(case, i, d, x) - u, -50, 50) for i in range(6)]
            for u in ((1 - row.level) / 2, (1 + row.level) / 2)
        ]
        low, high = np.array(ends)
        truth = y[:, row.target].numpy()
        assert row.observed == ((low <= truth) & (truth <= high)).mean()
        assert row.standard_error == pytest.approx((row.level * (1 - row.level) / 6) ** 0.5)
        assert row.mean_width == pytest.approx((high - low).mean(), rel=1e-9)


def test_width_of_a_gaussian_interval():
    q = GaussianMixture(torch.zeros(3, 1), torch.zeros(3, 1).double(), Isotropic(1e-18), event_dim=0)
    [row] = coverage(q, torch.zeros(3).double(), [0.95])
    assert (row.level, row.observed, row.target) == (0.95, 1.0, 0)
    assert row.standard_error == pytest.approx((0.95 * 0.05 / 3) ** 0.5)
    assert row.mean_width == pytest.approx(2 * stats.norm.ppf(0.975) * 1e-9, rel=1e-9, abs=0)


def test_a_mixture_is_calibrated_on_its_own_samples():
    torch.manual_seed(0)
    case = random_case("diagonal", batch=(4000,), K=3, D=2, seed=3)
    y = case.mixture.sample()
    for u in pit(case.mixture, y).T.numpy():
        assert stats.kstest(u, "uniform").pvalue > 1e-3
    for row in coverage(case.mixture, y):
        assert abs(row.observed - row.level) < 4 * row.standard_error
    for row in coverage(case.mixture, 3 * y):
        assert row.observed < row.level - 4 * row.standard_error


def test_pit_is_uniform_where_atoms_are():
    torch.manual_seed(0)
    n = 20_000
    wet = LaplaceMixture(torch.zeros(n, 1), torch.full((n, 1, 2), 2.0).double(), scale=1.0)
    logits = torch.randn(n, 3)
    mixture = AtomMixture(logits, torch.tensor([[0.0, 0.0], [2.0, 0.0]]), wet)
    y = mixture.sample()
    state = torch.get_rng_state()
    u = pit(mixture, y)
    assert torch.equal(torch.get_rng_state(), state)
    for test in pit_test(u):
        assert test.p_value > 1e-3
    plain = mixture.cdf(y)
    assert bool((u <= plain).all())
    assert torch.equal(u != plain, (y == 0) | (y == 2) & torch.tensor([True, False]))
    assert all(test.p_value < 1e-12 for test in pit_test(plain))  # at atoms F alone is too large


def test_pit_test_against_its_definition():
    u = torch.rand(40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) ** 1.2
    u[5:9, 1] = u[4, 1]  # ties count as often as they occur
    for t, test in enumerate(pit_test(u)):
        grid = np.unique(np.concatenate([u[:, t].numpy(), u[:, t].numpy() - 1e-12]))
        distance = np.abs((u[:, t].numpy()[:, None] <= grid).mean(0) - grid).max()
        assert test.target == t
        assert test.statistic == pytest.approx(distance, abs=1e-9)
        assert test.p_value == pytest.approx(stats.kstwo.sf(distance, 40), rel=1e-6)


def test_p_values_are_uniform_where_the_model_is_right():
    u = torch.rand(100, 300, generator=torch.Generator().manual_seed(1))
    p = [test.p_value for test in pit_test(u)]
    assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("values", [torch.tensor([0.5, 1.1]), torch.tensor([0.5, torch.nan]), torch.zeros(0)])
def test_pit_test_refuses(values):
    with pytest.raises(ValueError, match="values must"):
        pit_test(values)


def test_refuses():
    q = GaussianMixture(torch.zeros(5, 2), torch.zeros(5, 2), Isotropic(1.0), event_dim=0)
    with pytest.raises(ValueError, match="one value per distribution"):
        pit(q, torch.zeros(5, 1))
    with pytest.raises(ValueError, match="one value per distribution"):
        coverage(q, torch.zeros(5, 1))
    for level in (0.0, 1.0, 90, -0.5):
        with pytest.raises(ValueError, match="strictly between 0 and 1"):
            coverage(q, torch.zeros(5), [level])
    nothing = GaussianMixture(torch.zeros(0, 2), torch.zeros(0, 2), Isotropic(1.0), event_dim=0)
    with pytest.raises(ValueError, match="no rows"):
        coverage(nothing, torch.zeros(0))
