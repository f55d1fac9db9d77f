"""Steps of grids, and log-probabilities of cells against scipy, sums over a grid and the density."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mixtura.distributions import (
    AtomMixture,
    CauchyMixture,
    GaussianMixture,
    Isotropic,
    LaplaceMixture,
    VonMisesMixture,
)
from mixtura.metrics import grid_step, interval_log_prob
from tests.helpers import random_case


@given(
    st.sampled_from([1.0, 0.1, 0.05, 1 / 3, 1e-7, 25.0, 1e6]),
    st.sampled_from([0.0, 0.5, -3.25, 100.0]),
    st.integers(0, 2**16),
)
def test_grid_step_in_spite_of_rounding(step, start, seed):
    rng = np.random.default_rng(seed)
    k = rng.choice(200, size=30, replace=False)
    k[:2] = 17, 18  # two neighbours
    y = start * step + step * k
    assert grid_step(y) == pytest.approx(step, rel=1e-7)
    assert grid_step(rng.permutation(np.repeat(y, 3))) == pytest.approx(step, rel=1e-7)
    if step != 1 / 3:
        assert grid_step(torch.as_tensor(y).float()) == pytest.approx(step, rel=1e-7)


def test_grid_step_by_the_gaps_alone():
    assert grid_step([0, 6, 10, 25]) == 1.0  # no two values are neighbours
    assert grid_step(torch.tensor([0.3, 0.1 + 0.2, 0.7])) == pytest.approx(0.4)
    assert grid_step(np.arange(10) * 0.1) == 0.1


def test_no_grid():
    rng = np.random.default_rng(0)
    assert grid_step(rng.standard_normal(100)) is None
    assert grid_step(np.append(np.arange(100.0), 2**0.5)) is None
    assert grid_step([2.0, 2.0]) is None
    for y in ([], [0.0, np.nan], [0.0, np.inf]):
        with pytest.raises(ValueError, match="finite ones only"):
            grid_step(y)


def mixtures():
    g = torch.Generator().manual_seed(0)
    logits, loc, noise = torch.randn(3, 4, 3, generator=g, dtype=torch.float64)
    s = noise.exp()
    w, m = (t.numpy()[:, None] for t in (logits.softmax(-1), loc))
    for q, family in (
        (GaussianMixture(logits, loc, Isotropic(s.square()), event_dim=0), stats.norm),
        (LaplaceMixture(logits, loc, s, event_dim=0), stats.laplace),
        (CauchyMixture(logits, loc, s, event_dim=0), stats.cauchy),
    ):
        yield pytest.param(q, w, m, s.numpy()[:, None], family, id=family.name)


@pytest.mark.parametrize(("q", "w", "m", "s", "family"), list(mixtures()))
def test_cells_against_scipy(q, w, m, s, family):
    low = torch.linspace(-12, 12, 25, dtype=torch.float64)
    high = low + 0.5
    a, b = (t.numpy()[None, :, None] for t in (low, high))
    right = a > m  # both from the tail where scipy has digits
    mass = np.where(
        right, family.sf((a - m) / s) - family.sf((b - m) / s), family.cdf((b - m) / s) - family.cdf((a - m) / s)
    )
    expected = np.log((w * mass).sum(-1))
    got = interval_log_prob(q, low.unsqueeze(-1).expand(25, 4), high.unsqueeze(-1).expand(25, 4))
    np.testing.assert_allclose(got.T, expected, rtol=1e-9)


@pytest.mark.parametrize(("q", "w", "m", "s", "family"), list(mixtures()))
def test_small_cells_are_densities(q, w, m, s, family):
    y, step = torch.tensor([-300.0, 1.7, 0.2, 60.0], dtype=torch.float64), 1e-6
    got = interval_log_prob(q, y - step / 2, y + step / 2) - math.log(step)
    torch.testing.assert_close(got, q.log_prob(y), rtol=1e-6, atol=1e-6)


def test_cells_of_a_grid_sum_to_one():
    edges = torch.cat([torch.tensor([-torch.inf]), torch.arange(-60.0, 60.0), torch.tensor([torch.inf])]).double()
    torch.manual_seed(0)
    q = random_case("diagonal", batch=(3,), K=4, D=2).mixture
    atoms = AtomMixture(torch.randn(3, 3), torch.tensor([[0.0, 1.0], [2.0, 2.0]]), q)
    angles = VonMisesMixture(torch.randn(3, 2), torch.randn(3, 2, 2).double(), 2.0)
    for mixture in (q, atoms, angles):
        low, high = (e[:, None, None].expand(len(e), 3, 2) for e in (edges[:-1], edges[1:]))
        total = interval_log_prob(mixture, low, high).exp().sum(0)
        torch.testing.assert_close(total, torch.ones(3, 2).double(), rtol=1e-12, atol=0)


def test_an_atom_belongs_to_the_cell_that_ends_in_it():
    q = GaussianMixture(torch.zeros(1), torch.zeros(1).double(), Isotropic(1.0), event_dim=0)
    mixture = AtomMixture(torch.tensor([0.7, 0.3]).log(), torch.tensor([0.0]), q)
    low, high = torch.tensor([[-1.0, -0.5, 0.0], [0.0, 0.5, 1.0]]).double()
    got = interval_log_prob(mixture, low, high).exp()
    inner = 0.3 * (stats.norm.cdf(high) - stats.norm.cdf(low))
    np.testing.assert_allclose(got, inner + np.array([0.7, 0.7, 0.0]), rtol=1e-7)
    np.testing.assert_allclose(got, mixture.cdf(high) - mixture.cdf(low), rtol=1e-7)


def test_gradient_of_a_cell():
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    loc = torch.tensor([[-3.0, 0.1, 4.0], [0.0, 40.0, 2.0]], dtype=torch.float64).requires_grad_()
    variance = torch.tensor([[0.5, 1.0, 2.0], [1.0, 1e-3, 3.0]], dtype=torch.float64).requires_grad_()
    y = torch.tensor([0.3, -20.0], dtype=torch.float64)

    def cell(logits, loc, variance):
        q = GaussianMixture(logits, loc, Isotropic(variance), event_dim=0)
        return interval_log_prob(q, y - 0.5, y + 0.5)

    assert torch.autograd.gradcheck(cell, (logits, loc, variance), eps=1e-7, rtol=1e-4)


def test_refuses():
    q = GaussianMixture(torch.zeros(2), torch.zeros(2), Isotropic(1.0), event_dim=0)
    with pytest.raises(ValueError, match="one shape"):
        interval_log_prob(q, torch.zeros(3), torch.zeros(2))
    with pytest.raises(ValueError, match="exchange the ends"):
        interval_log_prob(q, torch.ones(3), torch.zeros(3))
