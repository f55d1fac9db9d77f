"""Errors of posteriors by hand, and where there is nothing to compare with."""

import itertools

import numpy as np
import pytest

from mixtura.experiments.applications.posteriors import posterior_errors

RNG = np.random.default_rng(0)


def _kernel(a: np.ndarray, b: np.ndarray) -> float:
    return sum(1 / (1 + ((a - b) ** 2).sum() / h**2) for h in (0.05, 0.2, 0.9))


def _squared_discrepancy(a: np.ndarray, b: np.ndarray) -> float:
    own = [np.mean([_kernel(p, q) for p, q in itertools.permutations(x, 2)]) for x in (a, b)]
    return float(sum(own) - 2 * np.mean([_kernel(p, q) for p in a for q in b]))


def _sum(x: np.ndarray) -> np.ndarray:
    return np.where(x.sum(-1, keepdims=True) > 9, np.nan, x.sum(-1, keepdims=True))


def test_errors_by_hand() -> None:
    samples = [RNG.normal(size=(5, 3)) / 4, RNG.normal(size=(6, 3)), RNG.normal(size=(4, 3))]
    exact = [RNG.normal(size=(7, 3)) / 4, RNG.normal(size=(3, 3)), RNG.normal(size=(1, 3))]
    samples[1][2] = 10.0  # leads nowhere
    y = np.array([[0.3], [-0.2], [0.0]])
    found = posterior_errors(samples, exact, _sum, y)
    wanted = [_squared_discrepancy(a, b) for a, b in zip(samples[:2], exact[:2], strict=True)]
    assert found.observations == 2
    assert found.posterior == pytest.approx(sum(wanted) / 2)
    assert found.standard_error == pytest.approx(abs(wanted[0] - wanted[1]) / 2 / 2**0.5)
    misses = [np.mean((samples[0].sum(1) - 0.3) ** 2), np.mean((np.delete(samples[1], 2, 0).sum(1) + 0.2) ** 2)]
    assert found.resimulation == pytest.approx(sum(misses) / 2)


def test_exact_samples_have_no_error_beyond_chance() -> None:
    a, b = RNG.normal(size=(2, 40, 100, 3))
    found = posterior_errors(list(a), list(b), _sum, np.zeros((40, 1)))
    assert abs(found.posterior) < 4 * found.standard_error
    moved = posterior_errors(list(a + 0.5), list(b), _sum, np.zeros((40, 1)))
    assert moved.posterior > 20 * found.standard_error
