"""The expected debiased divergence against enumeration by hand, quadrature-free limits and the cost itself."""

import json
import math
from itertools import product

import pytest
import torch

from mixtura.costs import nuclear_norm
from mixtura.distributions import GaussianMixture
from mixtura.experiments.debiasing import debiasing
from mixtura.experiments.divergence import (
    expected_divergence,
    find_negative,
    monte_carlo_table,
    pairs_divergence,
    turned_squares,
)
from mixtura.experiments.record import Options


def _case(K: int, d: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    x, p, q = (torch.randn(K, m, generator=g, dtype=torch.float64) for m in (d, 1, 1))
    return x, p.squeeze(-1).softmax(0), q.squeeze(-1).softmax(0)


def _by_hand(x: torch.Tensor, p: torch.Tensor, q: torch.Tensor, n: int, v: float) -> float:
    """Every ordered sample of one, every ordered sample of the other."""
    total = 0.0
    for signs, a, b in ((1, p, p), (1, q, q), (-2, p, q)):
        for i in product(range(len(x)), repeat=n):
            for j in product(range(len(x)), repeat=n):
                C = torch.exp(-torch.cdist(x[list(i)], x[list(j)]).square() / (4 * v)) / n
                total += signs * (a[list(i)].prod() * b[list(j)].prod() * torch.linalg.svdvals(C).sum()).item()
    return total


@pytest.mark.parametrize(("K", "d", "n"), [(3, 1, 1), (3, 2, 2), (2, 2, 3)])
def test_expectation_is_the_sum_over_all_ordered_samples(K: int, d: int, n: int) -> None:
    x, p, q = _case(K, d, K + n)
    truth = _by_hand(x, p, q, n, 0.7)
    assert expected_divergence((x, p), (x, q), n, 0.7) == pytest.approx(truth, abs=1e-12)
    if n == 2:
        assert pairs_divergence(x, p, q, 0.7).item() == pytest.approx(truth, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_it_is_exactly_zero_at_q_equal_p(n: int) -> None:
    x, p, _ = _case(4, 2, 0)
    assert expected_divergence((x, p), (x, p), n, 0.5) == 0
    assert pairs_divergence(x, p, p, 0.5).item() == 0


def test_of_single_atoms_it_is_the_squared_mmd() -> None:
    x, p, q = _case(5, 3, 1)
    kernel = torch.exp(-torch.cdist(x, x).square() / 2)
    assert expected_divergence((x, p), (x, q), 1, 0.5) == pytest.approx(((p - q) @ kernel @ (p - q)).item(), abs=1e-12)


def test_turned_squares_are_a_counterexample_by_hand() -> None:
    (x, _), (y, _) = turned_squares(0.7)
    both, w = torch.cat([x, y]), torch.full((8,), 0.25, dtype=torch.float64)
    p, q = w * (torch.arange(8) < 4), w * (torch.arange(8) >= 4)
    value = _by_hand(both, p, q, 2, 1.0)
    assert -1e-3 < value < -5e-4
    assert expected_divergence(*turned_squares(0.7), 2, 1.0) == pytest.approx(value, abs=1e-12)
    assert expected_divergence(*turned_squares(0.7), 4, 1.0) > 0


def test_search_finds_what_enumeration_confirms() -> None:
    p, q, least = find_negative(5, 2, steps=150, seed=0)
    assert least < -1e-5
    assert expected_divergence(p, q, 2, 1.0) == pytest.approx(least, abs=1e-12)


def test_the_cost_has_this_expectation() -> None:
    g = torch.Generator().manual_seed(0)
    x, p, q = _case(4, 2, 3)
    values = []
    for _ in range(200):
        a, b = (
            GaussianMixture.from_samples(x[torch.multinomial(w, 6, replacement=True, generator=g)], 0.5) for w in (p, q)
        )
        values.append(nuclear_norm(a, b, "sampled").divergence.item())
    each = torch.tensor(values)
    assert abs(each.mean().item() - expected_divergence((x, p), (x, q), 3, 0.5)) < 4 * each.std().item() / math.sqrt(
        400
    )


def test_divergences_are_zero_within_their_errors_where_q_is_p() -> None:
    x = torch.randn(2000, 3, generator=torch.Generator().manual_seed(0))
    for row in monte_carlo_table({"normal": x}, batch=32, draws=40, seed=0).rows:
        for k in (4, 6):
            z = float(row[k] or 0) / float(row[k + 1] or 1)
            assert (abs(z) < 4) if row[3] == "the same" else (z > -4)


def test_quick_run_on_the_small_digits() -> None:
    record = debiasing(Options(quick=True, say=lambda _: None))
    text = json.dumps(record.to_json())
    assert "negative in expectation" in text
    training, switch, exact, _ = record.tables
    assert {r[0] for r in training.rows} == {"moons", "grid", "images"}
    assert {r[2] for r in training.rows} == {r[2] for r in switch.rows} == {"plain", "debiased"}
    assert float(exact.rows[0][2] or 0) < 0
