"""Highest-density regions against dense grids and against their definition."""

import numpy as np
import pytest
import torch
from scipy import stats

from mixtura.distributions import GaussianMixture, Isotropic
from tests.helpers import KINDS, assert_close, random_case


def test_one_gaussian_gives_its_central_interval() -> None:
    q = GaussianMixture(torch.zeros(1), torch.tensor([3.0]).double(), Isotropic(4.0), event_dim=0)
    region = q.highest_density_region(0.9)
    assert region.intervals is not None
    half = 2 * stats.norm.ppf(0.95)
    assert_close(region.intervals, [[3 - half, 3 + half]], 1e-8)
    assert region.contains(torch.tensor([3.0, 3 + half + 1e-3, 3 - half + 1e-3])).tolist() == [True, False, True]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mass", [0.1, 0.5, 0.95])
def test_intervals_hold_their_mass_and_nothing_denser_is_outside(seed: int, mass: float) -> None:
    q = random_case("isotropic", K=5, D=1, seed=seed, spread=4).mixture.marginal(0)
    region = q.highest_density_region(mass)
    assert region.intervals is not None
    low, high = region.intervals.unbind(-1)
    assert_close((q.cdf(high) - q.cdf(low)).sum(), mass, 1e-8)
    assert_close(q.log_prob(region.intervals), np.broadcast_to(region.log_level, region.intervals.shape), 1e-6, 1)
    x = torch.linspace(-40, 40, 80_001, dtype=torch.float64)
    inside = ((x[:, None] >= low) & (x[:, None] <= high)).any(-1)
    near = (x[:, None, None] - region.intervals).abs().amin((-1, -2)) < 1e-6
    assert bool((inside == region.contains(x))[~near].all())


def test_a_batch_with_different_numbers_of_intervals() -> None:
    loc = torch.tensor([[0.0, 0.5], [-10.0, 10.0]]).double()
    q = GaussianMixture(torch.zeros(2, 2).double(), loc, Isotropic(1.0), event_dim=0)
    region = q.highest_density_region(0.8)
    assert region.intervals is not None
    assert region.intervals.shape == (2, 2, 2)
    assert region.intervals[0, 1].isnan().all()
    z = stats.norm.ppf(0.9)
    assert_close(region.intervals[1], [[-10 - z, -10 + z], [10 - z, 10 + z]], 1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_level_in_two_dimensions_holds_the_mass(kind: str) -> None:
    torch.manual_seed(0)
    case = random_case(kind, batch=(2,), K=3, D=2)
    region = case.mixture.highest_density_region(0.7)
    assert region.intervals is None
    share = region.contains(case.mixture.sample((20_000,))).double().mean(0)
    assert_close(share, [0.7, 0.7], 0.025)


@pytest.mark.parametrize("mass", [0.0, 1.0, -0.5])
def test_masses_outside_the_unit_interval(mass: float) -> None:
    with pytest.raises(ValueError, match="mass must"):
        random_case("full").mixture.highest_density_region(mass)
