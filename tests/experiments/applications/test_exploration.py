"""The experiment on exploring: its bonus against numpy, and a quick run."""

import importlib
import json

import numpy as np
import pytest

from mixtura.experiments import EXPERIMENTS, Curves, Options, Scatter
from mixtura.experiments.applications.rooms import BONUSES, FREE, cell_centers, coverage, explore

EXPLORATION = importlib.import_module("mixtura.experiments.applications.exploration")


def test_the_bonus_is_that_of_numpy() -> None:
    assert EXPLORATION.largest_difference(cell_centers(), cell_centers()[::2] + 0.1, 0.25) < 1e-7


def test_quick_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EXPLORATION, "_QUICK_STEPS", 40)
    record = EXPERIMENTS["coverage-bonus"](Options(seeds=(0, 1), quick=True, say=lambda line: None))
    json.dumps(record.to_json(), allow_nan=False)
    shares = {str(r[0]): [float(c or 0) for c in r[1:]] for r in record.tables[0].rows}
    assert list(shares) == list(BONUSES)
    walks = [coverage(explore(BONUSES["random steps"], 40, seed)[0])[-1] for seed in (0, 1)]
    assert shares["random steps"][2] == pytest.approx(np.mean(walks))
    assert shares["random steps"][3] == pytest.approx(abs(walks[0] - walks[1]) / 2)
    assert f"led to {shares['matrix cost'][2]:.1%}" in record.findings[0]
    trail, curves = record.pictures[0].panels[-1], record.pictures[1].panels[0]
    assert isinstance(trail, Scatter)
    assert trail.points.shape == (41, 2)
    assert isinstance(curves, Curves)
    assert curves.lines["matrix cost"][-1] == shares["matrix cost"][2]
    assert curves.lines["matrix cost"][0] == pytest.approx(1 / FREE.sum())


def test_bumps_of_other_widths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EXPLORATION, "_WIDTHS", (1.0,))
    known = {name: [0.5, 0.7] for name in EXPLORATION._KERNELS}
    (table,) = EXPLORATION._widths(Options(seeds=(0, 1), say=lambda line: None), 12, known)
    assert [r[0] for r in table.rows] == [0.25, 1.0]
    assert table.rows[0][1:] == pytest.approx([0.6, 0.1] * 3)
    found = [coverage(explore(BONUSES["matrix cost"], 12, seed, 1.0)[0])[-1] for seed in (0, 1)]
    assert table.rows[1][5] == pytest.approx(np.mean(found))
