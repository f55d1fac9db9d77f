"""The sweep over variances: its scores on sets that are known to be good or bad, and its record."""

import importlib
import json

import pytest
import torch

from mixtura.experiments import EXPERIMENTS, Options
from tests.helpers import global_state

SWEEP = importlib.import_module("mixtura.experiments.variance_sweep")


@pytest.mark.parametrize("name", ["moons", "Gaussians"])
def test_fresh_samples_score_well_and_one_point_badly(name: str) -> None:
    fresh = SWEEP._score(name, 0, SWEEP._data(name, 5)[0], 1.0)
    assert fresh.least > 0.95
    assert fresh.mmd < 0.05
    assert fresh.distances < 0.05
    x, labels = SWEEP._data(name, 0)
    alone = SWEEP._score(name, 0, x[labels == 0], 1.0)
    assert alone.precision > 0.95
    assert alone.recall < 0.6
    assert alone.mmd > 5 * fresh.mmd
    assert alone.purity < (0.95 if name == "moons" else 0.6)
    if name == "Gaussians":
        assert fresh.purity == 1


def test_the_classes_of_gaussians_are_their_modes() -> None:
    x, labels = SWEEP._data("Gaussians", 0)
    means = torch.stack([x[labels == k].mean(0) for k in range(4)])
    torch.testing.assert_close(means.abs(), torch.full((4, 2), 0.5).double(), atol=0.03, rtol=0)
    assert max(x[labels == k].std(0).max().item() for k in range(4)) < 0.13


def test_the_record_says_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"_ROWS": 80, "_BATCH": 40, "_STEPS": 8, "_VARIANCES": (0.01, 10.0), "_COSTS": ("nuclear_norm", "scalar")}
    for name, value in sizes.items():
        monkeypatch.setattr(SWEEP, name, value)
    before, lines = global_state(), list[str]()
    record = EXPERIMENTS["variance-sweep"](Options(seeds=(0, 1), say=lines.append))
    assert global_state() == before
    assert json.loads(json.dumps(record.to_json(), allow_nan=False))["settings"]["steps"] == 8
    rows = [r for r in record.tables[1].rows if r[3] is not None]
    assert len(rows) == len(record.tables[1].rows) - 2 == 2 * 2 * 2 * 2
    assert len(lines) == 2 * 2 * (2 + 1)  # beyond the schedule's start both are one run
    by_key = {tuple(r[:4]): r[4:] for r in rows}
    for data in ("moons", "Gaussians"):
        for cost in SWEEP._COSTS:
            assert by_key[data, cost, "annealed", 10.0] == by_key[data, cost, "fixed", 10.0]  # the same run
            assert by_key[data, cost, "annealed", 0.01] != by_key[data, cost, "fixed", 0.01]
    asked = [by_key[data, "nuclear_norm", "annealed", 0.01] for data in ("moons", "Gaussians")]
    assert f"lowest precision is {min(float(r[0]) for r in asked):.3f}" in record.findings[0]  # pyright: ignore[reportArgumentType]
    assert f"recall {min(float(r[1]) for r in asked):.3f}" in record.findings[0]  # pyright: ignore[reportArgumentType]


def test_a_step_with_a_small_variance_sees_only_its_diagonal() -> None:
    x, _ = SWEEP._data("moons", 0)
    assert SWEEP._rank(x, 1e-9) == pytest.approx(1)
    assert SWEEP._rank(x, 1e6) == pytest.approx(1 / 128, rel=1e-3)
    assert 0.1 < SWEEP._rank(x, 0.01) < 0.5


def test_the_gap_tells_true_samples_from_others_until_the_variance_hides_them() -> None:
    x, others = SWEEP._data("moons", 0)[0], SWEEP._data("moons", 1)[0]
    (true, error), (shrunk, _) = SWEEP._gap(x, others, 0.01), SWEEP._gap(x, 0.7 * others, 0.01)
    assert 0 < error < true < shrunk - 5 * error
    assert max(SWEEP._gap(x, others, 1e4)[0], SWEEP._gap(x, 0.7 * others, 1e4)[0]) < 1e-3
