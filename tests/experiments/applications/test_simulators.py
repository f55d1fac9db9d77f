"""The experiment on two moons: its samples, its classifier and a quick run."""

import importlib
import json

import numpy as np
import pytest
from scipy.stats import norm

from mixtura.experiments import EXPERIMENTS, Options, Scatter

SIMULATORS = importlib.import_module("mixtura.experiments.applications.simulators")


def test_a_perfect_classifier_of_two_normals_knows_their_overlap() -> None:
    x = np.random.default_rng(0).standard_normal(100_000)
    found = SIMULATORS.perfect_accuracy(norm.logpdf(x), norm.logpdf(x, 0.6))
    assert found == pytest.approx(norm.cdf(0.3), abs=0.003)


def test_quick_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SIMULATORS, "_QUICK", (300, 2, 50))
    record = EXPERIMENTS["simulation-based-inference"](Options(quick=True, say=lambda line: None))
    json.dumps(record.to_json(), allow_nan=False)
    learnt, exact = ([float(c or 0) for c in r[1:5]] for r in record.tables[0].rows)
    assert abs(exact[0] - 0.5) < 5 * 0.5 / (2 * 100) ** 0.5
    assert learnt[3] > 0.7  # 300 simulations and two epochs teach little
    assert abs(learnt[0] - learnt[3]) < 0.3
    assert exact[1] <= exact[0] <= exact[2]
    assert f"{learnt[0]:.3f}" in record.findings[0]
    panel = record.pictures[0].panels[0]
    assert isinstance(panel, Scatter)
    assert panel.points.shape == (50, 2)
