"""Gradients of every cost in locations, weights and spreads of both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mixtura.costs import COSTS, bures, conditional, matrix_matrix, nuclear_norm, scalar, vector_matrix
from mixtura.distributions import CauchyMixture, GaussianMixture, Isotropic, Mixture
from mixtura.hilbert import traces
from tests.costs.truth import FAMILIES, SORTS, Truth, random_mixture
from tests.helpers import KINDS, assert_close

every_cost = pytest.mark.parametrize("cost", COSTS)


def leaves(p: Mixture[Any]) -> list[Tensor]:
    return [t.detach().clone().requires_grad_() for t in (p.logits, p.loc, p._spread.parameter)]


def rebuild(p: Mixture[Any], logits: Tensor, loc: Tensor, spread: Tensor) -> Mixture[Any]:
    make: Any = type(p)
    wrapped = type(p._spread)(spread) if isinstance(p, GaussianMixture) else spread
    return make(logits, loc, wrapped, validate_args=False)


def target(cost: str, p: Mixture[Any], q: Mixture[Any]) -> Tensor:
    """Return the gap, which has the gradient of the bound in it, or the loss of a cost without one."""
    bound = COSTS[cost](p, q)
    return bound.loss if cost == "likelihood" else bound.gap


@every_cost
@pytest.mark.parametrize("sort", SORTS)
def test_gradients_are_those_of_differences(cost: str, sort: str) -> None:
    p, q = (random_mixture(sort, s, batch=(2,), K=3, D=2) for s in (0, 1))
    inputs = [*leaves(p), *leaves(q)]

    def f(*t: Tensor) -> Tensor:
        return target(cost, rebuild(p, *t[:3]), rebuild(q, *t[3:]))

    assert torch.autograd.gradcheck(f, inputs)


@every_cost
@pytest.mark.parametrize("kind", KINDS)
def test_tied_spreads(cost: str, kind: str) -> None:
    p, q = (random_mixture(kind, s, K=3, D=2, tied=True) for s in (0, 1))
    inputs = [*leaves(p), *leaves(q)]
    assert torch.autograd.gradcheck(lambda *t: target(cost, rebuild(p, *t[:3]), rebuild(q, *t[3:])), inputs)


@every_cost
def test_different_numbers_of_components_and_a_weight_of_zero(cost: str) -> None:
    p, q = random_mixture("isotropic", 0, K=4), random_mixture("isotropic", 1, K=4 if cost == "trace" else 2)
    logits = p.logits.clone()
    logits[1] = -torch.inf
    inputs = [t.requires_grad_() for t in (p.loc.clone(), q.logits.clone(), q.loc.clone(), q._spread.parameter.clone())]

    def f(loc: Tensor, *t: Tensor) -> Tensor:
        return target(cost, GaussianMixture(logits, loc, p._spread, validate_args=False), rebuild(q, *t))

    assert torch.autograd.gradcheck(f, inputs)


@pytest.mark.parametrize("sampled", [scalar, nuclear_norm, conditional])
def test_sampled_losses(sampled: Callable[..., Any]) -> None:
    """In a unit that is held constant: the largest trace, which the data has here."""
    batch = (2,) if sampled is conditional else ()
    x, y = (random_mixture("isotropic", s, batch=batch, K=6, D=2).loc for s in (0, 1))
    p = GaussianMixture.from_samples(x, 0.4)
    inputs = [torch.zeros(*batch, 6).double().requires_grad_(), y.clone().requires_grad_()]

    def f(logits: Tensor, loc: Tensor) -> Tensor:
        return sampled(p, GaussianMixture(logits, loc, Isotropic(0.7)), "sampled").loss

    assert torch.autograd.gradcheck(f, inputs)


def test_gradient_of_the_bures_loss_is_that_of_the_distance() -> None:
    p, q = random_mixture("isotropic", 0, K=3), random_mixture("isotropic", 1, K=4)
    inputs = [*leaves(p), *leaves(q)]
    unit = max(float(t) for t in Truth(p, q).traces)
    gradient = torch.autograd.grad(bures(rebuild(p, *inputs[:3]), rebuild(q, *inputs[3:])).loss, inputs)
    for i, (t, g) in enumerate(zip(inputs, gradient, strict=True)):
        step = 1e-6 * torch.randn(t.shape, generator=torch.Generator().manual_seed(i), dtype=torch.float64)
        ends = []
        for sign in (1, -1):
            moved = [s.detach() + sign * step if i == j else s.detach() for j, s in enumerate(inputs)]
            P, G = (truth := Truth(rebuild(p, *moved[:3]), rebuild(q, *moved[3:]))).traces
            ends.append((P + G - 2 * truth.singular_values().sum()) / unit)
        assert_close((g * step).sum() * 1e6, (ends[0] - ends[1]) / 2 * 1e6, 1e-5, 1e-2)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1]])
@pytest.mark.parametrize("distance", [1.0, 50.0])
def test_repeated_singular_values(order: list[int], distance: float) -> None:
    """Corners of a square: two singular values are equal, or all of them where corners do not meet."""
    corners = distance * torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).double()
    p = GaussianMixture.from_samples(corners, 0.5)
    s = Truth(p, p).singular_values()
    assert abs(s[1] - s[2]) < 1e-12
    q = corners[order].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda y: nuclear_norm(p, GaussianMixture.from_samples(y, 0.7)).gap, [q])
    away = (corners[order] + 0.1 * distance).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: nuclear_norm(p, GaussianMixture.from_samples(y, 0.7)).gap, [away])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_a_singular_matrix_point_downhill(dtype: torch.dtype) -> None:
    """Centers on one another: there are many subgradients; the one that is found must be finite and of use."""
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
    p = GaussianMixture.from_samples(x, 0.5)
    for cost in (nuclear_norm, matrix_matrix, vector_matrix, scalar):
        y = torch.full((6, 2), 0.7, dtype=dtype, requires_grad=True)
        gap = cost(p, GaussianMixture.from_samples(y, 0.5)).gap
        (gradient,) = torch.autograd.grad(gap, y)
        assert bool(gradient.isfinite().all())
        step = gradient / gradient.norm() * 0.05
        moved = cost(p, GaussianMixture.from_samples((y - step).detach(), 0.5)).gap
        assert moved < gap


@every_cost
@pytest.mark.parametrize("sort", ["isotropic", "full", *FAMILIES])
def test_second_derivatives_are_right_or_refused(cost: str, sort: str) -> None:
    p, q = (random_mixture(sort, s, K=3, D=2) for s in (0, 1))
    direction = torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def gradient(loc: Tensor, create_graph: bool) -> Tensor:
        value = target(cost, p, rebuild(q, q.logits, loc, q._spread.parameter))
        return torch.autograd.grad(value, loc, create_graph=create_graph)[0]

    loc = q.loc.clone().requires_grad_()
    if cost in ("nuclear_norm", "bures"):
        with pytest.raises(NotImplementedError, match="once only"):
            torch.autograd.grad((gradient(loc, True) * direction).sum(), loc)
        return
    (found,) = torch.autograd.grad((gradient(loc, True) * direction).sum(), loc)
    step = 1e-5
    ends = [gradient((q.loc + sign * step * direction).requires_grad_(), False) for sign in (1, -1)]
    assert_close(found, (ends[0] - ends[1]) / (2 * step), 1e-5, 1)


@pytest.mark.parametrize("cost", [matrix_matrix, vector_matrix])
@pytest.mark.parametrize("pairs", [2**18, 1])
def test_second_derivatives_of_projections(
    cost: Callable[..., Any], pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In everything, also in several blocks."""
    monkeypatch.setattr(traces, "_PAIRS", pairs)
    p, q = random_mixture("isotropic", 0, K=3, D=1), random_mixture("isotropic", 1, K=2, D=1)
    inputs = [*leaves(p), *leaves(q)]
    assert torch.autograd.gradgradcheck(lambda *t: cost(rebuild(p, *t[:3]), rebuild(q, *t[3:])).gap, inputs)


@pytest.mark.parametrize("batch", [(), (2,)])
@pytest.mark.parametrize("cost", [matrix_matrix, vector_matrix])
def test_blocks_change_nothing(
    cost: Callable[..., Any], batch: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    p, q = random_mixture("diagonal", 0, batch=batch, K=23), random_mixture("diagonal", 1, batch=batch, K=3)
    results = []
    for pairs in (2**18, 1):
        monkeypatch.setattr(traces, "_PAIRS", pairs)
        inputs = [*leaves(p), *leaves(q)]
        bound = cost(rebuild(p, *inputs[:3]), rebuild(q, *inputs[3:]))
        results.append([bound.gap, *torch.autograd.grad(bound.gap.sum(), [*inputs[:3], *inputs[4:]])])
    for one, many in zip(*results, strict=True):
        assert_close(many, one, 1e-10, 1)


def test_a_block_of_rows_without_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_PAIRS", 1)
    p, q = random_mixture("isotropic", 0, K=9), random_mixture("isotropic", 1, K=3)
    logits = torch.where(torch.arange(9) < 6, -torch.inf, p.logits)
    loc = p.loc.clone().requires_grad_()
    bound = matrix_matrix(GaussianMixture(logits, loc, p._spread), q)
    keep = torch.arange(6, 9)
    assert_close(bound.log_value, matrix_matrix(p.subset(keep), q).log_value, 1e-10, 1)
    (gradient,) = torch.autograd.grad(bound.log_value, loc)
    assert bool(gradient.isfinite().all())
    assert np.count_nonzero(gradient[:6].numpy()) == 0


@every_cost
def test_gradients_in_float32(cost: str) -> None:
    results = []
    for dtype in (torch.float32, torch.float64):
        p, q = (random_mixture("isotropic", s, K=20, D=2, dtype=torch.float32) for s in (0, 1))
        inputs = [t.to(dtype).requires_grad_() for t in (*leaves(p), *leaves(q))]
        inputs = [t.detach().requires_grad_() for t in inputs]
        value = target(cost, rebuild(p, *inputs[:3]), rebuild(q, *inputs[3:]))
        results.append(torch.autograd.grad(value, inputs, allow_unused=True))
    for narrow, wide in zip(*results, strict=True):
        if wide is not None:
            assert narrow is not None
            assert narrow.dtype is torch.float32
            unit = float(wide.abs().max())
            rtol = 1e-2 if cost in ("vector_matrix", "matrix_matrix") else 1e-4  # their jitter depends on the precision
            assert_close(narrow, wide, rtol, max(unit, 1e-3))


def test_cauchy_centers_can_be_learnt() -> None:
    """A family without moments: the SVD cost finds the centers of the data again."""
    x = torch.tensor([[0.0], [4.0], [9.0]]).double()
    p = CauchyMixture(torch.zeros(3).double(), x, torch.ones(3).double())
    y = torch.tensor([[1.0], [3.0], [7.5]]).double().requires_grad_()
    optimizer = torch.optim.Adam([y], 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        nuclear_norm(p, CauchyMixture(torch.zeros(3).double(), y, torch.ones(3).double())).loss.backward()
        optimizer.step()
    assert_close(y, x, 1e-2, 1)
