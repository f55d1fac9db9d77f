"""Log-probabilities of intervals against mpmath, in the middle and in both tails, and their gradients."""

import math

import mpmath
import pytest
import torch

from mixtura.distributions.log_mass import cauchy_log_mass, laplace_log_mass, normal_log_mass

mpmath.mp.dps = 60


def normal_cdf(z):
    return mpmath.erfc(-mpmath.mpf(z) / mpmath.sqrt(2)) / 2


def laplace_cdf(z):
    z = mpmath.mpf(z)
    return mpmath.exp(z) / 2 if z < 0 else 1 - mpmath.exp(-z) / 2


def cauchy_cdf(z):
    return mpmath.atan(mpmath.mpf(z)) / mpmath.pi + mpmath.mpf(1) / 2


FAMILIES = {
    "normal": (normal_log_mass, normal_cdf),
    "laplace": (laplace_log_mass, laplace_cdf),
    "cauchy": (cauchy_log_mass, cauchy_cdf),
}
STARTS = [-30.0, -9.0, -3.3, -1.0, -0.3, -1e-4, 0.0, 0.2, 2.5, 9.0, 30.0]
WIDTHS = [1e-9, 1e-4, 0.01, 0.2, 0.45, 0.6, 1.0, 5.0, 60.0]


@pytest.mark.parametrize("family", FAMILIES)
def test_against_mpmath(family):
    log_mass, cdf = FAMILIES[family]
    ends = [(a, a + w) for a in STARTS for w in WIDTHS]
    with mpmath.workdps(500):  # the mass at 30 standard deviations is 1e-198
        expected = [float(mpmath.log(cdf(b) - cdf(a))) for a, b in ends]
    a, b = torch.tensor(ends, dtype=torch.float64).T
    got = log_mass(a, b)
    error = (got - torch.tensor(expected, dtype=torch.float64)).abs()
    assert bool((error <= 3e-12 * got.abs().clamp_min(1)).all()), list(zip(ends, got.tolist(), expected, strict=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_infinite_ends_and_nothing(family):
    log_mass, cdf = FAMILIES[family]
    inf = torch.inf
    a = torch.tensor([-inf, -inf, 3.0, 1.0, inf, -inf], dtype=torch.float64)
    b = torch.tensor([inf, -7.0, inf, 1.0, inf, -inf], dtype=torch.float64)
    got = log_mass(a, b).tolist()
    assert got[0] == pytest.approx(0, abs=1e-15)
    assert got[1] == pytest.approx(float(mpmath.log(cdf(-7))), rel=1e-13)
    assert got[2] == pytest.approx(float(mpmath.log(cdf(-3))), rel=1e-13)
    assert got[3:] == [-math.inf] * 3


@pytest.mark.parametrize("family", FAMILIES)
def test_gradient(family):
    log_mass, _ = FAMILIES[family]
    a = torch.tensor([-30.0, -2.0, -0.3, 0.7, 12.0], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([-29.9, 5.0, 0.2, 0.71, 20.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(log_mass, (a, b), eps=1e-7, rtol=1e-4)
    low = torch.tensor([-torch.inf, 0.5], dtype=torch.float64, requires_grad=True)
    high = torch.tensor([0.5, torch.inf], dtype=torch.float64, requires_grad=True)
    left, right = torch.autograd.grad(log_mass(low, high).sum(), (low, high))
    assert bool(torch.isfinite(left).all() and torch.isfinite(right).all())
    assert left[0] == right[1] == 0


@pytest.mark.parametrize("family", FAMILIES)
def test_single_precision(family):
    log_mass, _ = FAMILIES[family]
    a = torch.tensor(STARTS, dtype=torch.float64)
    for width in (0.01, 1.0):
        exact = log_mass(a.float().double(), (a.float() + width).double())
        torch.testing.assert_close(log_mass(a.float(), a.float() + width).double(), exact, rtol=2e-4, atol=2e-4)
