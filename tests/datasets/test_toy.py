"""The toy problem's exact density against independent quadrature."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from mixtura.datasets import inverse_sine, inverse_sine_log_prob, inverse_sine_optimum


def forward(t):
    return t + 0.3 * np.sin(2 * np.pi * t)


def normal_marginal(y):
    """p(y) by Gauss–Legendre quadrature in t."""
    x, w = np.polynomial.legendre.leggauss(400)
    t = (x + 1) / 2
    return float((w / 2 * np.exp(-0.5 * ((y - forward(t)) / 0.1) ** 2)).sum() / (0.1 * np.sqrt(2 * np.pi)))


TURN = np.arccos(-1 / (0.6 * np.pi)) / (2 * np.pi)  # where the derivative 1 + 0.6π cos(2πt) vanishes
PIECES = [(0, TURN), (TURN, 1 - TURN), (1 - TURN, 1)]


def uniform_marginal(y):
    """p(y) = |{t: |y - f(t)| < 0.1}| / 0.2, by inverting f on its three monotone pieces."""
    length = 0.0
    for a, b in PIECES:
        ends = sorted((forward(a), forward(b)))
        low, high = np.clip([y - 0.1, y + 0.1], *ends)
        if high > low:
            root = [
                brentq(lambda t, v=v: forward(t) - v, a, b) if ends[0] < v < ends[1] else (a if v == forward(a) else b)
                for v in (low, high)
            ]
            length += abs(root[1] - root[0])
    return length / 0.2


@pytest.mark.parametrize("noise", ["normal", "uniform"])
def test_optimum(noise):
    marginal = {"normal": normal_marginal, "uniform": uniform_marginal}[noise]
    corners = sorted({forward(t) + e for t in (0, TURN, 1 - TURN, 1) for e in (-0.1, 0.1)})
    points = [-0.6, *corners, 1.6]
    entropy_y = sum(quad(lambda y: -(p := max(marginal(y), 1e-300)) * np.log(p), a, b)[0] for a, b in pairwise(points))
    entropy_noise = {"normal": 0.5 * np.log(2 * np.pi * np.e * 0.01), "uniform": np.log(0.2)}[noise]
    assert inverse_sine_optimum(noise) == pytest.approx(entropy_noise - entropy_y, abs=2e-5)


@pytest.mark.parametrize("noise", ["normal", "uniform"])
def test_log_prob_is_a_density_and_its_mean_is_the_optimum(noise):
    grid = np.linspace(0, 1, 20_001)
    for y in (-0.05, 0.2, 0.5, 0.83):
        density = np.exp(inverse_sine_log_prob(np.full((len(grid), 1), y), grid, noise))
        assert np.trapezoid(density, grid) == pytest.approx(1, abs=2e-3 if noise == "uniform" else 1e-6)
    X, t = inverse_sine(50_000, noise, random_state=0)
    log_p = inverse_sine_log_prob(X, t, noise)
    assert abs(-log_p.mean() - inverse_sine_optimum(noise)) < 4 * log_p.std() / np.sqrt(len(t))
    assert inverse_sine_log_prob(np.zeros((2, 1)), np.array([-0.1, 1.1]), noise).tolist() == [-np.inf, -np.inf]


def test_unknown_noise():
    with pytest.raises(ValueError, match="noise must be"):
        inverse_sine(3, "salt")  # pyright: ignore[reportArgumentType]
