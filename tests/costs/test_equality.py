"""Where costs reach their bounds, and only there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mixtura.costs import COSTS, matrix_matrix, nuclear_norm, scalar, trace, vector_matrix
from mixtura.distributions import GaussianMixture, Isotropic
from tests.costs.truth import SORTS, Truth, random_mixture
from tests.helpers import KINDS, assert_close

BOUNDED = [name for name in COSTS if name != "likelihood"]
ROUNDING = {torch.float32: 1e-5, torch.float64: 1e-8}
"""What the jitter of a projection may take."""
DTYPES = [torch.float32, torch.float64]


@pytest.mark.parametrize("cost", BOUNDED)
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("same", [True, False])
def test_model_that_is_the_data(cost: str, sort: str, dtype: torch.dtype, same: bool) -> None:
    p = random_mixture(sort, 0, batch=(2,), K=6, dtype=dtype)
    q = p if same else random_mixture(sort, 0, batch=(2,), K=6, dtype=dtype)
    gap = COSTS[cost](p, q).gap
    assert bool((gap >= 0).all())
    assert_close(gap, torch.zeros_like(gap), ROUNDING[dtype], 1)
    away = random_mixture(sort, 1, batch=(2,), K=2 if cost != "trace" else 6, dtype=dtype)
    assert bool((COSTS[cost](p, away).gap > 1e-3).all())


@pytest.mark.parametrize("cost", BOUNDED)
@pytest.mark.parametrize("D", [784, 12_288])
def test_model_that_is_the_data_in_many_dimensions(cost: str, D: int) -> None:
    x = torch.randn(20, D, generator=torch.Generator().manual_seed(0))
    p, q = GaussianMixture.from_samples(x, 1e-3), GaussianMixture.from_samples(x.clone(), 1e-3)
    assert_close(COSTS[cost](p, q).gap, 0.0, ROUNDING[torch.float32], 1)


def test_bures_is_zero_where_operators_agree() -> None:
    p = random_mixture("full", 0, K=5)
    assert_close(COSTS["bures"](p, p.subset(torch.tensor([3, 1, 0, 4, 2]))).loss, 0.0, 1e-6, 1)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_data_in_the_span_of_the_model(sort: str, dtype: torch.dtype) -> None:
    """vector_matrix is zero whatever the weights of q; scalar is not."""
    both = random_mixture(sort, 0, K=7, dtype=dtype)
    p = both.subset(torch.tensor([1, 4, 5]))
    q = both._new(both.logits.flip(0), both.loc, both._spread, 1)
    assert_close(vector_matrix(p, q).gap, 0.0, ROUNDING[dtype], 1)
    assert_close(matrix_matrix(p, q).gap, 0.0, ROUNDING[dtype], 1)
    assert scalar(p, q).gap > 1e-2
    assert nuclear_norm(p, q).gap > 1e-2


def test_repeated_components_are_in_the_span_of_one() -> None:
    q = GaussianMixture.from_samples(torch.tensor([[0.0], [1.0], [2.5]]).double(), 0.4)
    logits = torch.tensor([0.5, 0.25, 0.25]).double().log()
    p = GaussianMixture(logits, torch.tensor([[0.0], [1.0], [1.0]]).double(), Isotropic(0.4))
    assert_close(vector_matrix(p, q).gap, 0.0, 1e-8, 1)
    assert_close(matrix_matrix(p, q).gap, 0.0, 1e-8, 1)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_data_in_another_order(sort: str, dtype: torch.dtype) -> None:
    p = random_mixture(sort, 0, K=8, D=2, dtype=dtype)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(3))
    q = p.subset(order)
    assert_close(nuclear_norm(p, q).gap, 0.0, ROUNDING[dtype], 1)
    assert_close(scalar(p, q).gap, 0.0, ROUNDING[dtype], 1)
    assert trace(p, q).gap > 1e-2


@pytest.mark.parametrize("kind", ["isotropic", "diagonal"])
def test_polar_factor_is_the_permutation(kind: str) -> None:
    """The gradient of the norm in log C̃ is C̃ times its polar factor: mass only where p_i is q_j."""
    p = random_mixture(kind, 0, K=10)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(3))
    C = Truth(p, p.subset(order)).weighted
    U, _, Vt = np.linalg.svd(C)
    np.testing.assert_allclose(U @ Vt, np.eye(10)[:, order.numpy()], atol=1e-8)
    loc = p.loc.clone().requires_grad_()
    moved = p._new(p.logits, loc, p._spread, 1)
    (gradient,) = torch.autograd.grad(nuclear_norm(p, moved.subset(order)).gap, loc)
    assert_close(gradient, torch.zeros_like(gradient), 1e-6, 1)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("batch", [(), (3,)])
def test_gap_of_matrix_matrix_is_the_trace_of_the_schur_complement(sort: str, batch: tuple[int, ...]) -> None:
    p, q = (random_mixture(sort, s, batch=batch, K=4, D=2) for s in (0, 1))
    truth = Truth(p, q, 1e-10)
    share = np.einsum("...i,...ii->...", truth.w, truth.schur_complement()) / truth.traces[0]
    assert_close(-torch.expm1(-matrix_matrix(p, q).gap), share, 1e-8, 1)


@pytest.mark.parametrize("cost", BOUNDED)
def test_gap_does_not_know_units_nor_order(cost: str) -> None:
    p, q = random_mixture("diagonal", 0, K=5, D=3), random_mixture("diagonal", 1, K=5, D=3)
    gap = COSTS[cost](p, q).gap
    scale, shift = torch.full((3,), 1e3).double(), torch.tensor([1.0, -5e3, 0.0]).double()
    assert_close(COSTS[cost](p.affine(scale, shift), q.affine(scale, shift)).gap, gap, 1e-7, 1)
    order = torch.tensor([4, 2, 0, 1, 3])
    assert_close(COSTS[cost](p.subset(order), q.subset(order)).gap, gap, 1e-8, 1)


@pytest.mark.parametrize("cost", [name for name in COSTS if name not in ("trace", "likelihood")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_component_split_in_two_changes_nothing(cost: str, kind: str) -> None:
    """Costs compare mixtures: a component of weight w is two of weights 0.3 w and 0.7 w."""
    p, q = random_mixture(kind, 0, K=3), random_mixture(kind, 1, K=3)
    index = torch.tensor([0, 1, 1, 2])
    split = p.subset(index)
    parts: Tensor = split.logits + torch.tensor([1.0, 0.3, 0.7, 1.0]).double().log()
    assert_close(COSTS[cost](split._new(parts, split.loc, split._spread, 1), q).gap, COSTS[cost](p, q).gap, 1e-8, 1)
