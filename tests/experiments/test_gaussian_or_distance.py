"""What a matrix of squared distances can see, against the matrix itself and against what differs beyond it."""

import json

import pytest
import torch
from torch import Tensor

from mixtura.experiments.distances import (
    Points,
    blind_pairs,
    blind_table,
    distance_norm,
    rank_table,
    squared_distances,
)
from mixtura.experiments.gaussian_or_distance import gaussian_or_distance
from mixtura.experiments.record import Options


def _points(n: int, d: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g, dtype=torch.float64) + 1, torch.rand(n, generator=g).double().softmax(0)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_norm_of_distances_follows_from_four_moments(d: int) -> None:
    p, q = _points(30, d, 0), _points(40, d, 1)
    D = torch.cdist(p[0], q[0]).square()
    torch.testing.assert_close(squared_distances(p[0], q[0]), D)
    weighted = D * (p[1][:, None] * q[1]).sqrt()
    assert torch.linalg.matrix_rank(weighted, rtol=1e-10) == d + 2
    truth = torch.linalg.matrix_norm(weighted, "nuc").item()
    assert distance_norm(p, q) == pytest.approx(truth, rel=1e-10)
    assert _distance_norm_of_moments(p, q) == pytest.approx(truth, rel=1e-7)


def test_blind_pairs_have_equal_means_and_covariances_but_are_different() -> None:
    for (x, w), (y, u) in blind_pairs().values():
        assert w.sum().item() == pytest.approx(1)
        assert u.sum().item() == pytest.approx(1)
        torch.testing.assert_close(w @ x, u @ y, atol=1e-12, rtol=0)
        torch.testing.assert_close(x.mT @ (w[:, None] * x), y.mT @ (u[:, None] * y), atol=1e-12, rtol=0)
    rows = blind_table().rows
    distances, gaussian = ([float(r[k] or 0) for r in rows] for k in (1, 2))
    assert max(distances[:2]) < 1e-9 < distances[2]  # the third differs in the fourth moments
    assert min(gaussian) > 1e-2


def test_ranks_of_both_matrices() -> None:
    x = torch.rand(60, 12, generator=torch.Generator().manual_seed(0))
    table, spectra = rank_table(x, 0.5, seed=0)
    for _, most, rank_D, effective_D, rank_C, effective_C in table.rows:
        assert float(effective_D or 0) <= float(rank_D or 0) == float(most or 0)  # d + 2 exactly for points in general
        assert float(effective_D or 0) < float(effective_C or 0) <= float(rank_C or 0)
    assert all(len(line) == len(c.x) and line[0] == 1 for c in spectra for line in c.lines.values())


def test_quick_run_on_the_small_digits() -> None:
    said: list[str] = []
    record = gaussian_or_distance(Options(quick=True, say=said.append))
    assert "scikit-learn" in said[0]
    assert "8 x 8" in record.settings["images"]
    json.dumps(record.to_json(), allow_nan=False)
    table = record.tables[0]
    assert [r[0] for r in table.rows[-2:]] == ["noise with their moments", "real images"]
    frechet = {r[0]: float(r[1] or 0) for r in table.rows}
    assert frechet["real images"] < min(v for k, v in frechet.items() if k != "real images")
    divergence = record.tables[1].rows
    assert abs(float(divergence[0][1] or 0)) < 4 * float(
        divergence[0][2] or 0
    )  # other real images: zero in expectation


def _distance_norm_of_moments(p: Points, q: Points) -> float:
    """Return the norm from moments alone, ``‖M_p^½ J M_q^½‖_*`` with ``M = E f fᵀ`` of ``f(x) = (‖x‖², 1, x)``.

    ``‖x - y‖² = f(x)ᵀ J f(y)``, so a matrix of squared distances has rank d + 2 at most, and its singular values see of
    p and q their means, covariances, ``E ‖x‖² x`` and ``E ‖x‖⁴``, and nothing else.
    """
    d = p[0].shape[1]
    J = torch.zeros(d + 2, d + 2, dtype=p[0].dtype)
    J[0, 1] = J[1, 0] = 1
    J[2:, 2:] = -2 * torch.eye(d)

    def factor(points: Points) -> Tensor:
        x, w = points
        f = torch.cat([x.square().sum(-1, keepdim=True), torch.ones_like(x[:, :1]), x], -1)
        values, vectors = torch.linalg.eigh(f.mT @ (w[:, None] * f))
        return vectors * values.clamp_min(0).sqrt()

    return torch.linalg.svdvals(factor(p).mT @ J @ factor(q)).sum().item()
