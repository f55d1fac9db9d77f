"""Cauchy mixtures against scipy's multivariate t, mpmath and quadrature."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import logsumexp

from mixtura.distributions import CauchyMixture
from tests.helpers import RTOL, assert_close


@given(
    st.lists(st.integers(1, 3), max_size=2),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([1e-4, 1.0, 1e4]),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 999),
)
def test_density_agrees_with_students_t_of_one_degree(
    batch: list[int], K: int, D: int, size: float, dtype: torch.dtype, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits, loc, gamma = (
        torch.as_tensor(t, dtype=dtype)
        for t in (
            rng.standard_normal((*batch, K)),
            size * rng.standard_normal((*batch, K, D)),
            size * np.exp(rng.standard_normal((*batch, K))),
        )
    )
    q, x = CauchyMixture(logits, loc, gamma), torch.as_tensor(3 * size * rng.standard_normal((*batch, D)), dtype=dtype)
    each = np.empty((*batch, K))
    for i in np.ndindex(*batch, K):
        center, S = loc[i].double().numpy(), float(gamma[i]) ** 2 * np.eye(D)
        each[i] = stats.multivariate_t.logpdf(x[i[:-1]].double().numpy(), center, S, df=1)
    unit = 1 + D * abs(math.log(size)) + float(gamma.log().abs().max()) * D
    assert_close(q.component_log_prob(x), each, RTOL[dtype], unit)
    w = torch.softmax(logits.double(), -1).numpy()
    assert_close(q.log_prob(x), logsumexp(each, b=w, axis=-1), RTOL[dtype], unit)


def test_marginal_is_the_integral_of_the_joint() -> None:
    q = CauchyMixture(
        torch.zeros(2).double(),
        torch.tensor([[0.0, 1.0], [2.0, -1.0]]).double(),
        torch.tensor([0.5, 1.5]).double(),
    )
    for x in (-1.0, 0.3, 4.0):
        joint = integrate.quad(
            lambda y, x=x: float(q.log_prob(torch.tensor([x, y]).double()).exp()), -np.inf, np.inf, epsabs=1e-12
        )[0]
        assert_close(q.marginal(0).log_prob(torch.tensor(x).double()).exp(), joint, 1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tails_of_cdf_and_quantiles_keep_their_digits(dtype: torch.dtype) -> None:
    q = CauchyMixture(torch.zeros(2, dtype=dtype), torch.tensor([-1.0, 2.0], dtype=dtype), 0.5, event_dim=0)
    x = [-1e30, -1e10, -1e4, -1.0, 0.0, 3.0, 50.0]
    with mpmath.workdps(60):
        F = [
            float(mpmath.fsum(0.5 * (0.5 + mpmath.atan((mpmath.mpf(t) - m) / 0.5) / mpmath.pi) for m in (-1, 2)))
            for t in x
        ]
    assert_close(q.cdf(torch.tensor(x, dtype=dtype)), F, 0.3 * RTOL[dtype])
    assert_close(q.icdf(torch.as_tensor(F, dtype=dtype)), x, 10 * RTOL[dtype], 1e-2)
    assert_close(q.icdf(torch.tensor([0.0, 1.0], dtype=dtype)), [-np.inf, np.inf], 0)


def test_quantiles_agree_with_scipy() -> None:
    u = np.array([1e-200, 1e-12, 0.01, 0.3, 0.5, 0.6, 0.999])
    q = CauchyMixture(torch.zeros(1).double(), torch.tensor([0.3], dtype=torch.float64), 2.0, event_dim=0)
    expected = np.where(u < 0.5, 0.3 - 2 / np.tan(np.pi * u), 0.3 + 2 / np.tan(np.pi * (1 - u)))
    assert_close(q.icdf(torch.as_tensor(u)), expected, 1e-13, 1.0)
    assert_close(q.icdf(torch.as_tensor(u[1:])), stats.cauchy.ppf(u[1:], 0.3, 2), 1e-10, 1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_twelve_thousand_dimensions_beyond_the_range_of_squares(dtype: torch.dtype) -> None:
    D = 12_288
    loc = torch.stack([torch.zeros(D), torch.zeros(D), torch.full((D,), 1e18)]).to(dtype).requires_grad_()
    gamma = torch.tensor([1e-25, 1.0, 1e25], dtype=dtype, requires_grad=True)
    q, x = CauchyMixture(torch.zeros(3, dtype=dtype), loc, gamma), torch.full((2, D), 1e20, dtype=dtype)
    x[1] = 0
    value = q.component_log_prob(x)
    with mpmath.workdps(40):
        a = mpmath.mpf(D + 1) / 2
        expected = [
            [
                float(mpmath.loggamma(a) - a * mpmath.log(mpmath.pi) + mpmath.log(g) - a * mpmath.log(g**2 + D * d**2))
                for g, d in zip(map(mpmath.mpf, gamma.tolist()), (y, y, y - mpmath.mpf(1e18)), strict=True)
            ]
            for y in (mpmath.mpf(float(x[0, 0])), mpmath.mpf(0))
        ]
    assert_close(value, expected, 1e-5 if dtype is torch.float32 else 1e-12)
    for grad in torch.autograd.grad(value.sum(), (loc, gamma)):
        assert bool(torch.isfinite(grad).all())


def test_infinity_has_no_density() -> None:
    q = CauchyMixture(torch.zeros(2), torch.zeros(2, 2), 1.0)
    assert_close(q.log_prob(torch.tensor([[math.inf, 0.0], [0.0, -math.inf]])), [-np.inf, -np.inf], 0)
    assert_close(q.cdf(torch.tensor([-math.inf, math.inf])), [0.0, 1.0], 0)


def test_scales_twelve_orders_apart() -> None:
    loc, gamma = torch.tensor([-1.0, 5.0], dtype=torch.float64), torch.tensor([1e-6, 1e6], dtype=torch.float64)
    q = CauchyMixture(torch.zeros(2), loc, gamma, event_dim=0)
    u = torch.tensor([1e-300, 1e-290, 1e-9, 1e-6, 0.1, 0.25, 0.3, 0.5, 0.749, 0.9, 1 - 1e-12], dtype=torch.float64)
    assert_close(q.cdf(q.icdf(u)), u, 1e-10)


def test_mean_does_not_exist_and_the_variance_is_infinite_as_in_torch() -> None:
    q = CauchyMixture(torch.zeros(4, 2), torch.zeros(4, 2, 3), 1.0)
    peer = torch.distributions.Cauchy(torch.zeros(4, 3), 1.0)
    torch.testing.assert_close(q.mean, peer.mean, equal_nan=True)
    torch.testing.assert_close(q.variance, peer.variance)


def test_samples_are_isotropic_with_the_right_radius() -> None:
    """(r/γ)² / D follows Fisher's F(D, 1), and the direction is uniform."""
    torch.manual_seed(2)
    m = torch.tensor([[1.0, -2.0, 3.0]]).double()
    x = CauchyMixture(torch.zeros(1), m, 0.7).sample((20_000,)) - m
    r = x.norm(dim=-1)
    assert stats.kstest((r / 0.7).square().numpy() / 3, stats.f(3, 1).cdf).pvalue > 1e-4
    assert stats.kstest((x[:, 1] / r).numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-4  # Archimedes


def test_affine_of_equal_scales() -> None:
    q = CauchyMixture(torch.zeros(2).double(), torch.tensor([[0.0, 1.0], [2.0, -1.0]]).double(), 0.5)
    scale, shift = torch.full((2,), 3.0).double(), torch.tensor([1.0, -1.0]).double()
    x = torch.tensor([0.4, 0.2]).double()
    assert_close(q.affine(scale, shift).log_prob(scale * x + shift), q.log_prob(x) - 2 * math.log(3), 1e-12)
