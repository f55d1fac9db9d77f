"""Highest-density regions against dense grids and against their definition."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from mixtura.distributions import CauchyMixture, GaussianMixture, Isotropic, LaplaceMixture, Mixture, VonMisesMixture
from mixtura.distributions import regions as module
from mixtura.distributions.regions import log_mass_outside, region_outside
from tests.helpers import KINDS, assert_close, global_state, random_case


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


def random_rows(family: str, rows: int, K: int, seed: int = 0) -> Mixture:
    g = torch.Generator().manual_seed(seed)
    logits, loc, noise = torch.randn(3, rows, K, generator=g, dtype=torch.float64)
    loc, scale = 3 * loc, (0.7 * noise).exp()
    if family == "gaussian":
        return GaussianMixture(logits, loc, Isotropic(scale.square()), event_dim=0)
    return {"laplace": LaplaceMixture, "cauchy": CauchyMixture}[family](logits, loc, scale, event_dim=0)


@pytest.mark.parametrize("family", ["gaussian", "laplace", "cauchy"])
def test_mass_outside_by_monte_carlo(family: str) -> None:
    q = random_rows(family, rows=200, K=8)
    torch.manual_seed(1)
    y, n = q.sample(), 3000
    outside = log_mass_outside(q, y).exp()
    share = (q.log_prob(q.sample((n,))) < q.log_prob(y)).double().mean(0)
    z = (share - outside) / (outside * (1 - outside) / n).sqrt()
    assert z.abs().max() < 4.5
    assert 0.85 < z.std() < 1.15


def density(x: float, q: Mixture) -> float:
    return q.log_prob(torch.tensor([x], dtype=torch.float64)).exp().item()


@pytest.mark.parametrize("family", ["gaussian", "laplace", "cauchy"])
@pytest.mark.parametrize("seed", range(4))
def test_mass_outside_by_quadrature(family: str, seed: int) -> None:
    q = random_rows(family, rows=1, K=4, seed=seed)
    for y in (-7.0, -1.3, 0.2, 2.9, 11.0):
        value = torch.tensor([y], dtype=torch.float64)
        ends = module.level_sets(module._rows(q), value).ends.squeeze(0)  # type: ignore[arg-type]
        edges = [-np.inf, *ends[ends.isfinite()].tolist(), np.inf]
        outside = sum(
            integrate.quad(density, a, b, args=(q,), epsabs=1e-13)[0]
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        )
        assert log_mass_outside(q, value).exp().item() == pytest.approx(outside, rel=1e-6, abs=1e-9)
        x = np.linspace(-40, 40, 20_001)
        denser = q.log_prob(torch.as_tensor(x)[:, None]).squeeze(-1).numpy() >= math.log(density(y, q))
        inside = np.searchsorted(edges[1:-1], x) % 2 == 1
        assert (denser == inside).mean() > 0.9995  # but within rounding of an end


def test_mass_outside_far_out_in_the_tails() -> None:
    z = torch.tensor([1.0, 9.0, 40.0, 1e4, 1e150], dtype=torch.float64)
    q = GaussianMixture(torch.zeros(5, 1), torch.zeros(5, 1).double(), Isotropic(1.0), event_dim=0)
    expected = torch.special.log_ndtr(-z) + math.log(2)
    torch.testing.assert_close(log_mass_outside(q, z), expected, rtol=1e-9, atol=0)
    two = GaussianMixture(
        torch.zeros(5, 2), torch.tensor([0.0, 3.0]).double().expand(5, 2), Isotropic(1.0), event_dim=0
    )
    torch.testing.assert_close(log_mass_outside(two, -z), log_mass_outside(two, z + 3), rtol=1e-9, atol=1e-9)
    cauchy = CauchyMixture(torch.zeros(5, 1), torch.zeros(5, 1).double(), 1.0, event_dim=0)
    expected = (2 * torch.atan(1 / z) / math.pi).log()
    torch.testing.assert_close(log_mass_outside(cauchy, z), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(log_mass_outside(cauchy, z)[:4], expected[:4], rtol=1e-9, atol=0)
    beyond = GaussianMixture(torch.zeros(1, 1), torch.zeros(1, 1).double(), Isotropic(1.0), event_dim=0)
    for x, outside in ((1e300, -math.inf), (math.inf, -math.inf), (math.nan, math.nan)):
        torch.testing.assert_close(
            log_mass_outside(beyond, torch.tensor([x]).double()).item(), outside, rtol=0, atol=0, equal_nan=True
        )


@pytest.mark.parametrize("family", ["gaussian", "laplace", "cauchy"])
@pytest.mark.parametrize("log_outside", [-1e-6, -0.1, -2.0, -30.0, -300.0])
def test_regions_of_any_mass(family: str, log_outside: float) -> None:
    q = random_rows(family, rows=20, K=5)
    region = region_outside(q, log_outside)
    assert region.intervals is not None
    ends = region.intervals.flatten(-2)
    for j in range(ends.shape[-1]):
        known = ~ends[:, j].isnan()
        x = torch.where(known, ends[:, j], 0.0)
        torch.testing.assert_close(q.log_prob(x)[known], region.log_level[known], rtol=1e-9, atol=1e-9)
        back = log_mass_outside(q, x)[known]
        torch.testing.assert_close(back, torch.full_like(back, log_outside), rtol=1e-6, atol=3e-8)
    if log_outside > -20:
        low, high = region.intervals.nan_to_num().unbind(-1)
        mass = (q.cdf(high.mT) - q.cdf(low.mT)).sum(0)
        torch.testing.assert_close(mass, torch.full_like(mass, -math.expm1(log_outside)), rtol=1e-8, atol=1e-10)


def test_a_dip_beside_a_cusp() -> None:
    """The density falls from the cusp at 1.127 and rises above it again 0.05 further on."""
    loc = torch.tensor([2.27509338795, 3.338821007507, 1.127374145299, 1.544719124378, -0.701195846671]).double()
    scale = torch.tensor([1.80694025353, 1.797147907828, 1.111618609737, 0.492109945175, 1.594997711060]).double()
    logits = torch.tensor([-0.6, 0.2, -1.0, -1.7, -0.7]).double()
    q = LaplaceMixture(logits, loc, scale, event_dim=0)
    x = torch.linspace(-40, 40, 400_001, dtype=torch.float64)
    p = q.log_prob(x)
    for y in loc:
        outside = torch.trapezoid(torch.where(p < q.log_prob(y), p.exp(), 0.0), x)
        assert log_mass_outside(q, y).exp().item() == pytest.approx(outside.item(), abs=2e-4)


def test_everything() -> None:
    q = random_rows("gaussian", rows=3, K=2)
    region = region_outside(q, -math.inf)
    assert region.intervals is not None
    assert region.intervals.tolist() == [[[-math.inf, math.inf]]] * 3
    assert bool(region.contains(torch.tensor([1e300, -1e9, 0.0])).all())


def test_chunks_of_rows_and_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    q = random_rows("gaussian", rows=30, K=4)
    y = torch.linspace(-9, 9, 30, dtype=torch.float64)
    whole, region = log_mass_outside(q, y), q.highest_density_region(0.8)  # type: ignore[attr-defined]
    single = GaussianMixture(
        q.logits.float(), q.loc.float(), Isotropic(q._variances().squeeze(-1).float()), event_dim=0
    )
    got = log_mass_outside(single, y.float())
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.double(), whole, rtol=1e-4, atol=1e-4)
    monkeypatch.setattr(module, "_COMPONENTS", 28)  # seven rows at a time
    torch.testing.assert_close(log_mass_outside(q, y), whole, rtol=1e-12, atol=1e-13)
    parts = q.highest_density_region(0.8)  # type: ignore[attr-defined]
    torch.testing.assert_close(parts.intervals, region.intervals, rtol=1e-7, atol=1e-7, equal_nan=True)


def test_identical_components_count_once() -> None:
    one = GaussianMixture(torch.zeros(1, 1), torch.ones(1, 1).double(), Isotropic(4.0), event_dim=0)
    many = GaussianMixture(torch.zeros(1, 30), torch.ones(1, 30).double(), Isotropic(4.0), event_dim=0)
    y = torch.tensor([4.2], dtype=torch.float64)
    torch.testing.assert_close(log_mass_outside(many, y), log_mass_outside(one, y), rtol=1e-10, atol=0)
    intervals = [q.highest_density_region(0.3).intervals for q in (one, many)]
    torch.testing.assert_close(*intervals, rtol=1e-9, atol=0)


@pytest.mark.parametrize("mixture", ["full", "angles"])
def test_ranks_of_draws_are_uniform_and_regions_agree_with_them(mixture: str) -> None:
    rows = 400
    if mixture == "full":
        q = random_case("full", K=3, D=2).mixture.expand((rows,))
    else:
        loc = torch.tensor([-2.0, 1.0]).double().expand(rows, 2)
        q = VonMisesMixture(torch.zeros(rows, 2), loc, 3.0, event_dim=0)
    torch.manual_seed(0)
    y = q.sample()
    before = global_state()
    outside = log_mass_outside(q, y)
    assert global_state() == before
    assert stats.kstest(outside.exp(), "uniform").pvalue > 1e-3
    median = outside.median().item()
    region = region_outside(q, median)
    assert region.intervals is None
    clear = (outside - median).abs() > 1e-9
    assert bool((region.contains(y) == (outside >= median))[clear].all())  # the same seed draws the same
    far = -50.0  # beyond all draws
    log_p = region_outside(q, far).log_level
    if mixture == "full":
        x = 1e3 * y
        assert bool(((q.log_prob(x) >= log_p) == (log_mass_outside(q, x) >= far)).all())
