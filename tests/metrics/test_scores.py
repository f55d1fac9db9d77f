"""The CRPS against quadrature, Monte Carlo and the closed form of one Gaussian."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from scipy import stats

from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.metrics import crps, scores
from tests.helpers import KINDS, random_case
from tests.metrics.truth import crps_by_quadrature


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("D", [1, 3])
def test_against_quadrature(kind, D):
    case = random_case(kind, batch=(4,), K=5, D=D, seed=D)
    y = case.values()
    sd = np.sqrt(case.dense.S.diagonal(axis1=-2, axis2=-1))
    expected = [
        [
            crps_by_quadrature(case.dense.weights[i], case.dense.loc[i, :, d], sd[i, :, d], y[i, d].item())
            for d in range(D)
        ]
        for i in range(4)
    ]
    np.testing.assert_allclose(crps(case.mixture, y).numpy(), expected, rtol=1e-6)


def test_against_monte_carlo():
    rng = np.random.default_rng(0)
    case = random_case("diagonal", K=3, D=1, seed=4)
    n = 200_000
    k = rng.choice(3, size=(2, n), p=case.dense.weights)
    x, other = case.dense.loc[k, 0] + np.sqrt(case.dense.S[k, 0, 0]) * rng.standard_normal((2, n))
    for y in (-6.0, 0.3, 5.0):
        terms = np.abs(x - y) - 0.5 * np.abs(x - other)
        got = crps(case.mixture, torch.tensor([y], dtype=torch.float64)).item()
        assert abs(got - terms.mean()) < 4 * terms.std() / n**0.5


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_one_gaussian_in_any_unit(unit):
    y = torch.linspace(-4, 4, 9, dtype=torch.float64)
    q = GaussianMixture(y.new_zeros(9, 1), y.new_full((9, 1), 0.5 * unit), Isotropic(4 * unit**2), event_dim=0)
    z = (y.numpy() - 0.5) / 2
    expected = 2 * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - np.pi**-0.5)
    np.testing.assert_allclose(crps(q, unit * y).numpy() / unit, expected, rtol=1e-12)


@pytest.mark.parametrize("batch", [(), (7,), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_do_not_see_each_other(batch, dtype, monkeypatch):
    case = random_case("isotropic", batch=batch, K=3, D=2, dtype=dtype)
    y = case.values()
    whole = crps(case.mixture, y)
    assert whole.shape == y.shape
    assert whole.dtype == dtype
    monkeypatch.setattr(scores, "_PAIRS", 18)  # two rows at a time
    torch.testing.assert_close(crps(case.mixture, y), whole, rtol=0, atol=0)
    for d in range(2):
        torch.testing.assert_close(crps(case.mixture.marginal(d), y[..., d]), whole[..., d])


def test_a_component_without_weight_does_not_matter():
    loc = torch.tensor([[0.0, 50.0]], dtype=torch.float64)
    q = GaussianMixture(torch.tensor([[0.0, -torch.inf]]), loc, Isotropic(1.0), event_dim=0)
    one = GaussianMixture(torch.zeros(1, 1), loc[:, :1], Isotropic(1.0), event_dim=0)
    y = torch.tensor([0.7], dtype=torch.float64)
    torch.testing.assert_close(crps(q, y), crps(one, y))


def test_memory_stays_small():
    n, K = 50_000, 20
    q = GaussianMixture(torch.zeros(n, K), torch.randn(n, K), Isotropic(torch.rand(n, K) + 0.1), event_dim=0)
    y = torch.zeros(n)
    tracemalloc.start()
    crps(q, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # all pairs at once would be 160 MB for every intermediate result


@pytest.mark.parametrize("shape", [(5, 1), (4,), (1,), ()])
def test_refuses_what_would_broadcast(shape):
    q = GaussianMixture(torch.zeros(5, 2), torch.zeros(5, 2), Isotropic(1.0), event_dim=0)
    with pytest.raises(ValueError, match=r"one value per distribution of the mixture is \(5,\)"):
        crps(q, torch.zeros(shape))


def test_without_scoringrules():
    program = """
import sys
sys.modules |= {"scoringrules": None, "matplotlib": None, "polars": None}
import mixtura.metrics, mixtura.report, torch
from mixtura import GaussianMixture, Isotropic
q = GaussianMixture(torch.zeros(1, 1), torch.zeros(1, 1), Isotropic(1.0), event_dim=0)
print(mixtura.metrics.pit(q, torch.zeros(1)).item())
try:
    mixtura.metrics.crps(q, torch.zeros(1))
except ImportError as error:
    print(error)
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown == "0.5\nThe CRPS needs scoringrules: install it with `pip install 'mixtura[app]'`.\n"
