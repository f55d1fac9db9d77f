"""Laplace mixtures against scipy, mpmath and closed forms."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp

from mixtura.distributions import LaplaceMixture
from tests.helpers import RTOL, assert_close

W, M, B = [0.3, 0.7], [-1.0, 2.0], [0.5, 1.5]


def _scalar(dtype: torch.dtype = torch.float64) -> LaplaceMixture:
    w, m, b = (torch.tensor(t, dtype=dtype) for t in (W, M, B))
    return LaplaceMixture(w.log(), m, b, event_dim=0)


@given(
    st.lists(st.integers(1, 3), max_size=2),
    st.integers(1, 4),
    st.integers(1, 4),
    st.sampled_from([1e-4, 1.0, 1e4]),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 999),
)
def test_density_and_moments_agree_with_scipy(
    batch: list[int], K: int, D: int, size: float, dtype: torch.dtype, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    logits, loc, b = (
        torch.as_tensor(t, dtype=dtype)
        for t in (
            rng.standard_normal((*batch, K)),
            size * rng.standard_normal((*batch, K, D)),
            size * np.exp(rng.standard_normal((*batch, K, D))),
        )
    )
    q = LaplaceMixture(logits, loc, b)
    m, s = loc.double().numpy(), b.double().numpy()
    w = torch.softmax(logits.double(), -1).numpy()
    x = torch.as_tensor(size * rng.standard_normal((2, *batch, D)), dtype=dtype)
    each = stats.laplace.logpdf(x.double().numpy()[..., None, :], m, s).sum(-1)
    unit = 1 + float(np.abs(np.log(s)).sum(-1).max())
    assert_close(q.log_prob(x), logsumexp(each, b=w, axis=-1), RTOL[dtype], unit)
    mean = (w[..., None] * m).sum(-2)
    offset = m - mean[..., None, :]
    S = np.einsum("...k,...ki,...kj->...ij", w, offset, offset)
    S = S + np.einsum("...k,...ki,ij->...ij", w, 2 * s**2, np.eye(D))
    assert_close(q.mean, mean, RTOL[dtype], np.abs(m).max())
    assert_close(q.covariance_matrix, S, RTOL[dtype], S.max())
    assert_close(q.variance, S.diagonal(axis1=-2, axis2=-1), RTOL[dtype], S.max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tails_of_cdf_and_quantiles_keep_their_digits(dtype: torch.dtype) -> None:
    q = _scalar(dtype)
    x = [-300.0 if dtype is torch.float64 else -30.0, -50.0, -10.0, -1.0, 0.0, 2.0, 5.0]
    F = sum(w * stats.laplace.cdf(x, m, b) for w, m, b in zip(W, M, B, strict=True))
    assert_close(q.cdf(torch.tensor(x, dtype=dtype)), F, 0.3 * RTOL[dtype])
    back = q.icdf(torch.as_tensor(F, dtype=dtype))
    assert_close(back, x, RTOL[dtype], 1.0)


@pytest.mark.parametrize("u", [1e-100, 1e-9, 0.1, 0.15, 0.5, 0.97, 1 - 1e-9])
def test_quantiles_agree_with_forty_digits(u: float) -> None:
    with mpmath.workdps(40):

        def excess(x: mpmath.mpf) -> mpmath.mpf:
            total = mpmath.mpf(0)
            for w, m, b in zip(W, M, B, strict=True):
                t = (x - m) / b
                total += w * (mpmath.exp(t) / 2 if t < 0 else 1 - mpmath.exp(-t) / 2)
            return total - mpmath.mpf(u)

        ends = [float(stats.laplace.ppf(u, m, b)) for m, b in zip(M, B, strict=True)]
        low, high = mpmath.mpf(min(ends)) - 1e-3, mpmath.mpf(max(ends)) + 1e-3
        for _ in range(140):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    x = _scalar().icdf(torch.tensor(u, dtype=torch.float64))
    assert_close(x, float(low), 2e-15 + 4e-16 / min(1.0, 10 * (1 - u)), 1.0)


def test_ends_of_the_unit_interval_are_infinitely_far() -> None:
    assert_close(_scalar().icdf(torch.tensor([0.0, 1.0], dtype=torch.float64)), [-np.inf, np.inf], 0)


def test_affine_changes_variables() -> None:
    rng = np.random.default_rng(0)
    logits, loc, b = (torch.as_tensor(rng.uniform(0.5, 2, s)) for s in ((2, 3), (2, 3, 2), (3, 2)))
    q, scale, shift = (
        LaplaceMixture(logits, loc, b),
        torch.tensor([2.0, 0.1]).double(),
        torch.tensor([1.0, -1]).double(),
    )
    x = torch.as_tensor(rng.standard_normal((4, 2, 2)))
    assert_close(q.affine(scale, shift).log_prob(scale * x + shift), q.log_prob(x) - scale.log().sum(), 1e-12, 1.0)


def test_twelve_thousand_dimensions() -> None:
    rng = np.random.default_rng(0)
    K, D = 3, 12_288
    loc, b = rng.standard_normal((K, D)), 10 ** rng.uniform(-6, 6, (K, D))
    loc[2] += 1e6
    x = loc + b * rng.laplace(size=(K, D))
    expected = logsumexp(stats.laplace.logpdf(x[:, None], loc, b).sum(-1) - np.log(K), axis=-1)
    assert_close(
        LaplaceMixture(torch.zeros(K), torch.as_tensor(loc), torch.as_tensor(b)).log_prob(torch.as_tensor(x)),
        expected,
        1e-12,
    )


def test_samples_have_the_moments() -> None:
    torch.manual_seed(1)
    q, n = _scalar(), 40_000
    x = q.sample((n,))
    for power in (1, 2):
        values = (x - q.mean) ** power
        expected = 0.0 if power == 1 else float(q.variance)
        assert abs(float(values.mean()) - expected) < 5 * float(values.std()) / n**0.5
