"""The experiment on approximation, against models whose distance is known."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mixtura import GaussianMixture, Isotropic
from mixtura.datasets import inverse_sine, inverse_sine_log_prob
from mixtura.experiments import EXPERIMENTS, Options
from mixtura.experiments.approximation import l1_distance


def test_distance_of_a_known_density_is_that_of_a_finer_sum() -> None:
    X, _ = inverse_sine(5, random_state=0)
    q = GaussianMixture(
        torch.zeros(5, 1, dtype=torch.float64),
        torch.full((5, 1), 0.6, dtype=torch.float64),
        Isotropic(0.09),
        event_dim=0,
    )
    model: Any = SimpleNamespace(predict_dist=lambda X: q)
    t = np.linspace(-3, 4, 70_001)  # both densities in full
    p = np.exp(np.stack([inverse_sine_log_prob(X, np.full(5, s)) for s in t]))
    density = np.exp(-((t[:, None] - 0.6) ** 2) / 0.18) / np.sqrt(2 * np.pi * 0.09)
    wanted = (np.abs(p - density).sum(0) * (t[1] - t[0])).mean()
    assert l1_distance(model, X, "normal") == pytest.approx(wanted, abs=1e-3)


def test_it_runs_and_says_what_it_found() -> None:
    record = EXPERIMENTS["approximation"](Options(seeds=(0,), quick=True, say=lambda line: None))
    json.dumps(record.to_json(), allow_nan=False)
    assert len(record.tables[0].rows) == 4
    assert all(0 < row[3] < 2 for row in record.tables[0].rows if isinstance(row[3], float))
