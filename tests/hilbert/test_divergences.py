"""Divergences against quadrature, their inequalities, and their derivatives where p = q."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.hilbert import cauchy_schwarz_divergence, kernel_mean_discrepancy, l2_distance, log_inner, log_norm
from tests.helpers import KINDS, assert_close, random_case
from tests.hilbert.truth import dense_log_inner

Measure = Callable[[GaussianMixture, GaussianMixture], Tensor]
PAIRS = list(itertools.product(KINDS, KINDS))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_cauchy_and_schwarz_are_right_in_many_drawn_cases(kind: str, other: str, dtype: torch.dtype) -> None:
    """16 pairs of kinds, 640 cases each, in either precision: more than 10,000."""
    for D, scale in ((1, 1.0), (2, 1e-3), (3, 30.0), (5, 1.0)):
        p = random_case(kind, batch=(160,), K=3, D=D, dtype=dtype, seed=D, scale=scale, spread=scale)
        near = p.mixture.loc + 1e-3 * scale * torch.randn_like(p.mixture.loc)
        q = random_case(other, batch=(160,), K=3, D=D, dtype=dtype, seed=D + 9, scale=scale, spread=scale).mixture
        close = GaussianMixture(p.mixture.logits, near, p.mixture.covariance)
        for other_mixture in (q, close, p.mixture):
            divergence = cauchy_schwarz_divergence(p.mixture, other_mixture)
            assert bool((divergence >= 0).all())
            assert bool(torch.isfinite(divergence).all())
            bound = log_norm(p.mixture) + log_norm(other_mixture)
            slack = 8 * torch.finfo(dtype).eps * (1 + bound.abs())
            assert bool((2 * log_inner(p.mixture, other_mixture) <= bound + slack).all())


@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_the_divergence_is_that_of_the_dense_reference(kind: str, other: str) -> None:
    p, q = random_case(kind, batch=(4,), seed=1), random_case(other, batch=(4,), seed=2)
    pq, pp, qq = (dense_log_inner(a, b) for a, b in ((p.dense, q.dense), (p.dense, p.dense), (q.dense, q.dense)))
    assert_close(cauchy_schwarz_divergence(p.mixture, q.mixture), 0.5 * (pp + qq) - pq, 1e-10, unit=1)


def _quadrature(p: GaussianMixture, q: GaussianMixture) -> float:
    def square(x: float) -> float:
        at = torch.tensor([x], dtype=torch.float64)
        return (p.log_prob(at).exp() - q.log_prob(at).exp()).item() ** 2

    return math.sqrt(quad(square, -25, 25, epsabs=1e-14, epsrel=1e-11, limit=500)[0])


@pytest.mark.parametrize("seed", range(4))
def test_the_distance_is_the_integral(seed: int) -> None:
    p, q = (random_case("isotropic", K=3, D=1, seed=seed + s).mixture for s in (0, 10))
    assert math.isclose(l2_distance(p, q).item(), _quadrature(p, q), rel_tol=1e-8)


def test_a_small_distance_keeps_its_digits() -> None:
    """‖p - q‖ is linear in a small shift t: ‖p'‖ t with ‖N'(0, v)‖² = 1 / (4 √π v^1.5)."""
    v = 0.7
    p = GaussianMixture.from_samples(torch.zeros(1, 1, dtype=torch.float64), v)
    for t in (1e-3, 1e-5, 1e-6):
        q = GaussianMixture.from_samples(torch.full((1, 1), t, dtype=torch.float64), v)
        expected = t * math.sqrt(1 / (4 * math.sqrt(math.pi) * v**1.5))
        assert math.isclose(l2_distance(p, q).item(), expected, rel_tol=1e-3)


@pytest.mark.parametrize(("v", "u"), [(1e-9, 1e9), (1.0, 1.0), (1e9, 1e-9)])
def test_norms_of_any_ratio(v: float, u: float) -> None:
    zero = torch.zeros(1, 20, dtype=torch.float64)
    p, q = GaussianMixture.from_samples(zero, v), GaussianMixture.from_samples(zero, u)
    distance = l2_distance(p, q)
    squares = [-10 * math.log(2 * math.pi * s) for s in (2 * v, 2 * u, v + u)]
    expected = math.exp(squares[0]) + math.exp(squares[1]) - 2 * math.exp(squares[2])
    assert math.isclose(distance.square().item(), expected, rel_tol=1e-9, abs_tol=1e-30)


@pytest.mark.parametrize("f", [l2_distance, cauchy_schwarz_divergence, lambda p, q: kernel_mean_discrepancy(p, q, 0.5)])
def test_where_p_is_q_the_value_is_zero_and_the_gradient_finite(f: Measure) -> None:
    for kind in KINDS:
        case = random_case(kind, K=3, D=2, dtype=torch.float32, seed=3)
        loc = case.mixture.loc.clone().requires_grad_()
        p = GaussianMixture(case.mixture.logits, loc, case.mixture.covariance)
        value = f(p, case.mixture)
        value.backward()
        assert value.item() == pytest.approx(0, abs=1e-6)
        assert loc.grad is not None
        assert bool(torch.isfinite(loc.grad).all())


@pytest.mark.parametrize("kind", ["isotropic", "full", "precision"])
@pytest.mark.parametrize("equal_norms", [False, True])
def test_derivatives(kind: str, equal_norms: bool) -> None:
    p = random_case(kind, K=2, D=2, seed=4, spread=0.7).mixture
    q = random_case("diagonal", K=3, D=2, seed=5, spread=0.7).mixture

    def f(loc: Tensor, other: Tensor, logits: Tensor) -> tuple[Tensor, ...]:
        a = GaussianMixture(logits, loc, p.covariance)
        b = (
            GaussianMixture(logits, other, p.covariance)
            if equal_norms
            else GaussianMixture(q.logits, other, q.covariance)
        )
        return cauchy_schwarz_divergence(a, b), l2_distance(a, b), kernel_mean_discrepancy(a, b, 0.3)

    other = p.loc + torch.tensor([0.5, -0.3]) if equal_norms else q.loc
    inputs = tuple(t.detach().clone().requires_grad_() for t in (p.loc, other, p.logits))
    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_the_discrepancy_is_the_quadratic_form_of_the_kernel(kind: str, other: str) -> None:
    """∫∫ k (p - q)(p - q) by sampling, with its standard error."""
    torch.manual_seed(1)
    v = 0.8
    p = random_case(kind, K=2, D=2, seed=6, spread=1.0).mixture
    q = random_case(other, K=2, D=2, seed=7, spread=1.0).mixture
    n = 40_000
    x, x2, y, y2 = p.sample((n,)), p.sample((n,)), q.sample((n,)), q.sample((n,))

    def k(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-(a - b).square().sum(-1) / (2 * v))

    terms = k(x, x2) + k(y, y2) - k(x, y) - k(x2, y2)
    squared = kernel_mean_discrepancy(p, q, v).square()
    assert abs(terms.mean() - squared) < 4.5 * terms.std() / math.sqrt(n)


def test_the_discrepancy_of_point_masses_is_that_of_the_kernel_matrix() -> None:
    x, y = torch.randn(5, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64) + 1
    p, q = GaussianMixture.from_samples(x, 1e-14), GaussianMixture.from_samples(y, 1e-14)

    def mean(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(a, b).square() / (2 * 0.6)).mean()

    expected = (mean(x, x) + mean(y, y) - 2 * mean(x, y)).sqrt()
    assert_close(kernel_mean_discrepancy(p, q, 0.6), expected, 1e-10)


def test_the_discrepancy_of_far_mixtures_in_many_dimensions_is_root_two() -> None:
    p = GaussianMixture.from_samples(torch.zeros(1, 3072), 1e-12)
    q = GaussianMixture.from_samples(torch.full((1, 3072), 10.0), 1e-12)
    assert kernel_mean_discrepancy(p, q, 1.0).item() == pytest.approx(math.sqrt(2), rel=1e-6)


def test_scalars_have_divergences_too() -> None:
    p, q = (GaussianMixture(torch.zeros(2), torch.tensor([a, 1.0]), Isotropic(0.5), event_dim=0) for a in (0.0, 3.0))
    assert kernel_mean_discrepancy(p, q, 0.5) > 0
    assert l2_distance(p, q).shape == ()
