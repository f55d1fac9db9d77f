"""Masses of highest-density regions, and how often conformal regions of a wrong model hold the truth."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from mixtura.distributions import AtomMixture, Diagonal, GaussianMixture, Isotropic, LaplaceMixture
from mixtura.distributions.regions import log_mass_outside
from mixtura.metrics import ConformalLevels, highest_density_mass
from tests.helpers import random_case

SPLITS = 100


def gaussians(loc, scale):
    """One scalar Gaussian per row."""
    loc, scale = (torch.as_tensor(t, dtype=torch.float64).reshape(-1, 1) for t in (loc, scale))
    return GaussianMixture(torch.zeros_like(loc), loc, Isotropic(scale.square().expand_as(loc)), event_dim=0)


def test_mass_of_one_gaussian_is_that_of_the_central_interval():
    y = torch.linspace(-4, 6, 21, dtype=torch.float64)
    got = highest_density_mass(gaussians(torch.ones(21), [2.0] * 21), y)
    np.testing.assert_allclose(got, stats.chi2.cdf(((y.numpy() - 1) / 2) ** 2, 1), rtol=1e-9, atol=1e-7)


def test_mass_of_a_round_gaussian_of_several_targets():
    y = torch.randn(300, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    q = GaussianMixture(torch.zeros(300, 1), torch.zeros(300, 1, 3).double(), Isotropic(1.0))
    expected = stats.chi2.cdf(y.square().sum(-1).numpy(), 3)
    error = highest_density_mass(q, y).numpy() - expected
    assert np.abs(error / np.sqrt(expected * (1 - expected) / 1000 + 1e-6)).max() < 4.5


@pytest.mark.parametrize("D", [1, 2])
def test_mass_is_uniform_where_the_model_is_right(D):
    torch.manual_seed(0)
    q = random_case("full", batch=(1500,), K=3, D=D, seed=D).mixture
    assert stats.kstest(highest_density_mass(q, q.sample()), "uniform").pvalue > 1e-3


def splits(n, test_rows):
    """Random calibration and test rows: 99 for calibration, so that c (n + 1) is a whole number and c is exact."""
    rng = np.random.default_rng(0)
    for _ in range(SPLITS):
        order = torch.as_tensor(rng.choice(n, size=99 + test_rows, replace=False))
        yield order[:99], order[99:]


def observed_coverage(model, X, y, coverage):
    """Mean coverage over splits by the scores, which in the first ten say of every row what its region says."""
    held, scores = [], log_mass_outside(model(X), y)
    for i, (one, two) in enumerate(splits(len(X), 50)):
        levels = ConformalLevels(scores[one].sort(descending=True).values)
        inside = scores[two] >= levels.log_mass_outside(coverage)
        if i < 10:
            assert torch.equal(levels.region(model(X[two]), coverage).contains(y[two]), inside)
        held.append(inside.double().mean().item())
    return float(np.mean(held))


def heteroscedastic(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, n)
    return torch.as_tensor(X), torch.as_tensor(X + rng.laplace(size=n) * (0.2 + X**2))


MODELS = {
    "too sure": lambda X: gaussians(X, torch.full_like(X, 0.02)),  # most truths lie more than ten of its scales away
    "too wide and shifted": lambda X: gaussians(X + 1, torch.full_like(X, 3.0)),
    "two modes where there is one": lambda X: LaplaceMixture(
        torch.zeros(len(X), 2), torch.stack([X - 1, X + 2], -1), 0.4, event_dim=0
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_coverage_of_wrong_models_by_their_scores(name):
    X, y = heteroscedastic(5_000)
    q = MODELS[name](X)
    scores = log_mass_outside(q, y)
    assert torch.equal(ConformalLevels.of(q, y).log_outside, scores.sort(descending=True).values)
    assert len(scores.unique()) > 0.999 * len(scores)  # no ties, however far out
    for coverage in (0.1, 0.5, 0.9):
        held = []
        for one, two in splits(len(X), 1000):
            levels = ConformalLevels(scores[one].sort(descending=True).values)
            held.append((scores[two] >= levels.log_mass_outside(coverage)).double().mean().item())
        assert abs(np.mean(held) - coverage) < 0.01


def test_coverage_of_the_regions_of_a_wrong_model():
    X, y = heteroscedastic(5_000)
    assert abs(observed_coverage(MODELS["too sure"], X, y, 0.9) - 0.9) < 0.01


def test_coverage_of_a_wrong_model_of_two_targets():
    X, first = heteroscedastic(5_000)
    y = torch.stack([first, 0.5 * first + heteroscedastic(5_000, seed=1)[1]], -1)

    def model(X):
        """Far too sure of the first target, and without the correlation."""
        loc = torch.stack([X, -X], -1).unsqueeze(-2)
        return GaussianMixture(torch.zeros(len(X), 1), loc, Diagonal(torch.tensor([0.05**2, 1.0]).double()))

    assert abs(observed_coverage(model, X, y, 0.9) - 0.9) < 0.01


def test_regions_are_unions_of_intervals_that_say_what_contains_says():
    X, y = heteroscedastic(600)
    model = MODELS["two modes where there is one"]
    levels = ConformalLevels.of(model(X[:200]), y[:200])
    region = levels.region(model(X[200:]), 0.4)
    assert region.intervals is not None
    assert region.intervals.shape[-2] == 2
    low, high = region.intervals.unbind(-1)
    inside = ((low <= y[200:, None]) & (y[200:, None] <= high)).any(-1)
    assert torch.equal(inside, region.contains(y[200:]))
    assert region.mass == pytest.approx(levels.mass(0.4))


def test_membership_is_the_rank_of_the_mass():
    X, y = heteroscedastic(300)
    model = MODELS["too wide and shifted"]
    levels = ConformalLevels.of(model(X[:99]), y[:99])
    H, new = highest_density_mass(model(X[:99]), y[:99]), highest_density_mass(model(X[99:]), y[99:])
    for coverage, k in ((0.5, 50), (0.9, 90), (0.99, 99), (0.011, 2), (0.123, 13)):
        limit = H.sort().values[k - 1].item()
        assert levels.mass(coverage) == pytest.approx(limit, rel=1e-9)
        clear = (new - limit).abs() > 1e-9
        assert torch.equal(levels.region(model(X[99:]), coverage).contains(y[99:])[clear], (new <= limit)[clear])


def test_the_least_number_of_rows():
    q = gaussians(torch.zeros(19), torch.ones(19))
    levels = ConformalLevels.of(q, torch.linspace(-2, 2, 19, dtype=torch.float64))
    assert levels.mass(0.95) == pytest.approx(stats.chi2.cdf(4, 1))  # the nineteenth of nineteen
    with pytest.raises(ValueError, match=r"19 calibration rows are too few for a coverage of 0.96, which needs 24"):
        levels.mass(0.96)
    for coverage in (0.0, 1.0, 90):
        with pytest.raises(ValueError, match="strictly between 0 and 1"):
            levels.region(q, coverage)


def test_infinitely_wrong_rows_ask_for_everything():
    q = gaussians([0.0] * 9, [1e-150] * 9)
    levels = ConformalLevels.of(q, 1e10 * torch.arange(9.0).double())
    assert levels.log_mass_outside(0.9) == -math.inf
    region = levels.region(q, 0.9)
    assert region.mass == 1
    assert bool(region.contains(torch.tensor(1e9).double()).all())


def test_equal_rows_count_as_often_as_they_occur():
    y = torch.tensor([0.0] * 50 + [1.0] * 49).double()
    q = gaussians(torch.zeros(99), torch.ones(99))
    levels = ConformalLevels.of(q, y)
    for coverage in (0.3, 0.7):
        assert levels.region(q, coverage).contains(y).double().mean() >= coverage - 0.01


def test_refuses():
    q = gaussians(torch.zeros(3), torch.ones(3))
    with pytest.raises(ValueError, match="one value per distribution"):
        highest_density_mass(q, torch.zeros(3, 1))
    with pytest.raises(ValueError, match="no NaN"):
        ConformalLevels.of(q, torch.tensor([0.0, torch.nan, 1.0]).double())
    with pytest.raises(ValueError, match="at least one row"):
        ConformalLevels.of(gaussians([], []), torch.zeros(0).double())
    y = torch.zeros(3).double()
    with pytest.raises(TypeError, match="use its continuous part"):
        highest_density_mass(AtomMixture(torch.zeros(3, 2), torch.zeros(1), q), y)  # pyright: ignore[reportArgumentType]
