"""Every cost against dense matrices, pseudo-inverses and singular values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mixtura.costs import COSTS, bures, likelihood, matrix_matrix, nuclear_norm, scalar, trace
from mixtura.distributions import GaussianMixture, Isotropic, Mixture
from mixtura.hilbert.projections import JITTER
from tests.costs.truth import FAMILIES, SORTS, Truth, quadrature, random_mixture, widened
from tests.helpers import KINDS, assert_close

GRAM_COSTS = [name for name in COSTS if name not in ("conditional", "likelihood")]
ACCURACY = {torch.float32: 1e-4, torch.float64: 1e-7}
PROJECTIONS = ("vector_matrix", "matrix_matrix")
every_cost = pytest.mark.parametrize("cost", GRAM_COSTS)


def _check(cost: str, p: Mixture[Any], q: Mixture[Any], accuracy: float) -> None:
    ridge = JITTER[p.loc.dtype] if cost in PROJECTIONS else 0.0
    bound, truth = COSTS[cost](p, q), Truth(p, q, ridge)
    assert bound.log_bound is not None
    assert bound.log_value.dtype is torch.float64
    assert_close(bound.log_value, truth.log_value(cost), accuracy, 1)
    assert_close(bound.log_bound, truth.log_bound(cost), accuracy, 1)
    assert_close(bound.gap, truth.log_bound(cost) - truth.log_value(cost), accuracy, 1)
    assert_close(bound.loss, truth.loss(cost), accuracy, 1)
    if ridge:  # which only lowers the value
        assert bool((bound.log_value.detach().numpy() <= Truth(p, q).log_value(cost) + accuracy).all())


@every_cost
@given(
    sorts=st.tuples(st.sampled_from(list(KINDS)), st.sampled_from(list(KINDS))),
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4)),
    batch=st.lists(st.integers(1, 3), max_size=2),
    tied=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 9999),
)
@settings(max_examples=20)
def test_gaussians(
    cost: str,
    sorts: tuple[str, str],
    sizes: tuple[int, int, int],
    batch: list[int],
    tied: tuple[bool, bool],
    seed: int,
) -> None:
    N, M, D = sizes
    M = N if cost == "trace" else M
    p = random_mixture(sorts[0], seed, batch=batch, K=N, D=D, tied=tied[0])
    q = random_mixture(sorts[1], seed + 10_000, batch=batch[1:], K=M, D=D, tied=tied[1])  # batches broadcast
    _check(cost, p, q, ACCURACY[torch.float64])


@every_cost
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [(), (2, 3)])
def test_families_and_precisions(cost: str, sort: str, dtype: torch.dtype, batch: tuple[int, ...]) -> None:
    p = random_mixture(sort, 1, batch=batch, K=4, D=2, dtype=dtype)
    q = random_mixture(sort, 2, batch=batch, K=4, D=2, dtype=dtype, tied=True)
    _check(cost, p, q, ACCURACY[dtype])


@every_cost
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_many_components(cost: str, dtype: torch.dtype) -> None:
    """Beyond what is held in float64, and in several blocks; centers on a grid, so that the truth has digits."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(17.0), np.arange(17.0)), -1).reshape(-1, 2)
    x, y = grid + 0.3 * rng.standard_normal(grid.shape), grid + 0.2 * rng.standard_normal(grid.shape)
    weights = torch.as_tensor(rng.uniform(0.1, 1, len(x)), dtype=dtype)
    p = GaussianMixture.from_samples(torch.as_tensor(x, dtype=dtype), 0.2, weights)
    q = GaussianMixture.from_samples(torch.as_tensor(y, dtype=dtype), 0.15, weights.flip(0))
    _check(cost, p, q, ACCURACY[dtype])


@every_cost
def test_scalars_are_vectors_of_one_coordinate(cost: str) -> None:
    x, y = torch.tensor([0.0, 1.0, 3.0]).double(), torch.tensor([0.5, 2.0, 2.5]).double()
    flat = COSTS[cost](GaussianMixture.from_samples(x, 0.3), GaussianMixture.from_samples(y, 0.4))
    tall = COSTS[cost](*(GaussianMixture.from_samples(t.unsqueeze(-1), v) for t, v in ((x, 0.3), (y, 0.4))))
    assert_close(flat.gap, tall.gap, 1e-12, 1)
    assert flat.log_value.shape == ()


@every_cost
def test_a_weight_of_zero_leaves_a_component_out(cost: str) -> None:
    p, q = random_mixture("diagonal", 0, K=4), random_mixture("isotropic", 1, K=4)
    keep = torch.tensor([0, 1, 3])
    logits = p.logits.clone()
    logits[2] = -torch.inf
    without = GaussianMixture(logits, p.loc, p._spread)
    if cost == "trace":
        q = GaussianMixture(torch.where(torch.arange(4) == 2, -torch.inf, q.logits), q.loc, q._spread)
    other = q.subset(keep) if cost == "trace" else q
    assert_close(COSTS[cost](without, q).gap, COSTS[cost](p.subset(keep), other).gap, 1e-10, 1)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scalar_cost_is_an_integral(sort: str, dtype: torch.dtype) -> None:
    p, q = (random_mixture(sort, s, K=3, D=1, dtype=dtype) for s in (3, 4))
    x, weight = quadrature(sort)
    a, b = (widened(m).log_prob(x).exp() for m in (p, q))
    gap = torch.log((weight * a * a).sum() * (weight * b * b).sum() / (weight * a * b).sum() ** 2)
    assert_close(scalar(p, q).gap, gap, 1e-6 if dtype is torch.float64 else 1e-4, 1)


@pytest.mark.parametrize("sort", [*KINDS, "laplace", "von mises"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_likelihood_is_scipys(sort: str, dtype: torch.dtype, batch: tuple[int, ...]) -> None:
    p, q = (random_mixture(sort, s, batch=batch, K=3 + s, D=2, dtype=dtype) for s in (0, 1))
    truth = Truth(p, q)
    x, m = (t.loc.double().numpy() for t in (p, q))
    d = x[..., :, None, :] - m[..., None, :, :]  # (*B, N, M, D)
    if isinstance(q, GaussianMixture):
        S = q.covariance.dense(2).expand(*batch, 4, 2, 2).double().numpy()
        flat = [stats.multivariate_normal(cov=S[i[:-2] + i[-1:]]).pdf(d[i]) for i in np.ndindex(*d.shape[:-1])]
        density = np.reshape(flat, d.shape[:-1])
    else:
        spread = q._spread.parameter.double().numpy()[..., None, :, :]
        one = stats.laplace(scale=spread) if sort == "laplace" else stats.vonmises(kappa=spread)
        density = one.pdf(d).prod(-1)
    log_q = np.log((density * truth.u[..., None, :]).sum(-1))
    bound = likelihood(p, q)
    assert_close(bound.log_value, (truth.w * log_q).sum(-1), 1e-4 if dtype is torch.float32 else 1e-10, 1)
    assert_close(bound.loss, -bound.log_value, 0.0)
    assert bound.log_bound is None
    assert bound.spectrum is None
    with pytest.raises(ValueError, match="no bound"):
        bound.gap  # noqa: B018


def test_likelihood_of_cauchy_components() -> None:
    p, q = (random_mixture("cauchy", s, K=3, D=1) for s in (0, 1))
    truth = Truth(p, q)
    x, m, s = (t.numpy()[:, 0] if t.dim() == 2 else t.numpy() for t in (p.loc, q.loc, q._spread.parameter))
    density = stats.cauchy(loc=m, scale=s).pdf(x[:, None]) @ truth.u
    assert_close(likelihood(p, q).log_value, truth.w @ np.log(density), 1e-10, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_likelihood_in_many_dimensions(dtype: torch.dtype) -> None:
    """Of more pairs than are held at once."""
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, 200, generator=g, dtype=torch.float64).to(dtype) for n in (300, 250))
    p, q = GaussianMixture.from_samples(x, 3.0), GaussianMixture.from_samples(y, 0.4)
    d2 = ((x.double()[:, None] - y.double()) ** 2).sum(-1)
    log_q = torch.logsumexp(-d2 / 0.8 - 100 * np.log(0.8 * np.pi), 1) - np.log(250)
    assert_close(likelihood(p, q).log_value, log_q.mean(), 1e-6 if dtype is torch.float32 else 1e-12)


def test_spectra_are_shares() -> None:
    p, q = random_mixture("full", 0, batch=(2,), K=5), random_mixture("isotropic", 1, batch=(2,), K=4)
    truth = Truth(p, q)
    s = truth.singular_values()
    share = s / s.sum(-1, keepdims=True)
    for cost in (nuclear_norm, bures):
        spectrum, rank = cost(p, q).spectrum, cost(p, q).effective_rank
        assert spectrum is not None
        assert rank is not None
        assert_close(spectrum, share, 1e-8, 1)
        assert_close(rank, np.exp(-(share * np.log(share)).sum(-1)), 1e-7, 1)
    root = np.sqrt(truth.w)[..., :, None]
    projected = root * (truth.P - truth.schur_complement()) * np.swapaxes(root, -1, -2)
    values = np.linalg.eigvalsh(projected)[..., ::-1][..., :4]
    spectrum = matrix_matrix(p, q).spectrum
    assert spectrum is not None
    assert_close(spectrum, values / values.sum(-1, keepdims=True), 1e-7, 1)
    assert scalar(p, q).spectrum is None
    assert scalar(p, q).effective_rank is None


def test_numbers_of_a_case_done_by_hand() -> None:
    """Two components of weights 3/4 and 1/4 at 0 and 1 against one at 0; in units of 1/√(2π), <0, 1> = e^-½."""
    p = GaussianMixture(torch.tensor([3.0, 1.0]).double().log(), torch.tensor([[0.0], [1.0]]).double(), Isotropic(0.5))
    q = GaussianMixture.from_samples(torch.zeros(1, 1).double(), 0.5)
    e = np.exp(-0.5)
    pp = (9 + 6 * e + 1) / 16
    assert_close(scalar(p, q).gap, np.log(pp / (0.75 + 0.25 * e) ** 2), 1e-12)
    assert_close(matrix_matrix(p, q).gap, -np.log(0.75 + 0.25 * e**2), 1e-9)
    assert_close(nuclear_norm(p, q).gap, -np.log(0.75 + 0.25 * e**2) / 2, 1e-12)
    assert_close(bures(p, q).loss, 2 - 2 * np.sqrt(0.75 + 0.25 * e**2), 1e-12)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_do_not_mix(family: str) -> None:
    p, q = random_mixture(family, 0), random_mixture("isotropic", 0)
    for cost in GRAM_COSTS:
        with pytest.raises(TypeError, match="no closed form"):
            COSTS[cost](p, q)


@pytest.mark.parametrize("cost", COSTS)
def test_errors_name_what_is_wrong(cost: str) -> None:
    p = random_mixture("isotropic", 0, D=2)
    with pytest.raises(ValueError, match=r"p has event_shape \(2,\) and q has event_shape \(3,\)"):
        COSTS[cost](p, random_mixture("isotropic", 0, D=3))
    with pytest.raises(ValueError, match=r"p has batch_shape \(3,\) and q has batch_shape \(2,\)"):
        COSTS[cost](*(random_mixture("isotropic", 0, batch=(b,)) for b in (3, 2)))


def test_trace_needs_pairs() -> None:
    with pytest.raises(ValueError, match=r"p has 3 components and q has 4"):
        trace(random_mixture("isotropic", 0, K=3), random_mixture("isotropic", 0, K=4))


def test_finite_bounds_have_no_divergence() -> None:
    bound = scalar(random_mixture("isotropic", 0), random_mixture("isotropic", 1))
    with pytest.raises(ValueError, match='reading="sampled"'):
        bound.divergence  # noqa: B018
    with pytest.raises(ValueError, match='reading="sampled"'):
        bound.standard_error  # noqa: B018


def test_a_bound_that_nobody_looks_at_is_not_computed() -> None:
    calls = []
    p, q = random_mixture("isotropic", 0), random_mixture("isotropic", 1)
    bound = scalar(p, q)
    find = bound.find_log_bound
    assert find is not None
    object.__setattr__(bound, "find_log_bound", lambda: calls.append(1) or find())
    assert bound.loss.isfinite()
    assert not calls
    assert bound.gap >= 0
    assert bound.log_bound is not None
    assert len(calls) == 1
