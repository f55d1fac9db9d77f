"""The experiment on the arm: the metric on the prior is the published one, and a quick run."""

import importlib
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mixtura.datasets import arm_joints
from mixtura.distributions import Full, GaussianMixture
from mixtura.experiments import EXPERIMENTS, Options, Paths

KINEMATICS = importlib.import_module("mixtura.experiments.applications.kinematics")


def test_paths_are_the_arms_of_the_answers_with_their_density() -> None:
    q = GaussianMixture(torch.zeros(1, 1), torch.full((1, 1, 4), 0.2), Full(0.1 * torch.eye(4).expand(1, 1, 4, 4)))
    joints = 0.2 + 0.1 * np.random.default_rng(0).standard_normal((1, 9, 4))
    model: Any = SimpleNamespace(predict_dist=lambda y: q.expand((len(y),)), sample=lambda y, n: joints)
    paths, density = KINEMATICS.arm_paths(model, np.array([1.5, 0.0]), 9)
    np.testing.assert_allclose(paths, arm_joints(joints[0]))
    wanted = -0.5 * ((joints[0] - 0.2) ** 2).sum(1) / 0.01 - 4 * np.log(0.1 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(density, wanted, rtol=1e-4)


def test_quick_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KINEMATICS, "_QUICK", (2_000, 100, 60))
    lines: list[str] = []
    record = EXPERIMENTS["inverse-kinematics"](Options(quick=True, say=lines.append))
    json.dumps(record.to_json(), allow_nan=False)
    rows = {str(r[0]): [float(c or 0) for c in r[2:]] for r in record.tables[0].rows}
    learnt, exact, prior = rows["mixtura, seed 0"], rows["exact, another half of the samples"], rows["prior"]
    assert abs(exact[0]) < 5 * exact[1]
    assert exact[2] < 0.01**2  # the tolerance of the rejection
    assert abs(prior[0] - 0.242) < 0.03  # Kruse et al. 2021, for 1,000 observations
    assert learnt[0] < prior[0] / 2
    assert learnt[2] < prior[2] / 2
    assert rows["without light components, seed 0"][2] < learnt[2]
    assert f"{learnt[0]:.2e}" in record.findings[0]
    said, average = record.pictures[0].panels
    assert isinstance(said, Paths)
    assert isinstance(average, Paths)
    assert said.paths.shape == (60, 4, 2)
    assert (said.frame == average.frame).all()
    assert (said.paths >= said.frame[0]).all()
    assert (said.paths <= said.frame[1]).all()
