"""Variances against brute force: maximised likelihoods and effective ranks of dense matrices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from torch import Tensor

from mixtura.training import Annealing, kernel_variance, likelihood_variance, median_variance, silverman_variance
from tests.helpers import global_state

Array = NDArray[np.float64]


def two_clusters(N: int, D: int, seed: int = 0, wide: float = 0.3) -> Array:
    rng = np.random.default_rng(seed)
    return rng.choice([-2.0, 2.0], N)[:, None] + wide * rng.standard_normal((N, D))


def best_variance(x: Array, c: Array | None = None, points: int = 200) -> float:
    """Maximise ``Σ_n log Σ_m N(x_n; c_m, v) / M`` over log v, from the best of a grid."""
    centers = x if c is None else c
    d2 = ((x[:, None] - centers) ** 2).sum(-1)
    if c is None:
        np.fill_diagonal(d2, np.inf)
    D, M = x.shape[1], len(centers) - (c is None)

    def loss(log_v: float) -> float:
        logs = -d2 / (2 * np.exp(log_v)) - 0.5 * D * (np.log(2 * np.pi) + log_v) - np.log(M)
        return -logsumexp(logs, axis=1).mean()

    grid = np.linspace(np.log(x.var()) - 15, np.log(x.var()) + 3, points)
    start = int(np.argmin([loss(t) for t in grid]))
    bounds = (grid[max(start - 1, 0)], grid[min(start + 1, points - 1)])
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))


def share_of_rank(x: Array, v: float) -> float:
    """Effective rank of the Gram matrix over that of the identity on different rows."""
    d2 = ((x[:, None] - x) ** 2).sum(-1)
    s = np.linalg.eigvalsh(np.exp(-d2 / (4 * v))) / len(x)
    counts = np.unique(x, axis=0, return_counts=True)[1] / len(x)
    s = s[s > 1e-15]
    return float(np.exp(-(s * np.log(s)).sum() + (counts * np.log(counts)).sum()))


@pytest.mark.parametrize("D", [1, 2, 10, 200])
@pytest.mark.parametrize("N", [3, 30, 200])
def test_likelihood_is_the_largest(N: int, D: int) -> None:
    x = two_clusters(N, D)
    assert likelihood_variance(torch.as_tensor(x)) == pytest.approx(best_variance(x), rel=2e-3)
    assert likelihood_variance(torch.as_tensor(x).float()) == pytest.approx(best_variance(x), rel=5e-3)


@pytest.mark.parametrize("D", [1, 2, 50])
@pytest.mark.parametrize("M", [1, 5, 60])
def test_likelihood_of_given_centers(M: int, D: int) -> None:
    x, c = two_clusters(80, D), two_clusters(M, D, seed=1)
    assert likelihood_variance(torch.as_tensor(x), torch.as_tensor(c)) == pytest.approx(best_variance(x, c), rel=2e-3)


def test_likelihood_of_one_center_is_the_mean_square() -> None:
    x = torch.as_tensor(two_clusters(50, 3))
    c = torch.zeros(1, 3).double()
    assert likelihood_variance(x, c) == pytest.approx(x.square().mean().item(), rel=1e-3)


def test_two_rows_leave_each_other_out() -> None:
    """Each is alone with the other: v = ‖d‖² / D."""
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]]).double()
    assert likelihood_variance(x) == pytest.approx(12.5, rel=1e-3)


def test_many_rows_are_thinned_and_still_right() -> None:
    x = two_clusters(1200, 1)
    assert likelihood_variance(torch.as_tensor(x)) == pytest.approx(best_variance(x, points=20), rel=0.1)


def test_the_order_of_centers_and_units_do_not_matter() -> None:
    x = torch.as_tensor(two_clusters(60, 3))
    assert likelihood_variance(x * 1e3 + 5e4) == pytest.approx(1e6 * likelihood_variance(x), rel=1e-3)
    assert likelihood_variance(x.flip(0)) == pytest.approx(likelihood_variance(x), rel=1e-3)
    assert kernel_variance(x * 1e-3, 0.4) == pytest.approx(1e-6 * kernel_variance(x, 0.4), rel=3e-3)


@pytest.mark.parametrize("D", [1, 2, 50])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.8, 0.95])
def test_kernel_reaches_its_share(D: int, share: float) -> None:
    x = two_clusters(100, D)
    assert share_of_rank(x, kernel_variance(torch.as_tensor(x), share)) == pytest.approx(share, rel=3e-3)


@pytest.mark.parametrize("D", [2, 20])
def test_kernel_falls_with_the_share_and_with_the_batch(D: int) -> None:
    x = torch.as_tensor(two_clusters(400, D))
    by_share = [kernel_variance(x[:100], share) for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert by_share == sorted(by_share, reverse=True)
    by_batch = [kernel_variance(x[:n], 0.4) for n in (25, 50, 100, 200, 400)]
    assert by_batch == sorted(by_batch, reverse=True)


def test_duplicated_rows_are_one_for_the_kernel() -> None:
    """The share is of the different rows: doubling the batch by copies changes nothing."""
    x = torch.as_tensor(two_clusters(50, 2))
    once = kernel_variance(x, 0.5)
    assert kernel_variance(x.repeat(2, 1), 0.5) == pytest.approx(once, rel=3e-3)
    uneven = torch.cat([x, x[:1].repeat(10, 1)])
    assert share_of_rank(uneven.numpy(), kernel_variance(uneven, 0.5)) == pytest.approx(0.5, rel=3e-3)


def test_duplicated_rows_take_the_likelihood_to_its_smallest_variance() -> None:
    """Every row has a copy, so a density without width is infinitely likely: the smallest variance that is tried."""
    x = torch.as_tensor(two_clusters(50, 2))
    assert likelihood_variance(x.repeat(2, 1)) < 1e-10
    half = likelihood_variance(torch.cat([x, x[:1]]))
    assert np.isfinite(half)
    assert half > 0


def test_silverman_is_his_rule() -> None:
    """In one dimension ``(4/3N)^(1/5) σ``, as scipy's ``silverman`` factor, squared."""
    x = np.random.default_rng(0).standard_normal((70, 1)) * 3
    expected = ((4 / (3 * 70)) ** 0.2 * x.std(ddof=1)) ** 2
    assert silverman_variance(torch.as_tensor(x)) == pytest.approx(expected, rel=1e-12)
    y = two_clusters(40, 5)
    factor = (4 / (40 * 7)) ** (1 / 9)
    assert silverman_variance(torch.as_tensor(y)) == pytest.approx(factor**2 * y.var(0, ddof=1).mean(), rel=1e-12)


def test_median_is_that_of_pairs() -> None:
    x = two_clusters(41, 3)
    i, j = np.triu_indices(41, 1)
    d2 = np.sort(((x[i] - x[j]) ** 2).sum(-1))
    assert median_variance(torch.as_tensor(x)) == pytest.approx(d2[(len(d2) - 1) // 2] / 2, rel=1e-9)


@pytest.mark.parametrize("f", [likelihood_variance, lambda x: kernel_variance(x, 0.5)])
@pytest.mark.parametrize(
    "x",
    [torch.ones(5, 2), torch.ones(1, 2), torch.tensor([[0.0], [torch.nan]]), torch.tensor([[0.0], [torch.inf]])],
    ids=["identical", "one", "nan", "inf"],
)
def test_rows_must_differ_and_be_finite(f: Callable[[Tensor], float], x: Tensor) -> None:
    with pytest.raises(ValueError, match="at least two different rows of finite numbers"):
        f(x)


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_share_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        kernel_variance(torch.randn(5, 2, generator=torch.Generator().manual_seed(0)), share)


def test_nothing_is_touched() -> None:
    x = torch.as_tensor(two_clusters(30, 2)).requires_grad_()
    before = global_state()
    for f in (likelihood_variance, silverman_variance, median_variance, lambda t: kernel_variance(t, 0.5)):
        assert isinstance(f(x), float)
    assert global_state() == before


def test_annealing_is_even_in_the_logarithm() -> None:
    v = Annealing(start=4.0, target=0.04, share=0.8)
    assert v(0.0) == 4.0
    assert v(0.8) == v(0.9) == v(1.0) == 0.04
    steps = np.log([v(t) for t in np.linspace(0, 0.8, 9)])
    np.testing.assert_allclose(np.diff(steps), np.log(0.01) / 8, rtol=1e-9)


def test_annealing_has_nothing_to_lead_down() -> None:
    up = Annealing(start=0.1, target=1.0)
    assert [up(t) for t in (0.0, 0.5, 1.0)] == [1.0, 1.0, 1.0]
    at_once = Annealing(start=1.0, target=0.1, share=0.0)
    assert [at_once(t) for t in (0.0, 1.0)] == [0.1, 0.1]
    assert Annealing(start=1.0, target=0.1, share=1.0)(1.0) == 0.1


@pytest.mark.parametrize(
    ("start", "target", "share"), [(0.0, 1.0, 0.5), (1.0, -1.0, 0.5), (1.0, float("nan"), 0.5), (1.0, 1.0, 1.5)]
)
def test_annealing_needs_variances(start: float, target: float, share: float) -> None:
    with pytest.raises(ValueError, match="start and target must be positive and finite"):
        Annealing(start, target, share)
