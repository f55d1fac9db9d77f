"""The rooms, and the bonuses against dense algebra in numpy."""

import importlib

import numpy as np
import pytest
import torch
from scipy.ndimage import label
from scipy.spatial.distance import cdist

from mixtura.costs import matrix_matrix, vector_matrix
from mixtura.distributions import GaussianMixture
from mixtura.experiments.applications.rooms import BONUSES, FREE, cell_centers, coverage, explore, move, outside_span
from tests.helpers import global_state

ROOMS = importlib.import_module("mixtura.experiments.applications.rooms")
V = 0.3


def states(n: int, seed: int = 0) -> np.ndarray:
    """Return states in free cells."""
    rng = np.random.default_rng(seed)
    return rng.choice(cell_centers(), n) + rng.uniform(-0.5, 0.5, (n, 2))


def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.exp(-(cdist(a, b) ** 2) / (4 * V))


def test_all_rooms_can_be_reached() -> None:
    assert FREE.shape == (19, 19)
    assert label(FREE)[1] == 1
    assert not FREE[[0, -1]].any()
    assert not FREE[:, [0, -1]].any()
    assert len(cell_centers()) == FREE.sum() == 9 * 25 + 12


def test_walls_stop_a_step() -> None:
    rng = np.random.default_rng(0)
    before, step = states(500), 0.35 * rng.uniform(-1, 1, (500, 2))
    after = move(before, step)
    moved = (after != before).any(1)
    np.testing.assert_array_equal(after[moved], (before + step)[moved])
    inside = FREE[tuple((before + step).astype(int).T)]
    np.testing.assert_array_equal(moved, inside)
    np.testing.assert_array_equal(move(np.array([1.2, 1.2]), np.array([-0.5, 0.0])), [1.2, 1.2])


def test_coverage_counts_cells() -> None:
    visited = states(300)
    cells = [tuple(c) for c in visited.astype(int).tolist()]
    expected = [len(set(cells[: k + 1])) / FREE.sum() for k in range(300)]
    np.testing.assert_allclose(coverage(visited), expected)


def test_the_bonus_is_the_schur_complement_of_a_state() -> None:
    memory, new = states(40), states(30, 1)
    G, h = kernel(memory, memory), kernel(new, memory)
    exact = 1 - (h * np.linalg.lstsq(G, h.T, rcond=1e-13)[0].T).sum(1)
    found = ROOMS._outside(torch.as_tensor(new).unsqueeze(1), torch.as_tensor(memory), V).numpy()
    np.testing.assert_allclose(found, exact, atol=1e-6)
    bump, seen = (GaussianMixture.from_samples(torch.as_tensor(s), V) for s in (new[:1], memory))
    assert vector_matrix(bump, seen).gap.item() == pytest.approx(matrix_matrix(bump, seen).gap.item(), abs=1e-9)
    nearest = ROOMS._nearest(torch.as_tensor(new).unsqueeze(1), torch.as_tensor(memory), V).numpy()
    np.testing.assert_allclose(nearest, 1 - kernel(new, memory).max(1) ** 2, atol=1e-9)
    assert (found <= nearest + 1e-9).all()  # a span of all of them explains more than one of them
    path = ROOMS._outside(torch.as_tensor(new).reshape(5, 6, 2), torch.as_tensor(memory), V).numpy()
    np.testing.assert_allclose(path, found.reshape(5, 6).mean(1), atol=1e-9)


def test_the_bonuses_of_a_walk_multiply_to_the_determinant() -> None:
    """``det K = Π_t (1 - k_tᵀ K_t⁻¹ k_t)``: what is collected is the log-determinant of the visited states."""
    walk = torch.as_tensor(cell_centers()[::7])
    bonus = [ROOMS._outside(walk[t : t + 1].unsqueeze(0), walk[:t], V).item() for t in range(1, len(walk))]
    assert np.log(bonus).sum() == pytest.approx(np.linalg.slogdet(kernel(walk.numpy(), walk.numpy()))[1], abs=1e-6)


def test_counts() -> None:
    memory, paths = torch.as_tensor(states(50)), torch.as_tensor(states(12, 1)).reshape(3, 4, 2)
    density = 1 / np.sqrt(1 + kernel(paths.reshape(-1, 2).numpy(), memory.numpy()).sum(1)).reshape(3, 4)
    np.testing.assert_allclose(ROOMS._kernel_count(paths, memory, V), density.mean(1), rtol=1e-9)
    visits = [[(memory.long() == s.long()).all(1).sum().item() for s in path] for path in paths]
    np.testing.assert_allclose(ROOMS._cell_count(paths, memory, V), (1 / np.sqrt(1 + np.array(visits))).mean(1))


def test_what_was_visited_is_worth_nothing_and_what_is_far_all() -> None:
    memory = torch.as_tensor(states(60)[:, :2])
    assert ROOMS._outside(memory.unsqueeze(1), memory, V).max() < 1e-6
    assert ROOMS._outside(torch.full((1, 1, 2), 99.0).double(), memory, V).item() == pytest.approx(1)


def test_what_is_outside_the_span_of_visited_states() -> None:
    visited = np.repeat(cell_centers()[::3], 2, 0)
    G, C = kernel(visited[::2], visited[::2]), kernel(cell_centers(), visited[::2])
    exact = 1 - np.trace(C @ np.linalg.solve(G, C.T)) / len(C)
    assert outside_span(visited, V) == pytest.approx(exact, abs=1e-6)
    assert outside_span(cell_centers(), V) < 1e-6


def test_an_agent_walks_and_remembers_what_spans_its_way() -> None:
    before = global_state()
    visited, memory = explore(BONUSES["matrix cost"], 80, 0)
    again, _ = explore(BONUSES["matrix cost"], 80, 0)
    np.testing.assert_array_equal(visited, again)
    assert global_state() == before
    assert visited.shape == (81, 2)
    assert FREE[tuple(visited.astype(int).T)].all()
    length = np.linalg.norm(np.diff(visited, axis=0), axis=1)
    assert np.all((np.abs(length - 0.5) < 1e-9) | (length == 0))
    assert len(memory) <= 81
    left = ROOMS._outside(torch.as_tensor(visited).unsqueeze(1), torch.as_tensor(memory), 0.25)
    assert left.max() <= ROOMS.KNOWN + 1e-6
    for name in ("random steps", "random plans"):
        assert coverage(explore(BONUSES[name], 80, 0)[0])[-1] < coverage(visited)[-1]
