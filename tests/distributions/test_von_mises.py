"""Von Mises mixtures and their Bessel functions against mpmath, scipy and quadrature."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats
from scipy.special import logsumexp

from mixtura.distributions import VonMisesMixture
from mixtura.distributions.circular import log_i0e, mean_resultant, von_mises_cdf, wrap
from tests.helpers import RTOL, assert_close

KAPPAS = [0.0, 1e-8, 1e-3, 0.5, 5.0, 29.9, 30.0, 31.0, 50.0, 1e3, 1e4, 1e6, 1e9]


def _log_i0e(kappa: float) -> Any:
    """Forty digits; for large κ by the confluent function, whose asymptotic series mpmath sums."""
    with mpmath.workdps(40):
        k = mpmath.mpf(kappa)
        if kappa < 1e5:
            return mpmath.log(mpmath.besseli(0, k)) - k
        return mpmath.log(mpmath.hyp2f0(0.5, 0.5, 1 / (2 * k))) - mpmath.log(2 * mpmath.pi * k) / 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bessel_function_and_its_derivative(dtype: torch.dtype) -> None:
    kappa = torch.tensor(KAPPAS, dtype=dtype, requires_grad=True)
    value = log_i0e(kappa)
    (slope,) = torch.autograd.grad(value.sum(), kappa)
    used = kappa.tolist()
    assert_close(value, [float(_log_i0e(k)) for k in used], 1e-6 if dtype is torch.float32 else 1e-14, 1e-1)
    with mpmath.workdps(40):
        expected = [
            float(
                mpmath.besseli(1, k) / mpmath.besseli(0, k) - 1
                if k < 1e5
                else -1 / (2 * k) - 1 / (8 * mpmath.mpf(k) ** 2)
            )
            for k in used
        ]
    assert_close(slope, expected, 2e-5 if dtype is torch.float32 else 1e-12)


def test_bessel_function_has_second_derivatives() -> None:
    kappa = torch.tensor([1e-3, 0.5, 5.0, 28.0, 40.0, 1e3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(log_i0e, kappa)
    assert torch.autograd.gradgradcheck(log_i0e, kappa)


@given(
    st.lists(st.integers(1, 3), max_size=2),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([1e-4, 1.0, 1e2, 1e6]),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 999),
)
def test_density_agrees_with_scipy(
    batch: list[int], K: int, D: int, size: float, dtype: torch.dtype, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits, loc, kappa = (
        torch.as_tensor(t, dtype=dtype)
        for t in (
            rng.standard_normal((*batch, K)),
            rng.uniform(-6, 6, (*batch, K, D)),
            size * np.exp(rng.standard_normal((*batch, K, D))),
        )
    )
    q, x = VonMisesMixture(logits, loc, kappa), torch.as_tensor(rng.uniform(-6, 6, (2, *batch, D)), dtype=dtype)
    k, d = kappa.double().numpy(), x.double().numpy()[..., None, :] - loc.double().numpy()
    each = (k * special.cosm1(d) - np.log(2 * np.pi * special.i0e(k))).sum(-1)
    w = torch.softmax(logits.double(), -1).numpy()
    blur = np.finfo(np.float32 if dtype is torch.float32 else float).eps / RTOL[dtype]  # rounding of an angle
    unit = 1 + float((8 * blur * k + np.abs(np.log(k))).sum(-1).max())
    assert_close(q.log_prob(x), logsumexp(each, b=w, axis=-1), RTOL[dtype], unit)


def _cdf(x: float, kappa: float) -> float:
    """The integral of the density from -π by quadrature in thirty digits."""
    with mpmath.workdps(30):
        width = 1 / math.sqrt(max(kappa, 1))
        steps = [t * width for t in (-40, -20, -10, -6, -3, -1, 0, 1, 3, 6, 10, 20, 40) if abs(t * width) < math.pi]
        ends = [-mpmath.pi, *map(mpmath.mpf, steps), mpmath.pi]

        def density(t: Any) -> Any:
            return mpmath.exp(-2 * kappa * mpmath.sin(t / 2) ** 2)

        near = [mpmath.mpf(x - t * width) for t in (2, 0.8, 0.3, 0.1, 0.03, 0) if x - t * width > -math.pi]
        below = [e for e in ends if e < near[0]] + near
        return float(mpmath.quad(density, below) / mpmath.quad(density, ends))


@pytest.mark.parametrize("kappa", [0.0, 0.3, 5.0, 29.9, 30.0, 60.0, 1e3, 1e6])
def test_distribution_function_agrees_with_quadrature(kappa: float) -> None:
    width = min(1.0, kappa**-0.5) if kappa else 1.0
    x = [-3.1, -2 * width, -0.5 * width, 0.0, 0.1 * width, width, 3 * width, 3.0]
    expected = [_cdf(t, kappa) for t in x]
    for dtype in (torch.float32, torch.float64):
        got = von_mises_cdf(torch.tensor(x, dtype=dtype), torch.tensor(kappa, dtype=dtype))
        assert_close(got, expected, 1e-6 if dtype is torch.float32 else 5e-15, 1.0)


def test_derivatives_of_the_distribution_function() -> None:
    """In both ranges of κ, at the location, and over the cut."""
    x = torch.tensor([0.0, 0.0, -0.3, 0.02, 3.0, -5.0, 1.0], dtype=torch.float64, requires_grad=True)
    kappa = torch.tensor([2.0, 100.0, 29.0, 5e3, 1e-3, 0.7, 31.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(von_mises_cdf, (x, kappa))
    assert torch.autograd.gradgradcheck(von_mises_cdf, (x, kappa))


def test_far_tail_of_a_sharp_peak_keeps_its_digits() -> None:
    got = von_mises_cdf(torch.tensor(-0.02, dtype=torch.float64), torch.tensor(1e6, dtype=torch.float64))
    assert_close(got, _cdf(-0.02, 1e6), 1e-9)  # 1e-89


def test_distribution_function_agrees_with_scipy_and_grows_by_one_with_every_turn() -> None:
    x = np.linspace(-9, 9, 37)
    for kappa in (0.1, 3.0, 20.0):
        got = von_mises_cdf(torch.as_tensor(x), torch.tensor(kappa, dtype=torch.float64))
        assert_close(got, stats.vonmises.cdf(x, kappa), 1e-9, 1.0)


def _mixture(kappas: list[float]) -> VonMisesMixture:
    K = len(kappas)
    loc = torch.linspace(-3, 3, K, dtype=torch.float64)
    return VonMisesMixture(loc.sin(), loc, torch.tensor(kappas, dtype=torch.float64), event_dim=0)


def test_cdf_is_cut_open_at_minus_pi() -> None:
    q = _mixture([2.0, 50.0, 0.0])
    turn = torch.tensor([-10.0, -math.pi, math.pi, 10.0], dtype=torch.float64)
    assert_close(q.cdf(turn), [0.0, 0.0, 1.0, 1.0], 1e-13, 1.0)
    x = torch.linspace(-math.pi, math.pi, 4001, dtype=torch.float64)  # Simpson's rule, weights by hand
    p = q.log_prob(x).exp()
    mass = (p[:-1:2] + 4 * p[1::2] + p[2::2]).cumsum(0) * (x[1] - x[0]) / 3
    assert_close(q.cdf(x[2::2]), mass, 1e-9, 1.0)


@pytest.mark.parametrize("kappas", [[0.0], [3.0, 0.5], [1e6, 40.0, 1e-3], [1e6, 1e6]], ids=str)
def test_quantiles_invert_the_cdf(kappas: list[float]) -> None:
    q, u = _mixture(kappas), torch.tensor([0.0, 1e-6, 0.2, 0.5, 0.77, 1 - 1e-6, 1.0], dtype=torch.float64)
    x = q.icdf(u)
    assert bool((x.abs() <= math.pi).all())
    assert bool((x.diff() >= 0).all())
    assert_close(q.cdf(x), u, 2e-12, 1.0)


def test_density_has_the_period_of_a_turn() -> None:
    q, x = _mixture([2.0, 500.0]), torch.linspace(-3, 3, 7, dtype=torch.float64)
    for turns in (-3, 1, 1000):
        assert_close(q.log_prob(x + 2 * math.pi * turns), q.log_prob(x), 1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mean_direction_and_circular_variance(dtype: torch.dtype) -> None:
    logits, loc = torch.tensor([0.3, -0.2], dtype=dtype), torch.tensor([3.0, -2.5], dtype=dtype)
    kappa = torch.tensor([4.0, 0.7], dtype=dtype)
    q = VonMisesMixture(logits, loc, kappa, event_dim=0)
    x = torch.linspace(-math.pi, math.pi, 2001, dtype=torch.float64)[:-1]  # exact for periodic functions
    wide = VonMisesMixture(logits.double(), loc.double(), kappa.double(), event_dim=0)
    z = (wide.log_prob(x).exp() * torch.exp(1j * x)).mean() * 2 * math.pi
    assert_close(q.mean, z.angle(), 1e-6 if dtype is torch.float32 else 1e-13)
    assert_close(q.variance, 1 - z.abs(), 1e-6 if dtype is torch.float32 else 1e-13)
    sharp = VonMisesMixture(torch.zeros(1, dtype=dtype), torch.zeros(1, dtype=dtype), 1e6, event_dim=0)
    assert_close(sharp.variance, 1 / 2e6 + 1 / 8e12, 1e-6)


def test_mean_resultant_agrees_with_mpmath() -> None:
    k = [0.0, 1e-6, 0.1, 3.0, 100.0]
    expected = [float(mpmath.besseli(1, t) / mpmath.besseli(0, t)) for t in k]
    assert_close(mean_resultant(torch.tensor(k, dtype=torch.float64)), expected, 1e-14)


@pytest.mark.parametrize("kappa", [0.0, 1e-9, 0.5, 5.0, 1e3, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_follow_the_distribution_at_every_concentration(kappa: float, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    q = VonMisesMixture(torch.zeros(1, dtype=dtype), torch.zeros(1, dtype=dtype), kappa, event_dim=0)
    x: NDArray[Any] = q.sample((20_000,)).numpy()
    assert x.min() >= -np.float32(np.pi)
    assert x.max() <= np.float32(np.pi)
    reference = stats.uniform(-np.pi, 2 * np.pi) if kappa == 0 else stats.vonmises(kappa)
    assert stats.kstest(x, reference.cdf).pvalue > 1e-3


def test_samples_are_angles_and_a_parameter_that_is_no_number_does_not_hang() -> None:
    q = VonMisesMixture(
        torch.zeros(1), torch.tensor([20.0]), torch.tensor([math.nan]), event_dim=0, validate_args=False
    )
    assert bool(q.sample((3,)).isnan().all())
    x = VonMisesMixture(torch.zeros(1), torch.tensor([20.0]), 1e4, event_dim=0).sample((100,))
    assert float((x - (20 - 6 * math.pi)).abs().max()) < 0.1


def test_wrap_finds_the_same_angle() -> None:
    x = torch.tensor([-math.pi, 0.5, math.pi, 7.0, -100.0], dtype=torch.float64)
    assert_close(wrap(x), [-math.pi, 0.5, -math.pi, 7 - 2 * math.pi, -100 + 32 * math.pi], 1e-12)
