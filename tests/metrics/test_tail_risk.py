"""Expected shortfall against quadrature of the quantile function."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq

from mixtura.distributions import AtomMixture, CauchyMixture, GaussianMixture, Isotropic, LaplaceMixture
from mixtura.metrics import expected_shortfall
from tests.helpers import random_case


def by_quadrature(cdf, level):
    """q - 1/p ∫_{-∞}^q F(x) dx."""
    q = brentq(lambda x: cdf(x) - level, -60, 60, xtol=1e-14)
    return q - quad(cdf, -60, q, epsabs=1e-13, limit=500, points=[q - 10, q - 2])[0] / level


@pytest.mark.parametrize("kind", ["isotropic", "full", "precision"])
@pytest.mark.parametrize("level", [1e-3, 0.05, 0.9])
def test_gaussian_mixtures(kind, level):
    case = random_case(kind, batch=(3,), K=3, D=2, seed=4)
    result = expected_shortfall(case.mixture, level)
    assert result.shape == (3, 2)
    for i in range(3):
        for d in range(2):
            sd = np.sqrt(case.dense.S[i, :, d, d])
            w, m = case.dense.weights[i], case.dense.loc[i, :, d]
            expected = by_quadrature(lambda x, w=w, m=m, sd=sd: float((w * stats.norm.cdf((x - m) / sd)).sum()), level)
            assert result[i, d].item() == pytest.approx(expected, rel=1e-7, abs=1e-7)


def test_laplace_and_scalars():
    loc, scale = torch.tensor([-1.0, 2.0]).double(), torch.tensor([0.5, 1.5]).double()
    q = LaplaceMixture(torch.tensor([0.3, 0.7]).log().double(), loc, scale, event_dim=0)

    def cdf(x):
        return float((np.array([0.3, 0.7]) * stats.laplace.cdf(x, loc.numpy(), scale.numpy())).sum())

    assert expected_shortfall(q, 0.04).item() == pytest.approx(by_quadrature(cdf, 0.04), rel=1e-7)


def test_single_precision_keeps_its_digits():
    q = GaussianMixture(torch.zeros(1), torch.zeros(1), Isotropic(1e-4), event_dim=0)
    for level in (1e-4, 0.01, 0.025):
        z = stats.norm.ppf(level)
        assert expected_shortfall(q, level).item() == pytest.approx(-0.01 * stats.norm.pdf(z) / level, rel=1e-6)


def test_atoms_take_the_part_of_the_share_that_is_theirs():
    """x = -1 with 0.2, 0 with 0.3, else N(0, 1): the worst 10 % begin among the normal's outcomes below the atom."""
    rest = GaussianMixture(torch.zeros(1), torch.zeros(1).double(), Isotropic(1.0), event_dim=0)
    logits = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64).log()
    mixture = AtomMixture(logits, torch.tensor([-1.0, 0.0]), rest)
    below = 0.5 * stats.norm.cdf(-1)  # 0.0793
    worst = -0.5 * stats.norm.pdf(-1)  # E[x; x < -1] of the continuous part
    assert expected_shortfall(mixture, 0.1).item() == pytest.approx((worst - (0.1 - below)) / 0.1, rel=1e-9)
    z = stats.norm.ppf(0.1)  # inside the continuous part, where 0.5 Φ(z) = 0.05
    assert expected_shortfall(mixture, 0.05).item() == pytest.approx(-stats.norm.pdf(z) / 0.1, rel=1e-9)
    batch = AtomMixture(logits.expand(4, 3), torch.tensor([[-1.0, 5.0], [0.0, 5.0]]), GaussianMixture(
        torch.zeros(4, 1), torch.tensor([0.0, 3.0]).expand(4, 1, 2).double(), Isotropic(1.0)
    ))  # fmt: skip
    vectors = expected_shortfall(batch, 0.1)
    assert vectors.shape == (4, 2)
    assert vectors[:, 0].tolist() == pytest.approx([(worst - (0.1 - below)) / 0.1] * 4, rel=1e-9)
    assert vectors[2, 1].item() == pytest.approx(3 - stats.norm.pdf(stats.norm.ppf(0.2)) / 0.2, rel=1e-9)


def test_it_refuses():
    cauchy = CauchyMixture(torch.zeros(1), torch.zeros(1), torch.ones(1), event_dim=0)
    with pytest.raises(TypeError, match="no expected shortfall"):
        expected_shortfall(cauchy, 0.1)
    with pytest.raises(ValueError, match="level must lie strictly between 0 and 1, got 5"):
        expected_shortfall(GaussianMixture(torch.zeros(1), torch.zeros(1), Isotropic(1.0), event_dim=0), 5)
