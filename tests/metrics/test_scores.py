"""The CRPS against quadrature, Monte Carlo, scoringrules and the closed form of one Gaussian; the energy score against
closed forms, quadrature and its own error."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from scipy.special import eval_genlaguerre

from mixtura.distributions import (
    AtomMixture,
    CauchyMixture,
    Diagonal,
    Full,
    GaussianMixture,
    Isotropic,
    LaplaceMixture,
    VonMisesMixture,
)
from mixtura.metrics import crps, energy_score, scores
from tests.helpers import KINDS, global_state, random_case
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


def test_memory_stays_small(monkeypatch):
    n, K, sizes = 50_000, 20, []
    q = GaussianMixture(torch.zeros(n, K), torch.randn(n, K), Isotropic(torch.rand(n, K) + 0.1), event_dim=0)
    forms = scores.differences(q)

    def pair(a, s, t):
        sizes.append(a.numel())
        return forms.pair(a, s, t)

    monkeypatch.setattr(scores, "differences", lambda mixture: forms._replace(pair=pair))
    crps(q, torch.zeros(n))
    assert sum(sizes) == n * K**2
    assert max(sizes) <= 1_000_000


@pytest.mark.parametrize("shape", [(5, 1), (4,), (1,), ()])
def test_refuses_what_would_broadcast(shape):
    q = GaussianMixture(torch.zeros(5, 2), torch.zeros(5, 2), Isotropic(1.0), event_dim=0)
    with pytest.raises(ValueError, match=r"one value per distribution of the mixture is \(5,\)"):
        crps(q, torch.zeros(shape))


def integrated(cdf, y, ends):
    """∫ (F(x) - 1{y <= x})² dx, by pieces between the points where the integrand is not smooth."""
    points = sorted({-np.inf, np.inf, y, *ends})
    pieces = [
        integrate.quad(lambda x, step=float(a >= y): (cdf(x) - step) ** 2, a, b, limit=400, epsabs=1e-12, epsrel=1e-11)
        for a, b in pairwise(points)
    ]
    return sum(p[0] for p in pieces)


def other_families(rng, K=3):
    """Laplace and Cauchy mixtures of several scales, two of them alike, and their distribution functions by scipy."""
    w, m = rng.dirichlet(np.ones(K)), 2 * rng.standard_normal(K)
    s = np.exp(rng.standard_normal(K))
    s[1] = s[0]
    logits, loc, scale = (torch.as_tensor(a).unsqueeze(0) for a in (np.log(w), m, s))
    for family, truth in ((LaplaceMixture, stats.laplace), (CauchyMixture, stats.cauchy)):
        yield family(logits, loc, scale, event_dim=0), lambda x, f=truth: float((w * f.cdf((x - m) / s)).sum()), m


@pytest.mark.parametrize("seed", range(3))
def test_other_families_against_quadrature(seed):
    for q, cdf, points in other_families(np.random.default_rng(seed)):
        for y in (-30.0, 0.3, 7.0):
            got = crps(q, torch.tensor([y], dtype=torch.float64)).item()
            assert got == pytest.approx(integrated(cdf, y, points), rel=1e-6)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_other_families_in_any_unit_and_many_targets(unit):
    for q, _, _ in other_families(np.random.default_rng(7)):
        several = type(q)(q.logits.expand(4, -1), unit * q.loc.expand(4, -1).unsqueeze(-1), unit * q.scale[0, 0])
        one = type(q)(q.logits, q.loc, q.scale[0, 0], event_dim=0)
        y = torch.linspace(-2, 3, 4, dtype=torch.float64)
        expected = torch.cat([crps(one, t.unsqueeze(0)) for t in y]).unsqueeze(-1)
        torch.testing.assert_close(crps(several, unit * y.unsqueeze(-1)) / unit, expected, rtol=1e-11, atol=0)


@pytest.mark.parametrize("family", ["gaussian", "laplace", "cauchy"])
def test_atoms_against_quadrature(family):
    rng = np.random.default_rng(3)
    q, cdf, points = {
        "laplace": lambda: next(iter(other_families(rng))),
        "cauchy": lambda: list(other_families(rng))[1],
        "gaussian": lambda: (
            GaussianMixture(torch.zeros(1, 1), torch.ones(1, 1).double(), Isotropic(4.0), event_dim=0),
            lambda x: stats.norm.cdf((x - 1) / 2),
            [1.0],
        ),
    }[family]()
    positions, w = np.array([0.0, 1.5, -1.0]), np.array([0.3, 0.1, 0.2, 0.4])
    mixture = AtomMixture(torch.as_tensor(np.log(w)), torch.as_tensor(positions), q)

    def whole(x):
        return float((w[:3] * (positions <= x)).sum() + w[3] * cdf(x))

    for y in (-4.0, 0.0, 0.7):
        got = crps(mixture, torch.tensor([y], dtype=torch.float64)).item()
        assert got == pytest.approx(integrated(whole, y, [*points, *positions]), rel=1e-6)


def test_atoms_of_several_targets_and_rows():
    torch.manual_seed(0)
    q = random_case("diagonal", batch=(5,), K=2, D=2).mixture
    atoms = torch.randn(5, 3, 2, dtype=torch.float64)
    mixture, y = AtomMixture(torch.randn(5, 4), atoms, q), torch.randn(5, 2, dtype=torch.float64)
    whole = crps(mixture, y)
    for t in range(2):
        torch.testing.assert_close(crps(mixture.marginal(t), y[:, t]), whole[:, t])
    x, other = mixture.sample((2, 100_000))
    term = (x - y).abs() - 0.5 * (x - other).abs()
    assert bool(((whole - term.mean(0)).abs() < 4 * term.std(0) / 100_000**0.5).all())


def test_against_scoringrules():
    peer = pytest.importorskip("scoringrules")
    case = random_case("isotropic", batch=(50,), K=6, D=1, seed=5)
    m, s = case.dense.loc[..., 0], np.sqrt(case.dense.S[..., 0, 0])
    y = case.values()
    expected = peer.crps_mixnorm(y[:, 0].numpy(), m, s, case.dense.weights)
    np.testing.assert_allclose(crps(case.mixture, y)[:, 0], expected, rtol=1e-11)
    laplace = LaplaceMixture(torch.zeros(50, 1), torch.as_tensor(m[:, :1]), torch.as_tensor(s[:, :1]), event_dim=0)
    np.testing.assert_allclose(crps(laplace, y[:, 0]), peer.crps_laplace(y[:, 0].numpy(), m[:, 0], s[:, 0]), rtol=1e-11)


def test_angles_have_no_crps():
    q = VonMisesMixture(torch.zeros(1, 1), torch.zeros(1, 1), 1.0, event_dim=0)
    with pytest.raises(TypeError, match="angles are in no order"):
        crps(q, torch.zeros(1))


def test_energy_score_of_one_target_is_the_crps():
    case = random_case("full", batch=(4,), K=3, D=1)
    y = case.values()
    score = energy_score(case.mixture, y)
    torch.testing.assert_close(score.value, crps(case.mixture, y)[:, 0], rtol=0, atol=0)
    assert not score.standard_error.any()
    scalar = energy_score(case.mixture.marginal(0), y[:, 0])
    torch.testing.assert_close(scalar.value, score.value)


def test_energy_score_of_round_gaussians():
    """``E‖x - y‖`` is the mean of a noncentral chi: ``s √(π/2) L_½^(D/2 - 1)(-d²/2s²)``."""
    D, n, s = 3, 400, 0.7
    y = torch.randn(n, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 2
    q = GaussianMixture(torch.zeros(n, 1), torch.zeros(n, 1, D).double(), Isotropic(s**2))
    d = y.norm(dim=-1).numpy()
    away = s * math.sqrt(math.pi / 2) * eval_genlaguerre(0.5, D / 2 - 1, -(d**2) / (2 * s**2))
    within = math.sqrt(2) * s * math.sqrt(math.pi / 2) * eval_genlaguerre(0.5, D / 2 - 1, 0.0)
    score = energy_score(q, y, draws=200)
    z = (score.value.numpy() - (away - 0.5 * within)) / score.standard_error.numpy()
    assert np.abs(z.mean()) < 4 / n**0.5  # unbiased
    assert 0.85 < z.std() < 1.15  # by as much as it says


def test_energy_score_of_a_correlated_mixture():
    """Against quadrature of the characteristic functions' distance (Székely & Rizzo 2013), ``½ ∫ |φ_p(t) - e^{ity}|² /
    (2π ‖t‖³) dt`` for D = 2, in polar coordinates."""
    L = torch.tensor([[[1.0, 0.0], [0.8, 0.6]], [[0.5, 0.0], [-0.2, 0.3]]], dtype=torch.float64)
    w, m = np.array([0.6, 0.4]), np.array([[0.0, 0.0], [2.0, -1.0]])
    q = GaussianMixture(torch.as_tensor(np.log(w)), torch.as_tensor(m), Full(L)).expand((1,))
    y = np.array([1.0, 1.0])
    S = (L @ L.mT).numpy()
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    r, weight = np.polynomial.legendre.leggauss(600)
    r, weight = 0.5 * (r + 1), 0.5 * weight  # radius ρ = r / (1 - r)
    rho = (r / (1 - r))[:, None]
    t = rho[..., None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    phi = sum(w[k] * np.exp(1j * t @ m[k] - 0.5 * np.einsum("rai,ij,raj->ra", t, S[k], t)) for k in range(2))
    gap = np.abs(phi - np.exp(1j * t @ y)) ** 2
    density = gap / rho**2 / (1 - r[:, None]) ** 2
    expected = (weight[:, None] * density).sum() * (2 * np.pi / len(angle)) / (4 * np.pi)
    score = energy_score(q, torch.as_tensor(y).unsqueeze(0), draws=100_000)
    assert abs(score.value.item() - expected) < 4 * score.standard_error.item() + 1e-3
    assert score.standard_error.item() < 5e-3


def test_energy_score_is_proper_and_leaves_the_seed_alone():
    torch.manual_seed(3)
    right = GaussianMixture(torch.zeros(3000, 1), torch.zeros(3000, 1, 2), Full(torch.tensor([[1.0, 0.0], [0.9, 0.4]])))
    y = right.sample()
    wrong = GaussianMixture(torch.zeros(3000, 1), torch.zeros(3000, 1, 2), Diagonal(torch.tensor([1.0, 0.97])))
    before = global_state()
    a, b = energy_score(right, y, draws=100), energy_score(wrong, y, draws=100)
    assert global_state() == before
    assert a.value.mean() < b.value.mean()
    torch.testing.assert_close(energy_score(right, y, draws=100).value, a.value, rtol=0, atol=0)


def test_energy_score_a_few_draws_at_a_time(monkeypatch):
    case = random_case("full", batch=(3,), K=2, D=2)
    y, n = case.values(), 20_000
    whole = energy_score(case.mixture, y, draws=n)
    monkeypatch.setattr(scores, "_PAIRS", 1000)
    parts = energy_score(case.mixture, y, draws=n)
    error = (whole.standard_error.square() + parts.standard_error.square()).sqrt()
    assert bool(((whole.value - parts.value).abs() < 4 * error).all())
    torch.testing.assert_close(whole.standard_error, parts.standard_error, rtol=0.05, atol=0)


def test_energy_score_refuses():
    cauchy = CauchyMixture(torch.zeros(1, 1), torch.zeros(1, 1, 2), 1.0)
    with pytest.raises(ValueError, match="variance is infinite"):
        energy_score(cauchy, torch.zeros(1, 2))
    q = GaussianMixture(torch.zeros(1, 1), torch.zeros(1, 1, 2), Isotropic(1.0))
    with pytest.raises(ValueError, match="draws must be at least 2"):
        energy_score(q, torch.zeros(1, 2), draws=1)
    with pytest.raises(ValueError, match="one value per distribution"):
        energy_score(q, torch.zeros(3, 2))
