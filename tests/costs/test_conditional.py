"""The conditional cost against means over its batch and integrals over x."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mixtura.costs import conditional, scalar
from mixtura.distributions import Diagonal, GaussianMixture, Isotropic
from tests.costs.truth import SORTS, Truth, quadrature, random_mixture, widened
from tests.helpers import KINDS, assert_close


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [(1,), (5,), (2, 3)])
def test_conditional_is_the_scalar_cost_of_means_over_the_batch(
    sort: str, dtype: torch.dtype, batch: tuple[int, ...]
) -> None:
    p = random_mixture(sort, 0, batch=batch, K=2, dtype=dtype)
    q = random_mixture(sort, 1, batch=batch, K=4, dtype=dtype)
    pq, pp, qq = (terms.mean() for terms in Truth(p, q).inner())
    bound = conditional(p, q)
    rtol = 1e-4 if dtype is torch.float32 else 1e-9
    assert bound.log_bound is not None
    assert_close(bound.log_value, np.log(pq**2 / qq), rtol, 1)
    assert_close(bound.log_bound, np.log(pp), rtol, 1)
    assert_close(bound.gap, np.log(pp * qq / pq**2), rtol, 1)
    assert_close(bound.loss, -np.log(pq**2 / qq), rtol, 1)


@pytest.mark.parametrize("sort", SORTS)
def test_conditional_is_an_integral(sort: str) -> None:
    p = random_mixture(sort, 2, batch=(3,), K=2, D=1)
    q = random_mixture(sort, 3, batch=(3,), K=3, D=1)
    x, weight = quadrature(sort)
    a, b = (widened(m).log_prob(x.unsqueeze(1)).exp() for m in (p, q))  # (n, 3)
    pq, pp, qq = ((weight.unsqueeze(-1) * f).sum(0).mean() for f in (a * b, a * a, b * b))
    assert_close(conditional(p, q).gap, torch.log(pp * qq / pq**2), 1e-6, 1)


@pytest.mark.parametrize("sort", KINDS)
def test_batches_broadcast(sort: str) -> None:
    p, q = random_mixture(sort, 0, batch=(4,)), random_mixture(sort, 1)
    pq, pp, qq = (terms.mean() for terms in Truth(p, q).inner())
    assert_close(conditional(p, q).gap, np.log(pp * qq / pq**2), 1e-9, 1)


def test_without_a_batch_it_is_the_scalar_cost() -> None:
    p, q = random_mixture("full", 0), random_mixture("diagonal", 1)
    assert_close(conditional(p, q).gap, scalar(p, q).gap, 1e-12)


def test_one_answer_to_every_question_cannot_win() -> None:
    """Two answers that p gives in turn: a constant q of both gets half of the bound, the right one all of it."""
    x = torch.tensor([[[0.0]], [[50.0]]]).double()
    p = GaussianMixture.from_samples(x, 0.5)
    both = GaussianMixture.from_samples(x.flatten().reshape(2, 1).expand(2, 2, 1), 0.5)
    assert_close(conditional(p, both).gap, np.log(2), 1e-12)
    assert_close(conditional(p, GaussianMixture.from_samples(x.clone(), 0.5)).gap, 0.0, 1e-12, 1)


def test_loss_of_one_sample_each_is_likelihood_smoothed() -> None:
    """E <p, q> is q smoothed by the variance of p, at the sample."""
    g = torch.Generator().manual_seed(0)
    y = torch.randn(6, 1, 2, generator=g, dtype=torch.float64)
    p = GaussianMixture.from_samples(y, 0.3)
    q = random_mixture("isotropic", 0, batch=(6,), K=4)
    assert isinstance(q, GaussianMixture)
    smooth = GaussianMixture(q.logits, q.loc, Isotropic(q.covariance.parameter + 0.3))
    at_samples = smooth.log_prob(y.squeeze(-2)).exp().mean()
    norm = Truth(p, q).inner()[2].mean()
    assert_close(conditional(p, q).log_value, 2 * at_samples.log() - np.log(norm), 1e-9, 1)


def sampled_terms(p: GaussianMixture, q: GaussianMixture) -> Tensor:
    """<q', q''> - <p, q'> - <p, q''> + <p, p> for every Y, from dense matrices."""
    even, odd = (q.subset(torch.arange(start, q.components, 2)) for start in (0, 1))
    own, one, other = (Truth(a, b).inner()[0] for a, b in ((even, odd), (p, even), (p, odd)))
    return torch.as_tensor(own - one - other + Truth(p, p).inner()[0])


def test_sampled_reading_is_the_mean_of_debiased_terms() -> None:
    p, q = (random_mixture("isotropic", s, batch=(40,), K=k, D=1) for s, k in ((0, 1), (1, 5)))
    assert isinstance(p, GaussianMixture)
    assert isinstance(q, GaussianMixture)
    terms, truth = sampled_terms(p, q), Truth(p, q)
    unit = max(trace.mean() for trace in truth.traces)
    bound = conditional(p, q, "sampled")
    assert_close(bound.divergence, terms.mean() / unit, 1e-9, 1e-3)
    assert_close(bound.standard_error, terms.std() / np.sqrt(40) / unit, 1e-9)
    constant = truth.inner()[1].mean() / unit
    assert_close(bound.loss, terms.mean() / unit - constant, 1e-9, 1e-3)
    assert bound.reading == "sampled"


def test_sampled_divergence_is_zero_in_expectation_where_the_model_is_right() -> None:
    """p(x|y) = N(y, 1) with kernels of variance 1/2, so components of p are N(y, 1/2) smoothed: q draws its centers."""
    g = torch.Generator().manual_seed(1)
    y = torch.randn(4000, 1, 1, generator=g, dtype=torch.float64)
    p = GaussianMixture.from_samples(y, 1.0)
    centers = y + 0.5**0.5 * torch.randn(4000, 4, 1, generator=g, dtype=torch.float64)
    bound = conditional(p, GaussianMixture.from_samples(centers, 0.5), "sampled")
    assert abs(bound.divergence) < 4 * bound.standard_error
    assert bound.standard_error < 0.02
    wrong = conditional(p, GaussianMixture.from_samples(centers + 0.5, 0.5), "sampled")
    assert wrong.divergence > 6 * wrong.standard_error
    biased = conditional(p, GaussianMixture.from_samples(centers, 0.5))
    assert biased.gap > 0.05


def test_sampled_reading_needs_two_components_of_q() -> None:
    p, q = random_mixture("isotropic", 0, batch=(3,), K=1), random_mixture("isotropic", 1, batch=(3,), K=1)
    with pytest.raises(ValueError, match="at least two components of q, which has 1"):
        conditional(p, q, "sampled")


def test_one_question_has_no_standard_error() -> None:
    bound = conditional(random_mixture("isotropic", 0), random_mixture("isotropic", 1), "sampled")
    assert bound.divergence.isfinite()
    with pytest.raises(ValueError, match="mean over Y, of which the batch holds one"):
        bound.standard_error  # noqa: B018


@pytest.mark.parametrize("sort", ["isotropic", "precision", "laplace", "cauchy"])
@pytest.mark.parametrize("weighted", [False, True])
def test_models_side_by_side_are_a_loop_over_models(sort: str, weighted: bool) -> None:
    """Each member has its own rows, weights and bound."""
    p = random_mixture(sort, 0, batch=(3, 5), K=1)
    q = random_mixture(sort, 1, batch=(3, 5), K=4)
    weight = torch.rand(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) if weighted else None
    if weight is not None:
        weight[0, 2] = 0
    bound = conditional(p, q, weight=weight, members=1)
    terms = [torch.as_tensor(t) for t in Truth(p, q).inner()]
    w = torch.ones(3, 5, dtype=torch.float64) if weight is None else weight
    for e in range(3):
        pq, pp, qq = (float((w[e] * t[e]).sum() / w[e].sum()) for t in terms)
        assert bound.log_bound is not None
        assert_close(bound.log_value[e], np.log(pq**2 / qq), 1e-9, 1)
        assert_close(bound.log_bound[e], np.log(pp), 1e-9, 1)
        assert_close(bound.gap[e], np.log(pp * qq / pq**2), 1e-9, 1)
        assert_close(bound.loss[e], -np.log(pq**2 / qq), 1e-9, 1)


def test_a_row_of_weight_two_is_two_rows_and_one_of_weight_zero_is_none() -> None:
    rows = torch.tensor([0, 1, 1, 3])
    weight = torch.tensor([1.0, 2.0, 0.0, 1.0], dtype=torch.float64)
    once, repeated = [], []
    for seed, K in ((0, 1), (1, 3)):
        m = random_mixture("diagonal", seed, batch=(4,), K=K)
        assert isinstance(m, GaussianMixture)
        once.append(m)
        repeated.append(GaussianMixture(m.logits[rows], m.loc[rows], Diagonal(m.covariance.parameter[rows])))
    expected = conditional(repeated[0], repeated[1]).gap
    for factor in (1, 7):
        assert_close(conditional(once[0], once[1], weight=factor * weight).gap, expected, 1e-12, 1)
