"""Exact densities against their definition, and their samples against themselves."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from mixtura.datasets.densities import draw, grid, ring, separated_gaussians
from tests.helpers import global_state


def test_the_ring_is_eight_gaussians_on_a_circle() -> None:
    x = np.array([[2.5, 0.01], [1.7678, 1.76], [2.49, 0.0]])
    angles = np.arange(8) * np.pi / 4
    modes = 2.5 * np.stack([np.cos(angles), np.sin(angles)], -1)
    density = np.mean([stats.multivariate_normal(m, 1e-4 * np.eye(2)).pdf(x) for m in modes], axis=0)
    assert ring().log_prob(torch.tensor(x).float()).numpy() == pytest.approx(np.log(density), abs=2e-3)


def test_the_grid_has_the_modes_of_the_literature() -> None:
    modes = {(a, b) for a in range(-4, 5, 2) for b in range(-4, 5, 2)}
    assert {tuple(m) for m in grid().loc.tolist()} == modes
    at_a_mode = math.log(1 / 25 / (2 * math.pi * 0.0025))
    assert grid().log_prob(torch.tensor([2.0, -4.0])).item() == pytest.approx(at_a_mode, rel=1e-4)


@pytest.mark.parametrize(("K", "D"), [(1, 1), (2, 1), (7, 2), (10, 3), (5, 784), (40, 100)])
def test_separated_gaussians_are_as_far_apart_as_asked(K: int, D: int) -> None:
    loc = separated_gaussians(K, D, separation=6.0).loc
    assert loc.shape == (K, D)
    assert loc.mean(0).abs().max() < 1e-5
    if K > 1:
        assert torch.pdist(loc).min().item() == pytest.approx(6.0)


def test_draws_follow_the_density_repeat_and_leave_the_seed_alone() -> None:
    before = global_state()
    x = draw(ring(), 20_000, seed=3)
    assert torch.equal(x, draw(ring(), 20_000, seed=3))
    assert not torch.equal(x, draw(ring(), 20_000, seed=4))
    assert global_state() == before
    log_p = ring().log_prob(x).double()
    entropy = math.log(8) + 1 + math.log(2 * math.pi * 1e-4)  # the modes do not overlap
    assert abs(-log_p.mean().item() - entropy) < 5 * log_p.std().item() / math.sqrt(len(x))


def test_bad_inputs_are_named() -> None:
    for make in (lambda: ring(0), lambda: grid(0), lambda: separated_gaussians(2, 0)):
        with pytest.raises(ValueError, match="at least one"):
            make()
    with pytest.raises(ValueError, match="scale"):
        ring(scale=0.0)
