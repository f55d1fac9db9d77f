"""Samples by rejection against posteriors that are known."""

import numpy as np
import pytest
from scipy import stats

from mixtura.datasets import arm_prior, posteriors, rejection_posterior, robot_arm


def normal(n, rng):
    return rng.standard_normal((n, 1))


def test_samples_of_a_known_posterior(monkeypatch):
    """Given x within 0.5 of y, a standard normal is a truncated one; the window of the rows overlap."""
    monkeypatch.setattr(posteriors, "_CHUNK", 700)
    y = [[0.8], [1.0], [-1.5]]
    samples = rejection_posterior(normal, lambda x: x, y, n=400, tolerance=0.5, random_state=0)
    for x, [center] in zip(samples, y, strict=True):
        assert x.shape == (400, 1)
        truth = stats.truncnorm(center - 0.5, center + 0.5)
        assert stats.kstest(x[:, 0], truth.cdf).pvalue > 1e-3


def test_samples_are_kept_in_the_order_of_the_draws():
    """More hits than are kept: those kept must not be the ones that sorting puts first."""
    [x] = rejection_posterior(normal, lambda x: x, [[0.0]], n=50, tolerance=1.0, random_state=1)
    draws = normal(posteriors._CHUNK, np.random.default_rng(1))[:, 0]
    np.testing.assert_array_equal(x[:, 0], draws[np.abs(draws) <= 1][:50])


def test_the_distance_is_euclidean_and_every_hit_is_found(monkeypatch):
    monkeypatch.setattr(posteriors, "_CHUNK", 5000)
    y = robot_arm(arm_prior(4, random_state=5))
    found = rejection_posterior(
        lambda n, rng: arm_prior(n, random_state=rng), robot_arm, y, n=10**6, tolerance=0.1, random_state=2, draws=5000
    )
    x = arm_prior(5000, random_state=2)
    for rows, target in zip(found, y, strict=True):
        near = np.linalg.norm(robot_arm(x) - target, axis=1) <= 0.1
        np.testing.assert_array_equal(rows, x[near])
    assert sum(map(len, found)) > 50


def test_out_of_reach_and_nan():
    far, near = rejection_posterior(
        lambda n, rng: arm_prior(n, random_state=rng),
        robot_arm,
        [[9.0, 0.0], [1.8, 0.1]],
        n=5,
        random_state=0,
        draws=10**5,
    )
    assert far.shape == (0, 4)
    assert near.shape == (5, 4)
    [x] = rejection_posterior(
        normal, lambda x: np.where(x > 0, x, np.nan), [[0.0]], n=100, tolerance=1.0, random_state=0, draws=1000
    )
    assert (x > 0).all()


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match="one finite observation per row"):
        rejection_posterior(normal, lambda x: x, [1.0], n=3)
    with pytest.raises(ValueError, match="n and tolerance must be positive, got 0"):
        rejection_posterior(normal, lambda x: x, [[1.0]], n=0)
    with pytest.raises(ValueError, match="but y has 2 columns"):
        rejection_posterior(normal, lambda x: x, [[1.0, 2.0]], n=3)
