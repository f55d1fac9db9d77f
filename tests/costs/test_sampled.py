"""Components as samples: unbiased, with an honest standard error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mixtura.costs import SAMPLED, Bound, nuclear_norm, scalar
from mixtura.distributions import GaussianMixture, Isotropic
from tests.costs.truth import SORTS, Truth, random_mixture
from tests.helpers import assert_close

BATCHES = [scalar, nuclear_norm]
"""Those whose p is a sample, too."""


def halves(p: Any) -> tuple[Any, Any]:
    even, odd = (torch.arange(start, p.components, 2) for start in (0, 1))
    return p.subset(even), p.subset(odd)


def draws(
    cost: Callable[..., Bound], N: int, D: int, variance: float, shift: float, repeats: int
) -> tuple[Tensor, ...]:
    """Return divergences of fresh standard normal samples, and their standard errors."""
    g = torch.Generator().manual_seed(0)
    found = []
    for _ in range(repeats):
        x, y = (torch.randn(N, D, generator=g, dtype=torch.float64) for _ in "pq")
        p, q = (GaussianMixture.from_samples(t, variance) for t in (x, y + shift))
        bound = cost(p, q, "sampled")
        found.append(torch.stack([bound.divergence, bound.standard_error]))
    divergence, error = torch.stack(found, 1)
    return divergence, error


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scalar_is_the_unbiased_discrepancy_of_halves(dtype: torch.dtype) -> None:
    """MMD² for ``k(x, y) = exp(-‖x-y‖²/4v)``, which is 1 at x = y as the units of a trace are."""
    g = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, 3, generator=g, dtype=torch.float64).to(dtype) for n in (20, 30))
    p, q = GaussianMixture.from_samples(x, 0.4), GaussianMixture.from_samples(y + 0.3, 0.4)

    def mean_kernel(a: Tensor, b: Tensor) -> float:
        d2 = ((a[:, None].double() - b.double()) ** 2).sum(-1).numpy()
        return float(np.exp(-d2 / 1.6).mean())

    (a, b), (c, d) = ((t[::2], t[1::2]) for t in (x, y + 0.3))
    loss = mean_kernel(c, d) - mean_kernel(a, c) - mean_kernel(b, d)
    bound = scalar(p, q, "sampled")
    rtol = 1e-5 if dtype is torch.float32 else 1e-12
    assert_close(bound.loss, loss, rtol, 1)
    assert_close(bound.divergence, loss + mean_kernel(a, b), rtol, 1)
    assert bound.reading == "sampled"


@pytest.mark.parametrize("cost", BATCHES)
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("batch", [(), (2,)])
def test_divergences_of_dense_matrices(cost: Callable[..., Bound], sort: str, batch: tuple[int, ...]) -> None:
    p, q = (random_mixture(sort, s, batch=batch, K=k) for s, k in ((0, 6), (1, 9)))
    (a, b), (c, d) = halves(p), halves(q)

    def F(one: Any, other: Any) -> Any:
        truth = Truth(one, other)
        return truth.inner()[0] if cost is scalar else truth.singular_values().sum(-1)

    unit = np.maximum(*Truth(p, q).traces)
    bound = cost(p, q, "sampled")
    own, one, other, constant = F(c, d), F(a, c), F(b, d), F(a, b)
    assert_close(bound.loss, (own - one - other) / unit, 1e-7, 1)
    assert_close(bound.divergence, (own - one - other + constant) / unit, 1e-7, 1)
    assert bound.log_bound is not None
    assert_close(bound.log_value, np.log((one + other) / 2), 1e-7, 1)
    assert_close(bound.log_bound, np.log(own * constant) / 2, 1e-7, 1)
    assert_close(bound.gap, np.log(own * constant) / 2 - np.log((one + other) / 2), 1e-7, 1)


@pytest.mark.parametrize("cost", BATCHES)
def test_divergence_is_zero_in_expectation_where_q_is_p(cost: Callable[..., Bound]) -> None:
    """In 8 dimensions, where the plain gap sees every component meet itself."""
    divergence, _ = draws(cost, N=32, D=8, variance=1.0, shift=0.0, repeats=100)
    error = divergence.std() / 100**0.5
    assert abs(divergence.mean()) < 4 * error
    assert error < 8e-3
    assert divergence.min() < 0 < divergence.max()
    away, _ = draws(cost, N=32, D=8, variance=1.0, shift=0.7, repeats=20)
    assert away.mean() > 4 * away.std() / 20**0.5


@pytest.mark.parametrize("cost", BATCHES)
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_standard_error_is_the_spread_of_draws(cost: Callable[..., Bound], shift: float) -> None:
    """Within 30 %; up to √2 too large where q = p, as the divergence is a product of two deviations there."""
    divergence, error = draws(cost, N=64, D=2, variance=0.3, shift=shift, repeats=120)
    ratio = error.square().mean().sqrt() / divergence.std()
    assert 0.7 < ratio < (1.3 if shift else 1.3 * 2**0.5)


def test_standard_error_is_the_jackknife_in_closed_form() -> None:
    """The influence of a component of c on <a-d, b-c>: its own inner product with d - a, less the mean over c."""
    p, q = random_mixture("isotropic", 0, K=10), random_mixture("isotropic", 1, K=14)
    quarters = (*halves(p), *halves(q))  # a, b, c, d
    gram = [[Truth(m, n) for n in quarters] for m in quarters]
    signs = {(0, 1): 1, (2, 3): 1, (0, 2): -1, (1, 3): -1}
    unit, square = max(float(t) for t in Truth(p, q).traces), 0.0
    for i in range(4):
        total: Any = 0.0
        for (m, n), sign in signs.items():
            if i in (m, n):
                other = n if i == m else m
                total = total + sign * gram[i][other].C @ gram[i][other].u
        w = gram[i][i].w
        square += ((w * (total - w @ total)) ** 2).sum()
    assert_close(scalar(p, q, "sampled").standard_error, np.sqrt(square) / unit, 1e-9)


@pytest.mark.parametrize("cost", BATCHES)
@pytest.mark.parametrize("D", [2, 784, 12_288])
@pytest.mark.parametrize("variance", [1e-6, 1.0, 1e6])
def test_extremes_are_finite(cost: Callable[..., Bound], D: int, variance: float) -> None:
    g = torch.Generator().manual_seed(0)
    p = GaussianMixture.from_samples(torch.randn(8, D, generator=g), variance)
    for ratio in (1e-3, 1.0, 1e3):
        y = torch.randn(8, D, generator=g).requires_grad_()
        u = torch.tensor(variance * ratio, requires_grad=True)
        bound = cost(p, GaussianMixture.from_samples(y, u), "sampled")
        for value in (bound.loss, bound.divergence, bound.standard_error, bound.log_value):
            assert bool(value.isfinite())
        assert all(bool(t.isfinite().all()) for t in torch.autograd.grad(bound.loss, [y, u]))


@pytest.mark.parametrize("cost", BATCHES)
def test_fewer_than_two_components_are_no_sample(cost: Callable[..., Bound]) -> None:
    one, two = (random_mixture("isotropic", 0, K=k) for k in (1, 2))
    with pytest.raises(ValueError, match="at least two components of p, which has 1"):
        cost(one, two, "sampled")
    with pytest.raises(ValueError, match="at least two components of q, which has 1"):
        cost(two, one, "sampled")
    assert cost(two, two, "sampled").divergence.isfinite()


def test_weights_count() -> None:
    """A component of weight zero is as good as none, if halves stay the same."""
    p, q = random_mixture("isotropic", 0, K=6), random_mixture("isotropic", 1, K=6)
    logits = torch.cat([q.logits, torch.full((2,), -torch.inf).double()])
    longer = GaussianMixture(logits, torch.cat([q.loc, q.loc[:2] + 1]), Isotropic(0.5))
    shorter = GaussianMixture(q.logits, q.loc, Isotropic(0.5))
    for cost in BATCHES:
        a, b = (cost(p, m, "sampled") for m in (longer, shorter))
        assert_close(a.divergence, b.divergence, 1e-9, 1)
        assert_close(a.standard_error, b.standard_error, 1e-7, 1e-3)


def test_all_costs_with_the_reading_are_tested() -> None:
    assert set(SAMPLED) == {"scalar", "nuclear_norm", "conditional"}
