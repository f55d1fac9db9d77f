"""Two moons: the simulator's moments, and its exact posterior against rejection and quadrature."""

import numpy as np
import pytest
from scipy.stats import kstest, norm

from mixtura.datasets import inverse_two_moons, rejection_posterior, two_moons, two_moons_log_prob, two_moons_posterior

X = np.array([-0.3, 0.2])


def _log_posterior(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Up to a constant, by the density of the crescent in polar coordinates around its own center."""
    s, d = (theta[..., 0] + theta[..., 1]) / np.sqrt(2), (theta[..., 1] - theta[..., 0]) / np.sqrt(2)
    p = x - np.stack([-np.abs(s), d], -1) - [0.25, 0]
    r = np.hypot(*np.moveaxis(p, -1, 0))
    with np.errstate(divide="ignore"):
        inside = np.log((p[..., 0] >= 0) & (np.abs(theta) <= 1).all(-1))
    return norm.logpdf(r, 0.1, 0.01) - np.log(r) + inside


def test_simulation_is_the_crescent_moved_by_the_parameters() -> None:
    theta = np.tile([0.4, -0.7], (200_000, 1))
    x = two_moons(theta, random_state=0)
    p = x - [-0.3 / np.sqrt(2), -1.1 / np.sqrt(2)] - [0.25, 0]
    r, a = np.hypot(*p.T), np.arctan2(p[:, 1], p[:, 0])
    assert kstest(r[:20_000], norm(0.1, 0.01).cdf).pvalue > 1e-3
    assert kstest(a[:20_000], "uniform", args=(-np.pi / 2, np.pi)).pvalue > 1e-3
    assert abs(np.corrcoef(r, a)[0, 1]) < 4 / np.sqrt(len(r))
    again, drawn = inverse_two_moons(1000, random_state=3)
    assert again.shape == drawn.shape
    assert (again == inverse_two_moons(1000, random_state=3)[0]).all()
    s = np.abs(drawn.sum(1)) / np.sqrt(2)
    d = (drawn[:, 1] - drawn[:, 0]) / np.sqrt(2)
    np.testing.assert_allclose(np.hypot(again[:, 0] + s - 0.25, again[:, 1] - d), 0.1, atol=0.06)


@pytest.mark.parametrize("x", [X, np.array([0.3, 0.0]), np.array([-1.0, 0.1])])
def test_posterior_is_that_of_the_grid(x: np.ndarray) -> None:
    """Also where a part of a moon is cut off, by the simulator or by the prior."""
    theta = two_moons_posterior(x, 50_000, random_state=1)
    grid = (np.arange(1_000) + 0.5) / 500 - 1
    cells = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1)
    log_p = _log_posterior(cells, x)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    for f in (
        lambda t: t[..., 0],
        lambda t: t[..., 1],
        lambda t: t[..., 0] * t[..., 1],
        lambda t: np.abs(t.sum(-1)),
        lambda t: np.cos(20 * t[..., 0]),
        lambda t: np.sin(15 * t[..., 0] - 30 * t[..., 1]),
    ):
        wanted, drawn = (p * f(cells)).sum(), f(theta)
        assert abs(drawn.mean() - wanted) < 4.5 * drawn.std() / np.sqrt(len(drawn)) + 1e-4
    assert np.isfinite(_log_posterior(theta, x)).all()
    density = np.exp(two_moons_log_prob(x, cells)) * (cells[1, 0, 0] - cells[0, 0, 0]) ** 2
    assert density.sum() == pytest.approx(1, abs=0.01)  # where the moons end, cells are partly inside
    np.testing.assert_allclose(density / density.sum(), p, rtol=1e-6, atol=1e-15)


def test_posterior_is_that_of_simulations_nearby() -> None:
    [near] = rejection_posterior(
        lambda n, rng: rng.uniform(-1, 1, (n, 2)), lambda t: two_moons(t, 5), [X], 1_000, 0.01, 0, 2**21
    )
    exact = two_moons_posterior(X, len(near), random_state=0)
    assert len(near) > 200
    for f in (lambda t: t[:, 0], lambda t: t[:, 0] + t[:, 1], lambda t: t[:, 1] - t[:, 0]):
        a, b = f(near), f(exact)
        assert abs(a.mean() - b.mean()) < 4.5 * np.sqrt((a.var() + b.var()) / len(a))


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="two parameters"):
        two_moons([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="one finite observation"):
        two_moons_posterior([[0.0, 0.0]], 10)
    with pytest.raises(ValueError, match="one finite observation"):
        two_moons_posterior([np.nan, 0.0], 10)
    with pytest.raises(ValueError, match="hardly ever"):
        two_moons_posterior([3.0, 3.0], 10)
