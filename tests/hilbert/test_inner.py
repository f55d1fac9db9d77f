"""Inner products in closed form against dense float64 references, quadrature and mpmath."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from scipy.integrate import dblquad, quad
from scipy.stats import multivariate_normal
from torch import Tensor

from mixtura.distributions import Diagonal, GaussianMixture, Isotropic, LowRank
from mixtura.hilbert import kernel_mean_discrepancy, log_gram, log_inner, log_inner_components, log_norm
from tests.helpers import KINDS, RTOL, Case, Dense, assert_close, random_case
from tests.hilbert.truth import dense_log_columns, dense_log_gram, dense_log_inner, pairs, parameters

PAIRS = list(itertools.product(KINDS, KINDS))


@given(pairs())
@settings(max_examples=150, deadline=None)
def test_logs_are_those_of_the_dense_reference(case: tuple[Case, Case]) -> None:
    p, q = case
    rtol = RTOL[p.dtype]
    dense = dense_log_gram(p.dense, q.dense)
    assert_close(log_gram(p.mixture, q.mixture), dense, rtol, unit=1)
    assert_close(log_inner_components(p.mixture, q.mixture), dense_log_columns(p.dense, q.dense), rtol, unit=1)
    assert_close(log_inner(p.mixture, q.mixture), dense_log_inner(p.dense, q.dense), rtol, unit=1)
    assert_close(log_norm(p.mixture), dense_log_inner(p.dense, p.dense), rtol, unit=1)


@pytest.mark.parametrize(("kind", "other"), PAIRS)
@pytest.mark.parametrize("tied", [(False, False), (True, False), (False, True), (True, True)])
def test_every_pair_of_covariances_is_scipys_density_of_the_difference(
    kind: str, other: str, tied: tuple[bool, bool]
) -> None:
    p = random_case(kind, K=3, D=3, tied=tied[0], seed=1)
    q = random_case(other, K=2, D=3, tied=tied[1], seed=2)
    expected = [
        [
            multivariate_normal.logpdf(p.dense.loc[i], q.dense.loc[j], p.dense.S[i] + q.dense.S[j])  # pyright: ignore[reportAttributeAccessIssue]
            for j in range(2)
        ]
        for i in range(3)
    ]
    assert_close(log_gram(p.mixture, q.mixture), np.array(expected), 1e-12, unit=1)


def test_the_inner_product_is_the_integral_of_the_product_in_one_dimension() -> None:
    p, q = (random_case("isotropic", K=3, D=1, seed=s).mixture for s in (3, 4))

    def product(x: float) -> float:
        at = torch.tensor([x], dtype=torch.float64)
        return (p.log_prob(at) + q.log_prob(at)).exp().item()

    integral = quad(product, -20, 20, epsabs=1e-13, epsrel=1e-12, limit=400)[0]
    assert math.isclose(log_inner(p, q).item(), math.log(integral), rel_tol=1e-9)


@pytest.mark.parametrize(("kind", "other"), [("full", "precision"), ("diagonal", "full")])
def test_the_inner_product_is_the_integral_of_the_product_in_two_dimensions(kind: str, other: str) -> None:
    p = random_case(kind, K=2, D=2, seed=5, spread=1.0).mixture
    q = random_case(other, K=2, D=2, seed=6, spread=1.0).mixture
    grid = torch.linspace(-14, 14, 1401, dtype=torch.float64)  # the trapezium rule converges exponentially here
    x = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), -1)
    integral = (p.log_prob(x) + q.log_prob(x)).exp().sum() * (grid[1] - grid[0]) ** 2
    assert math.isclose(log_inner(p, q).item(), integral.log().item(), rel_tol=1e-10)


def test_quadrature_of_scipy_agrees_once() -> None:
    p = random_case("full", K=1, D=2, seed=5, spread=0.5).mixture

    def square(x: float, y: float) -> float:
        return (2 * p.log_prob(torch.tensor([x, y], dtype=torch.float64))).exp().item()

    assert math.isclose(log_norm(p).exp().item(), dblquad(square, -9, 9, -9, 9, epsrel=1e-7)[0], rel_tol=1e-6)


def test_the_inner_product_is_the_expectation_that_sampling_finds() -> None:
    torch.manual_seed(0)
    p = random_case("precision", K=3, D=3, seed=7, spread=1.0).mixture
    q = random_case("diagonal", K=2, D=3, seed=8, spread=1.0).mixture
    density = q.log_prob(p.sample((200_000,))).exp()
    error = density.std() / math.sqrt(len(density))
    assert abs(density.mean() - log_inner(p, q).exp()) < 4 * error


def test_mpmath_agrees_to_the_last_digits() -> None:
    p, q = (random_case("isotropic", K=4, D=2, seed=s) for s in (9, 10))
    with mpmath.workdps(50):
        total = mpmath.mpf(0)
        for i, j in itertools.product(range(4), range(4)):
            s = mpmath.mpf(p.dense.S[i, 0, 0]) + mpmath.mpf(q.dense.S[j, 0, 0])
            square = sum(
                (mpmath.mpf(a) - mpmath.mpf(b)) ** 2 for a, b in zip(p.dense.loc[i], q.dense.loc[j], strict=True)
            )
            weight = mpmath.mpf(p.dense.weights[i]) * mpmath.mpf(q.dense.weights[j])
            total += weight * mpmath.exp(-square / (2 * s)) / (2 * mpmath.pi * s)
        expected = float(mpmath.log(total))
    assert math.isclose(log_inner(p.mixture, q.mixture).item(), expected, rel_tol=1e-14)


@pytest.mark.parametrize("other", list(KINDS))
@pytest.mark.parametrize("tied", [False, True])
def test_low_rank_covariances_meet_every_kind(other: str, tied: bool) -> None:
    rng = np.random.default_rng(1)
    lead = () if tied else (2, 3)
    factor, diagonal = rng.standard_normal((*lead, 4, 2)), rng.uniform(0.1, 2.0, (*lead, 4))
    loc = rng.standard_normal((2, 3, 4))
    covariance = LowRank(torch.as_tensor(factor), torch.as_tensor(diagonal))
    p = GaussianMixture(torch.zeros(2, 3, dtype=torch.float64), torch.as_tensor(loc), covariance)
    S = factor @ np.swapaxes(factor, -1, -2) + diagonal[..., None] * np.eye(4)
    dense = Dense(np.full((2, 3), 1 / 3), loc, np.broadcast_to(S, (2, 3, 4, 4)))
    q = random_case(other, K=5, D=4, tied=tied, seed=20)
    assert_close(log_gram(p, q.mixture), dense_log_gram(dense, q.dense), 1e-11, unit=1)
    assert_close(log_inner(q.mixture, p), dense_log_inner(q.dense, dense), 1e-11, unit=1)
    assert_close(log_norm(p), dense_log_inner(dense, dense), 1e-11, unit=1)
    assert bool((kernel_mean_discrepancy(p, q.mixture, 0.5) > 0).all())


def test_scalars_are_vectors_of_one_dimension() -> None:
    a, m = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    scalars = GaussianMixture(a, m, Isotropic(0.3), event_dim=0)
    vectors = GaussianMixture(a, m.unsqueeze(-1), Diagonal(torch.tensor([0.3], dtype=torch.float64)))
    assert log_gram(scalars, scalars).shape == (2, 3, 3)
    torch.testing.assert_close(log_gram(scalars, scalars), log_gram(vectors, vectors))
    torch.testing.assert_close(log_norm(scalars), log_norm(vectors))


def test_a_component_of_weight_zero_changes_nothing() -> None:
    p = GaussianMixture(torch.tensor([0.0, -math.inf]), torch.tensor([[0.0], [1.0]]), Isotropic(0.5))
    alone = GaussianMixture(torch.zeros(1), torch.zeros(1, 1), Isotropic(0.5))
    torch.testing.assert_close(log_inner(p, p), log_norm(alone))
    logits, loc = p.logits.clone().requires_grad_(), p.loc.clone().requires_grad_()
    log_norm(GaussianMixture(logits, loc, Isotropic(0.5))).backward()
    assert logits.grad is not None
    assert loc.grad is not None
    assert bool(torch.isfinite(logits.grad).all() & torch.isfinite(loc.grad).all())


def test_mixed_dtypes_meet_in_the_wider_one() -> None:
    p = random_case("full", dtype=torch.float32, seed=1)
    q = random_case("isotropic", dtype=torch.float64, seed=2)
    assert_close(log_gram(p.mixture, q.mixture), dense_log_gram(p.dense, q.dense), 1e-12, unit=1)
    assert log_gram(p.mixture, q.mixture).dtype == torch.float64


def _rebuild(kind: str, parts: tuple[Tensor, ...]) -> GaussianMixture:
    parameter = parts[2].tril() if kind in ("full", "precision") else parts[2]
    return GaussianMixture(parts[0], parts[1], KINDS[kind](parameter), validate_args=False)


@pytest.mark.parametrize(("kind", "other"), PAIRS)
@pytest.mark.parametrize("tied", [False, True])
def test_gradients_in_every_parameter_of_both_sides(kind: str, other: str, tied: bool) -> None:
    p = random_case(kind, K=2, D=2, seed=11, tied=tied)
    q = random_case(other, batch=(2,), K=3, D=2, seed=12)

    def f(*parts: Tensor) -> tuple[Tensor, Tensor]:
        a, b = _rebuild(kind, parts[:3]), _rebuild(other, parts[3:])
        return log_inner_components(a, b), log_inner(a, b)

    inputs = (*parameters(p), *parameters(q))
    assert torch.autograd.gradcheck(f, inputs)
    if kind != "precision":  # second derivatives: each form once
        assert torch.autograd.gradgradcheck(f, inputs)


def test_gradients_are_finite_where_half_of_many_components_have_no_weight() -> None:
    logits = torch.cat([torch.full((600,), -torch.inf), torch.zeros(600)]).double().requires_grad_()
    loc = torch.randn(1200, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    p = GaussianMixture(logits, loc, Isotropic(0.3))
    rest = GaussianMixture(torch.zeros(600), loc.detach()[600:], Isotropic(0.3))
    log_norm(p).backward()
    assert torch.isclose(log_norm(p), log_norm(rest), rtol=1e-12)
    assert loc.grad is not None
    assert logits.grad is not None
    assert torch.isfinite(loc.grad).all()
    assert torch.isfinite(logits.grad).all()
    assert not loc.grad[:600].any()
