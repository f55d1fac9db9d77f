"""Distribution function and quantiles against scipy, mpmath and finite differences."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from torch import Tensor

from mixtura.distributions import GaussianMixture, Isotropic
from tests.helpers import KINDS, RTOL, Case, assert_close, cases, random_case

LEVELS = [1e-300, 1e-100, 1e-12, 1e-6, 0.01, 0.3, 0.5, 0.77, 0.99, 1 - 1e-6, 1 - 1e-9]


def _scalar(w: list[float], m: list[float], s: list[float]) -> GaussianMixture:
    logits, loc, scale = (torch.tensor(t, dtype=torch.float64) for t in (w, m, s))
    return GaussianMixture(logits.log(), loc, Isotropic(scale.square()), event_dim=0)


def _exact_quantile(w: list[float], m: list[float], s: list[float], u: float) -> float:
    """The root of F(x) = u to 40 digits, by bisection between the quantiles of the components."""
    with mpmath.workdps(40):

        def excess(x: mpmath.mpf) -> mpmath.mpf:
            parts = (
                wk / mpmath.fsum(w) * mpmath.ncdf((x - mk) / mpmath.mpf(sk)) for wk, mk, sk in zip(w, m, s, strict=True)
            )
            return mpmath.fsum(parts) - mpmath.mpf(u)

        ends = [mk + sk * float(stats.norm.ppf(u)) for mk, sk in zip(m, s, strict=True)]
        low, high = mpmath.mpf(min(ends)) - 1e-3, mpmath.mpf(max(ends)) + 1e-3
        for _ in range(140):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle) < 0 else (low, middle)
        return float(low)


MIXTURES = {
    "one": ([1.0], [2.0], [3.0]),
    "two": ([0.3, 0.7], [-1.0, 2.0], [0.5, 1.5]),
    "a gap": ([0.5, 0.5], [-100.0, 100.0], [1.0, 1.0]),
    "a spike on a plain": ([0.5, 0.5], [1.0, 0.0], [1e-6, 10.0]),
    "many": ([0.1, 0.2, 0.3, 0.1, 0.3], [-5.0, -1.0, 0.0, 0.1, 8.0], [0.01, 2.0, 1.0, 1e-3, 5.0]),
    "far from zero": ([0.4, 0.6], [1e6, 1e6 + 3], [1.0, 0.5]),
}


@pytest.mark.parametrize("name", list(MIXTURES))
def test_quantiles_agree_with_forty_digits(name: str) -> None:
    w, m, s = MIXTURES[name]
    q = _scalar(w, m, s)
    for u in LEVELS:
        x = float(q.icdf(torch.tensor(u, dtype=torch.float64)))
        expected = _exact_quantile(w, m, s, u)
        # u itself, and F near it, are only known to a rounding error, which the density turns into one of x.
        density = sum(wk * stats.norm.pdf(expected, mk, sk) for wk, mk, sk in zip(w, m, s, strict=True)) / sum(w)
        rounding = 4e-16 * u / density if density > 0 else np.inf
        if rounding > max(s):  # u is the whole gap: any x in it is right
            assert float(q.cdf(torch.tensor(x, dtype=torch.float64))) == pytest.approx(u, rel=1e-14)
        else:
            assert x == pytest.approx(expected, rel=1e-14, abs=8 * rounding + 1e-13 * min(s)), u


def test_quantiles_agree_with_brentq() -> None:
    q = _scalar([0.3, 0.7], [-1.0, 2.0], [0.5, 1.5])
    for u in np.linspace(0.01, 0.99, 25):
        expected = optimize.brentq(
            lambda x, u=u: 0.3 * stats.norm.cdf(x, -1, 0.5) + 0.7 * stats.norm.cdf(x, 2, 1.5) - u, -20, 20, xtol=1e-14
        )
        assert float(q.icdf(torch.tensor(u, dtype=torch.float64))) == pytest.approx(expected, abs=1e-12)


@given(cases())
def test_cdf_is_the_weighted_sum_of_normal_ones(case: Case) -> None:
    x = case.values((3,))
    scale = np.sqrt(case.dense.S.diagonal(axis1=-2, axis2=-1))
    parts = stats.norm.cdf(x.double().numpy()[..., None, :], case.dense.loc, scale)
    expected = np.einsum("...k,...kd->...d", case.dense.weights, parts)
    assert_close(case.mixture.cdf(x), expected, RTOL[case.dtype], 1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tails_of_cdf_keep_their_digits(dtype: torch.dtype) -> None:
    q = GaussianMixture(torch.zeros(2, dtype=dtype), torch.zeros(2, dtype=dtype), Isotropic(1.0), event_dim=0)
    x = [-12.0, -8.0, -5.0, -3.0, 0.0, 3.0]
    assert_close(q.cdf(torch.tensor(x, dtype=dtype)), stats.norm.cdf(x), 0.3 * RTOL[dtype])
    far = [-37.0, -30.0, -20.0]
    if dtype is torch.float64:
        assert_close(q.cdf(torch.tensor(far, dtype=dtype)), stats.norm.cdf(far), 1e-11)


def test_cdf_never_exceeds_one_so_that_its_quantile_exists() -> None:
    q = GaussianMixture(torch.randn(1000), torch.zeros(1000), Isotropic(1.0), event_dim=0)
    for seed in range(20):
        torch.manual_seed(seed)
        q = GaussianMixture(torch.randn(1000), torch.zeros(1000), Isotropic(1.0), event_dim=0)
        q.icdf(q.cdf(torch.tensor([10.0, 1e10])))


@given(cases(), st.lists(st.floats(1e-6, 1 - 1e-6), min_size=3, max_size=3))
def test_quantile_of_cdf_of_quantile(case: Case, levels: list[float]) -> None:
    q = case.mixture
    u = torch.tensor(sorted(levels), dtype=case.dtype).reshape(3, *(1,) * (1 + len(q.batch_shape)))
    u = u.expand(3, *q.batch_shape, *q.event_shape)
    x = q.icdf(u)
    assert x.shape == u.shape
    assert bool((x.diff(dim=0) >= -1e-5 * x[1:].abs()).all())
    # F turns the rounding of x into an error of u by at most its steepest density.
    scale = np.sqrt(case.dense.S.diagonal(axis1=-2, axis2=-1).min())
    blur = torch.finfo(case.dtype).eps * (x.abs().max() / scale + 1)
    assert float((q.cdf(x) - u).abs().max()) < 8 * float(blur)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ends_of_the_unit_interval_are_infinitely_far(dtype: torch.dtype) -> None:
    logits, loc = torch.zeros(2, 3, dtype=dtype, requires_grad=True), torch.randn(2, 3, 2, dtype=dtype)
    q = GaussianMixture(logits, loc, Isotropic(1.0))
    u = torch.tensor([0.0, 1.0], dtype=dtype)
    x = q.icdf(u)
    assert_close(x, [[-np.inf, np.inf]] * 2, 0)
    assert_close(q.cdf(x), [[0.0, 1.0]] * 2, 1e-6)
    x = q.icdf(torch.tensor([0.0, 0.4], dtype=dtype))
    x[:, 1].sum().backward()
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


def test_weight_of_zero_does_not_move_a_quantile() -> None:
    q = _scalar([1.0, 0.0], [0.0, 50.0], [1.0, 1.0])
    u = torch.tensor(LEVELS, dtype=torch.float64)
    assert_close(q.icdf(u), stats.norm.ppf(LEVELS), 1e-9, 1e-6)


def test_quantiles_in_float32() -> None:
    w, m, s = MIXTURES["two"]
    q = _scalar(w, m, s)
    single = GaussianMixture(q.logits.float(), q.loc.float(), q.covariance, event_dim=0)
    for u in (1e-30, 1e-12, 1e-3, 0.25, 0.5, 0.9, 0.999):
        expected = _exact_quantile(w, m, s, float(torch.tensor(u)))
        assert float(single.icdf(torch.tensor(u))) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("tied", [False, True], ids=["own", "tied"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_derivatives_of_cdf_and_quantiles_in_every_parameter(kind: str, tied: bool) -> None:
    case = random_case(kind, batch=(2,), K=3, D=2, tied=tied, seed=1)
    q, x = case.mixture, case.values((2,))
    u = torch.tensor([[[0.03, 0.5], [0.2, 0.9]]], dtype=torch.float64)

    def readings(logits: Tensor, loc: Tensor, parameter: Tensor, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        parameter = parameter.tril() if kind in ("full", "precision") else parameter
        q = GaussianMixture(logits, loc, KINDS[kind](parameter), validate_args=False)
        return q.cdf(x), q.icdf(u)

    inputs = [t.detach().clone().requires_grad_() for t in (q.logits, q.loc, q.covariance.parameter, x, u)]
    assert torch.autograd.gradcheck(readings, inputs)


def test_derivative_of_a_quantile_by_hand() -> None:
    """dx/du = 1 / p(x), and moving all means moves the quantile as far."""
    q = _scalar([0.3, 0.7], [-1.0, 2.0], [0.5, 1.5])
    loc, u = q.loc.clone().requires_grad_(), torch.tensor([1e-9, 0.2, 0.999], dtype=torch.float64, requires_grad=True)
    x = GaussianMixture(q.logits, loc, q.covariance, event_dim=0).icdf(u)
    by_u, by_loc = torch.autograd.grad(x.sum(), (u, loc))
    assert_close(by_u, 1 / q.log_prob(x).exp(), 1e-10)
    assert_close(by_loc.sum(), 3.0, 1e-10)


def test_each_coordinate_has_its_own_quantile() -> None:
    case = random_case("full", batch=(2,), K=3, D=3, seed=2)
    u = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    x = case.mixture.icdf(u)
    for d in range(3):
        assert_close(x[:, d], case.mixture.marginal(d).icdf(u[d]), 1e-12, 1.0)
