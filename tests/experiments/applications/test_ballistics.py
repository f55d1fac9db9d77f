"""The experiment on the shot: the model in two steps, and a quick run."""

import importlib
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.experiments import EXPERIMENTS, Options

BALLISTICS = importlib.import_module("mixtura.experiments.applications.ballistics")


def test_the_rest_is_drawn_for_the_speed_that_was_drawn() -> None:
    y = np.array([[5.0], [7.0]])
    speeds = np.array([[14.6, -0.7, 3.2], [20.4, 9.0, 0.1]])
    speed: Any = SimpleNamespace(sample=lambda y, n: speeds[:, :n])

    def predict_dist(X: np.ndarray) -> GaussianMixture:
        """One answer without doubt, and forty light components elsewhere."""
        loc = torch.as_tensor(np.stack([X[:, 0], X[:, 1], X[:, 0] * X[:, 1]], -1))
        logits = torch.tensor([0.64, *[0.009] * 40]).log().double().expand(len(X), 41)
        return GaussianMixture(logits, torch.stack([loc, *[loc + 1e6] * 40], 1), Isotropic(1e-12))

    rest: Any = SimpleNamespace(predict_dist=predict_dist)
    drawn = BALLISTICS.ShotModel(speed, rest).sample(y, 3)
    whole = np.array([[15.0, 0.0, 3.0], [20.0, 9.0, 0.0]])
    np.testing.assert_array_equal(drawn[..., 3], whole)
    np.testing.assert_allclose(drawn[..., 0], y.repeat(3, 1), atol=1e-5)
    np.testing.assert_allclose(drawn[..., 1], whole, atol=1e-5)
    np.testing.assert_allclose(drawn[..., 2], y * whole, atol=1e-5)


def test_rare_rows_weigh_more() -> None:
    """A tenth of the rows in one bin of two: weights as 3 to 1."""
    x = np.repeat([0.0, 1.0], [90, 10])
    weight = BALLISTICS.rarity(x, bins=2)
    np.testing.assert_allclose(weight[-1] / weight[0], 3.0)
    np.testing.assert_allclose(weight.mean(), 1.0)


def test_quick_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BALLISTICS, "_QUICK", (1_000, 60, 60))
    lines: list[str] = []
    record = EXPERIMENTS["inverse-ballistics"](Options(quick=True, say=lines.append))
    json.dumps(record.to_json(), allow_nan=False)
    rows = {str(r[0]): [float(c or 0) for c in r[2:]] for r in record.tables[0].rows}
    exact, prior = rows["exact, another half of the samples"], rows["prior"]
    assert abs(exact[0]) < 5 * exact[1]
    assert exact[2] < 0.01**2
    for name in ("mixtura, seed 0", "mixtura, speed rounded, seed 0", "mixtura, first the speed, seed 0"):
        assert rows[name][2] < prior[2] / 2
    assert rows["mixtura, speed rounded, seed 0"][0] < rows["mixtura, seed 0"][0]
    assert f"{rows['mixtura, first the speed, seed 0'][0]:.2e}" in record.findings[0]
