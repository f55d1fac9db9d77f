"""Projections on the span of components, where that span is well and where it is badly known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.hilbert import log_norm, log_projected_norm, log_projected_trace, pairs, traces
from mixtura.hilbert.diagonal import log_diagonal
from mixtura.hilbert.projections import JITTER, log_projected_values
from tests.costs.truth import SORTS, Truth, random_mixture
from tests.helpers import assert_close

PROJECTIONS = {"vector_matrix": log_projected_norm, "matrix_matrix": log_projected_trace}
DTYPES = [torch.float32, torch.float64]
every_projection = pytest.mark.parametrize("name", PROJECTIONS)


def ceiling(name: str, p: Any) -> torch.Tensor:
    if name == "vector_matrix":
        return log_norm(p).double()
    return torch.logsumexp(torch.log_softmax(p.logits.double(), -1) + log_diagonal(p, p), -1)


@every_projection
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (2,), (1, 3)])
def test_against_dense_inverses(name: str, sort: str, dtype: torch.dtype, batch: tuple[int, ...]) -> None:
    p = random_mixture(sort, 0, batch=batch, K=5, dtype=dtype)
    q = random_mixture(sort, 1, batch=batch[1:], K=3, dtype=dtype)
    found = PROJECTIONS[name](p, q)
    assert found.dtype is torch.float64
    assert_close(found, Truth(p, q, JITTER[dtype]).log_value(name), 1e-9 if dtype is torch.float64 else 1e-5, 1)


@every_projection
@given(seed=st.integers(0, 9999), M=st.integers(1, 12), distance=st.sampled_from([0.0, 1e-8, 1e-4, 0.01, 0.1, 1.0]))
def test_jitter_only_lowers_the_value(name: str, seed: int, M: int, distance: float) -> None:
    """Against orthonormal coordinates of the span, from the centers that are numerically different."""
    rng = np.random.default_rng(seed)
    x, y = 0.5 * rng.standard_normal((6, 2)), distance * rng.standard_normal((M, 2))
    p, q = (GaussianMixture.from_samples(torch.as_tensor(t), 0.3) for t in (x, y))
    truth = Truth(p, q)
    s, V = np.linalg.eigh(truth.G)
    Z = truth.C @ V[:, s > 0] / np.sqrt(s[s > 0])  # all directions: an upper side
    share = (truth.w @ Z) ** 2 if name == "vector_matrix" else truth.w @ Z**2
    value = float(PROJECTIONS[name](p, q))
    assert value <= min(float(ceiling(name, p)), np.log(share.sum()) + 1e-6) + 1e-9
    if distance >= 0.1 and M <= 3:
        assert value >= np.log(share.sum()) - 1e-4


@every_projection
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("M", [1, 2, 50])
def test_identical_centers_are_one(name: str, dtype: torch.dtype, M: int) -> None:
    p = random_mixture("isotropic", 0, K=6, dtype=dtype)
    y = torch.tensor([[0.3, -0.2]], dtype=dtype)
    one, many = (GaussianMixture.from_samples(y.repeat(n, 1), 0.7) for n in (1, M))
    leaf = many.loc.clone().requires_grad_()
    found = PROJECTIONS[name](p, GaussianMixture.from_samples(leaf, 0.7))
    assert_close(found, PROJECTIONS[name](p, one), 2 * JITTER[dtype], 1)
    (gradient,) = torch.autograd.grad(found, leaf)
    assert bool(gradient.isfinite().all())


@every_projection
def test_one_sample_and_one_center(name: str) -> None:
    """``<a, b>² / <b, b>``; for unit variances a distance of 1 costs e^-½."""
    a, b = (GaussianMixture.from_samples(torch.tensor([[x]]).double(), 0.5) for x in (0.0, 1.0))
    assert_close(PROJECTIONS[name](a, b), -0.5 * np.log(2 * np.pi) - 1, 1e-9)
    assert_close(PROJECTIONS[name](a, a), -0.5 * np.log(2 * np.pi), 1e-9)


@every_projection
@pytest.mark.parametrize("dtype", DTYPES)
def test_projection_on_itself_loses_no_more_than_the_jitter(name: str, dtype: torch.dtype) -> None:
    for variance in (1e-6, 1.0, 1e6):
        x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)
        p = GaussianMixture.from_samples(x, variance)
        loss = ceiling(name, p) - PROJECTIONS[name](p, p)
        assert -1e-6 * (dtype is torch.float32) - 1e-9 <= loss <= 40 * JITTER[dtype]


@every_projection
def test_more_centers_project_better(name: str) -> None:
    p, q = random_mixture("full", 0, K=20), random_mixture("diagonal", 1, K=12)
    values = torch.stack([PROJECTIONS[name](p, q.subset(torch.arange(m))) for m in range(1, 13)])
    assert bool((values.diff() > -1e-8).all())
    assert values[-1] <= ceiling(name, p)


@every_projection
def test_weights_of_the_basis_do_not_enter(name: str) -> None:
    p, q = random_mixture("isotropic", 0, K=4), random_mixture("isotropic", 1, K=3)
    logits = torch.tensor([-torch.inf, 0.0, 9.0]).double()
    assert_close(PROJECTIONS[name](p, GaussianMixture(logits, q.loc, q._spread)), PROJECTIONS[name](p, q), 0.0)


@every_projection
def test_components_that_are_not_finite_are_named(name: str) -> None:
    p = random_mixture("isotropic", 0, K=4)
    loc = torch.zeros(5, 2).double()
    loc[3] = torch.nan
    with pytest.raises(ValueError, match="not finite at component 3"):
        PROJECTIONS[name](p, GaussianMixture(torch.zeros(5).double(), loc, Isotropic(1.0), validate_args=False))


@every_projection
def test_one_basis_for_a_batch_of_mixtures(name: str) -> None:
    """Values and gradients are those of one mixture after the other; second derivatives, too."""
    p, q = random_mixture("isotropic", 0, batch=(2, 3), K=4), random_mixture("isotropic", 1, K=3)
    x, y = (m.loc.clone().requires_grad_() for m in (p, q))

    def project(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return PROJECTIONS[name](GaussianMixture(p.logits, x, p._spread), GaussianMixture(q.logits, y, q._spread))

    found = project(x, y)
    factor = torch.arange(1.0, 7.0).double().reshape(2, 3)
    whole = torch.autograd.grad((factor * found).sum(), (x, y))
    part = torch.zeros_like(y)
    for i, j in np.ndindex(2, 3):
        own = GaussianMixture(p.logits[i, j], x[i, j], Isotropic(p._spread.parameter[i, j]))
        one = PROJECTIONS[name](own, GaussianMixture(q.logits, y, q._spread))
        assert_close(one, found[i, j], 1e-12, 1)
        gx, gy = torch.autograd.grad(factor[i, j] * one, (x, y))
        assert_close(gx[i, j], whole[0][i, j], 1e-9, 1)
        part += gy
    assert_close(part, whole[1], 1e-9, 1)
    assert torch.autograd.gradgradcheck(project, (x, y))


@pytest.mark.parametrize("batch", [(), (2,)])
def test_values_sum_to_the_trace(batch: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    p, q = (random_mixture("diagonal", s, batch=batch, K=k) for s, k in ((0, 17), (1, 4)))
    whole = log_projected_values(p, q)
    assert_close(torch.logsumexp(whole, -1), log_projected_trace(p, q), 1e-12, 1)
    monkeypatch.setattr(traces, "_PAIRS", 1)
    monkeypatch.setattr(pairs, "_NUMBERS", 1)
    assert_close(log_projected_values(p, q), whole, 1e-10, 1)
    assert_close(log_projected_trace(p, q), torch.logsumexp(whole, -1), 1e-12, 1)


def test_a_float32_trace_of_many_blocks_is_that_of_float64() -> None:
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(3000, 16, generator=g), torch.randn(100, 16, generator=g)
    narrow = log_projected_trace(*(GaussianMixture.from_samples(t, 2.0) for t in (x, y)))
    wide = log_projected_trace(*(GaussianMixture.from_samples(t.double(), 2.0) for t in (x, y)))
    assert_close(narrow, wide, 1e-4, 1)
