"""The experiment on the bound: its order, its numbers and its record, on small networks."""

import importlib
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mixtura.experiments import EXPERIMENTS, Curves, Options

TRACKING = importlib.import_module("mixtura.experiments.bound_tracking")


def _fake(centers: int, seed: int, ratio: float) -> Any:
    coded = SimpleNamespace(history=[SimpleNamespace(ratio=ratio / 2)], seconds=2.0, looking=0.5)
    return TRACKING._Run("moons", 1, centers, seed, ratio, 0.0, 0.0, 0.0, coded)


def test_order_is_counted_by_seed_and_leaves_two_centers_out() -> None:
    good = [_fake(K, 0, r) for K, r in ((1, 0.5), (2, 0.99), (5, 0.7), (10, 0.8), (30, 0.9))]
    bad = [_fake(K, 1, r) for K, r in ((1, 0.5), (5, 0.7), (10, 0.7), (30, 0.9))]
    assert TRACKING._ordered(good, "moons", 1) == (1, 1)
    assert TRACKING._ordered([*good, *bad], "moons", 1) == (1, 2)
    assert good[1].largest == 0.99
    assert replace(good[0], ratio=0.1).largest == 0.25
    assert good[0].share == 0.25


def test_quick_run_watches_a_bound_that_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TRACKING, "_ROWS", 150)
    monkeypatch.setattr(TRACKING, "_QUICK", 30)
    lines: list[str] = []
    record = EXPERIMENTS["bound-tracking"](Options(seeds=(0, 1), quick=True, say=lines.append))
    json.dumps(record.to_json(), allow_nan=False)
    ratios, elbos, everything = record.tables
    assert len(everything.rows) == 2 * 2 * 2
    assert len(lines) == 1 + 2 * 2
    for row in everything.rows:
        ratio, log_value, log_bound = (float(c or 0) for c in row[4:7])
        assert 0 < ratio <= 1
        assert ratio == pytest.approx(torch.tensor(log_value - log_bound).exp().item(), rel=1e-5)
    for row in ratios.rows:
        own = [[float(r[4] or 0) for r in everything.rows if (r[0], r[2]) == (row[0], K)] for K in ("1", "10")]
        assert row[2:4] == pytest.approx([sum(o) / 2 for o in own])
        assert row[4] == f"{sum(a < b for a, b in zip(*own, strict=True))} of 2"
    moons = next(r for r in ratios.rows if r[0] == "moons")
    assert float(moons[3] or 0) > 1.2 * float(moons[2] or 0)  # ten centers against one
    assert all(float(r[2] or 0) < float(r[3] or 0) for r in elbos.rows)
    assert "never above 1: yes" in record.findings[2]
    panel = record.pictures[0].panels[0]
    assert isinstance(panel, Curves)
    assert panel.x[-1] == 1
    assert min(min(line) for line in panel.lines.values()) > 0
    assert panel.lines["10 centers"][-1] < panel.lines["1 center"][-1]
