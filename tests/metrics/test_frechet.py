"""Fréchet distance and kernel discrepancy against scipy, closed forms and repeated draws."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from mixtura.distributions import GaussianMixture
from mixtura.hilbert import kernel_mean_discrepancy
from mixtura.metrics import features
from mixtura.metrics.frechet import frechet_distance, kernel_mmd


@settings(deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 8), st.sampled_from([1e-3, 1.0, 1e4]))
def test_frechet_distance_is_that_of_scipys_matrix_root(seed: int, D: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = (scale * rng.standard_normal((40, D)) @ rng.standard_normal((D, D)) for _ in range(2))
    S, T = (np.atleast_2d(np.cov(z.T)) for z in (a, b))
    root = np.trace(np.real(np.asarray(sqrtm(S @ T))))
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(S) + np.trace(T) - 2 * root
    assert frechet_distance(torch.tensor(a), torch.tensor(b)) == pytest.approx(expected, rel=1e-5)


def test_singular_covariances_are_exact() -> None:
    """On a line each, at angle t: ``tr (S S')^½ = s s' cos t``; fewer samples than features."""
    rng = np.random.default_rng(0)
    u, w = np.linalg.qr(rng.standard_normal((300, 2)))[0].T
    angle = 0.7
    z = rng.standard_normal(9)
    z = z - z.mean()
    a, b = z[:, None] * u, 3 * z[:, None] * (math.cos(angle) * u + math.sin(angle) * w)
    variance = z.var(ddof=1)
    expected = variance * (1 + 9 - 6 * math.cos(angle))
    assert frechet_distance(torch.tensor(a), torch.tensor(b)) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance(torch.tensor(a), torch.tensor(a)) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(torch.zeros(3, 5), torch.ones(2, 5)) == 5


def test_float32_features_are_judged_in_float64() -> None:
    x = torch.randn(200, 20, generator=torch.Generator().manual_seed(0))
    y = 2 * x + 1
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(x.double(), y.double()), rel=1e-5)
    assert frechet_distance(x + 1e3, x + 1e3) < 1e-6


@given(st.integers(0, 2**16), st.sampled_from([1, 3, 30]), st.sampled_from([1e-12, 0.5, 1e12]))
def test_unbiased_mmd_is_the_definition(seed: int, D: int, v: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((11, D)), rng.standard_normal((7, D)) + 0.3

    def k(x, y):
        return np.exp(-np.square(x[:, None] - y).sum(-1) / (2 * v))

    expected = (k(a, a).sum() - 11) / 110 + (k(b, b).sum() - 7) / 42 - 2 * k(a, b).mean()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "_PAIRS", 30)
        got = kernel_mmd(torch.tensor(a), torch.tensor(b), v)
    assert got.square == pytest.approx(expected, abs=1e-12)


def test_mmd_is_unbiased_and_its_error_is_the_spread_of_repeated_draws() -> None:
    """Between N(0, 1) and N(1, 1) the truth is exact in the Hilbert space; at p = q it is zero."""
    rng = np.random.default_rng(0)
    for shift, low, high in ((1.0, 0.85, 1.15), (0.0, 1.2, 1.7)):
        p, q = (GaussianMixture.from_samples(torch.full((1, 1), m, dtype=torch.float64), 1.0) for m in (0.0, shift))
        truth = kernel_mean_discrepancy(p, q, 0.5).square().item()
        draws = [
            kernel_mmd(torch.tensor(rng.normal(0, 1, (60, 1))), torch.tensor(rng.normal(shift, 1, (90, 1))), 0.5)
            for _ in range(400)
        ]
        squares = np.array([d.square for d in draws])
        assert abs(squares.mean() - truth) < 4 * squares.std() / 20
        assert low < np.mean([d.standard_error for d in draws]) / squares.std() < high


def test_bad_inputs_are_named() -> None:
    x = torch.zeros(4, 2)
    with pytest.raises(ValueError, match="N >= 2"):
        frechet_distance(x[:1], x)
    with pytest.raises(ValueError, match="same features"):
        kernel_mmd(x, torch.zeros(4, 3), 1.0)
    with pytest.raises(ValueError, match="finite"):
        frechet_distance(x, torch.full((4, 2), math.nan))
    for v in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="variance"):
            kernel_mmd(x, x, v)
