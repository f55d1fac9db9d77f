"""Who is who: the polar factor of a permuted copy, against dense algebra; centers that become the data."""

import importlib
import json

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy.spatial.distance import cdist

from mixtura.experiments import EXPERIMENTS, Options
from tests.helpers import global_state

IDENTITY = importlib.import_module("mixtura.experiments.identity")
NUCLEAR, MATRIX, VECTOR, SCALAR, TRACE = range(IDENTITY._FIRST_GAP, IDENTITY._FIRST_GAP + 5)


def test_recovery_by_hand() -> None:
    A = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.3, 0.4], [0.0, 0.8, 0.1]])
    found = IDENTITY.recover(A, torch.tensor([0, 2, 0]))
    assert found.matches == pytest.approx(2 / 3)
    assert found.entry == pytest.approx((0.9 + 0.4 + 0.0) / 3)


@pytest.mark.parametrize("v", [1e-8, 1e-4, 0.01, 0.1])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_polar_factor_of_a_permuted_copy_is_the_permutation(v: float, seed: int) -> None:
    numbers, factor = IDENTITY._copies(seed, 0.0, v)
    torch.testing.assert_close(factor, torch.eye(len(factor)).double(), atol=1e-6, rtol=0)
    assert numbers[0] == 1
    assert numbers[1] == pytest.approx(1, abs=1e-6)
    assert max(numbers[k] for k in (NUCLEAR, MATRIX, VECTOR, SCALAR)) < 1e-6
    assert numbers[TRACE] > 0.5  # another order is another pairing


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_all_numbers_against_dense_algebra(noise: float) -> None:
    v, seed = 0.003, 3
    numbers, factor = IDENTITY._copies(seed, noise, v)
    g = torch.Generator().manual_seed(seed)
    x = IDENTITY._points(seed)
    shuffle = torch.randperm(len(x), generator=g)
    y = (x + noise * torch.randn(x.shape, generator=g, dtype=x.dtype))[shuffle].numpy()
    order = np.argsort(shuffle.numpy())
    P, C, G = (np.exp(-(cdist(a, b) ** 2) / (4 * v)) for a, b in ((x, x), (x, y), (y, y)))
    polar, _ = scipy.linalg.polar(C)
    np.testing.assert_allclose(factor.numpy(), polar[:, order], atol=1e-7)
    N = len(x)
    rows, A = np.arange(N), C @ np.linalg.inv(G)
    h = C.mean(0)
    expected = [
        (polar.argmax(1) == order).mean(),
        polar[rows, order].mean(),
        (A.argmax(1) == order).mean(),
        A[rows, order].mean(),
        (cdist(x, y).argmin(1) == order).mean(),
        1 - np.linalg.norm(C, "nuc") / N,
        1 - np.trace(A @ C.T) / N,
        1 - h @ np.linalg.solve(G, h) / P.mean(),
        1 - C.mean() ** 2 / (G.mean() * P.mean()),
        1 - np.trace(C) / N,
    ]
    np.testing.assert_allclose(numbers, expected, atol=1e-7)


def test_noise_hides_who_is_who() -> None:
    entries = [IDENTITY._copies(0, noise, 0.003)[0][1] for noise in (0.0, 0.01, 0.03, 0.1)]
    assert entries == sorted(entries, reverse=True)
    assert entries[-1] < 0.6


def test_centers_leave_the_clump_for_the_data() -> None:
    before = global_state()
    start, _ = IDENTITY._train("nuclear_norm", 0.01, 1, 0)
    end, centers = IDENTITY._train("nuclear_norm", 0.01, 200, 0)
    assert end[0] < 0.25 * start[0]
    assert end[1] > 0.7
    assert end[2] < 0.01 < start[2]
    assert centers.shape == (IDENTITY._N, 2)
    assert global_state() == before


def test_the_record_says_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"_STEPS": 5, "_VARIANCES": (0.001, 0.03), "_TARGETS": (0.01,)}.items():
        monkeypatch.setattr(IDENTITY, name, value)
    record = EXPERIMENTS["identity"](Options(seeds=(0, 1), say=lambda line: None))
    found = json.loads(json.dumps(record.to_json(), allow_nan=False))
    assert [len(t["rows"]) for t in found["tables"]] == [8, 8, 6]
    assert "at 2 of 2 variances, up to 0.03;" in record.findings[0]
    trained = {r[0]: r[2] for r in record.tables[2].rows}
    assert f"nuclear_norm {trained['nuclear_norm']:.2g}" in record.findings[-1]
