"""The experiment on modes, with generators that are known to be perfect or to have collapsed."""

import importlib
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mixtura.experiments import EXPERIMENTS, Options

MODES = importlib.import_module("mixtura.experiments.modes")
SILENT = Options(seeds=(0, 1), quick=True, say=lambda line: None)


class Perfect:
    """Gives back other rows of what it was shown."""

    def __init__(self, *args: Any, **options: Any) -> None:
        pass

    def fit(self, X: NDArray[Any]) -> "Perfect":
        self.X = X
        return self

    def centers(self, n: int) -> NDArray[Any]:
        return self.X[-n:]


class Collapsed(Perfect):
    """Gives back the point that it saw first."""

    def centers(self, n: int) -> NDArray[Any]:
        return np.repeat(self.X[:1], n, 0)


def test_perfect_centers_capture_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODES, "MixtureDensityEstimator", Perfect)
    record = EXPERIMENTS["modes"](SILENT)
    json.dumps(record.to_json(), allow_nan=False)
    rows = record.tables[0].rows
    assert [r[3] for r in rows] == ["8/8", "8/8", "25/25", "25/25"]
    for row in rows:
        assert row[4] == pytest.approx(0.989, abs=0.01)
    assert "4 of 4 runs" in record.findings[0]


def test_collapsed_centers_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODES, "MixtureDensityEstimator", Collapsed)
    record = EXPERIMENTS["modes"](SILENT)
    assert {r[3] for r in record.tables[0].rows} <= {"1/8", "1/25", "0/8", "0/25"}
    assert "0 of 4 runs" in record.findings[0]
