"""Entropy against quadrature and exact cases, and its bounds."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from scipy.integrate import quad

from mixtura.distributions import GaussianMixture, Isotropic
from tests.helpers import KINDS, Case, assert_close, cases, random_case


@pytest.mark.parametrize("seed", range(4))
def test_entropy_in_one_dimension_is_the_integral(seed: int) -> None:
    case = random_case("isotropic", K=4, D=1, seed=seed, spread=4)
    q = case.mixture.marginal(0)

    def integrand(x: float) -> float:
        log_p = case.dense.log_prob(np.array([x])).item()
        return -math.exp(log_p) * log_p

    corners = sorted(case.dense.loc.ravel())
    points = [corners[0] - 60, *corners, corners[-1] + 60]
    expected = sum(quad(integrand, a, b, limit=200)[0] for a, b in pairwise(points))
    assert_close(q.entropy(), expected, 1e-8)


def test_entropy_of_spikes_and_mountains() -> None:
    """Components that do not overlap: Σ w (h - log w)."""
    logits, v = torch.tensor([0.2, 0.3, 0.5]).double().log(), torch.tensor([1e-12, 1.0, 1e12]).double()
    q = GaussianMixture(logits, torch.tensor([-1e3, 1e3, 1e9]).double(), Isotropic(v), event_dim=0)
    w = logits.exp()
    expected = (w * (0.5 * (2 * math.pi * math.e * v).log() - logits)).sum()
    assert_close(q.entropy(), expected, 1e-7)  # the spike's nodes are rounded to 1e-7 of its width


@given(cases(dtypes=[torch.float64]))
def test_bounds_hold(case: Case) -> None:
    torch.manual_seed(0)
    q = case.mixture
    lower, upper = q.entropy_bounds()
    x = q.sample((2000,))
    surprise = -torch.as_tensor(case.dense.log_prob(x.double().numpy()))
    estimate, error = surprise.mean(0), surprise.std(0) / 2000**0.5
    slack = 6 * error + 1e-3 * (1 + estimate.abs())
    assert bool((lower <= estimate + slack).all())
    assert bool((upper >= estimate - slack).all())
    value = q.entropy()
    assert bool(((lower - 1e-9 <= value) & (value <= upper + 1e-9)).all())


@pytest.mark.parametrize("kind", KINDS)
def test_bounds_of_one_gaussian(kind: str) -> None:
    case = random_case(kind, K=1, D=3)
    exact = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * case.dense.S[0])[1]
    lower, upper = case.mixture.entropy_bounds()
    assert_close(upper, exact, 1e-10)
    # Jensen: the entropy of order two, ½ log det(4π S), is D/2 (1 - log 2) below.
    assert_close(lower, exact - 1.5 * (1 - math.log(2)), 1e-10)
