"""The comparison of costs: training without a norm does what it says, and its record says what was measured."""

import importlib
import json
import math

import pytest
import torch

from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.experiments import EXPERIMENTS, Options
from mixtura.experiments.coding import autoencoder_for, moons
from mixtura.experiments.cost_comparison import fit_without_norm
from mixtura.hilbert import log_inner
from mixtura.nn import EncoderMixtureDecoder
from mixtura.training import plan_autoencoder
from tests.helpers import global_state

COMPARISON = importlib.import_module("mixtura.experiments.cost_comparison")


def _numerator(model: EncoderMixtureDecoder, x: torch.Tensor, v: float) -> float:
    """Log of ``E <p, q>``, where every row stands for its code."""
    with torch.no_grad():
        q = model.eval()(x)
    q = GaussianMixture(q.logits, q.loc, Isotropic(torch.tensor(v)))
    p = GaussianMixture(torch.zeros(len(x), 1), x.unsqueeze(1), Isotropic(torch.tensor(v)))
    return torch.logsumexp(log_inner(p, q), 0).item() - math.log(len(x))


def test_training_without_the_norm_lifts_the_numerator_and_leaves_the_global_state() -> None:
    x = moons(200, 0)
    v = plan_autoencoder(x).annealing.target
    model = autoencoder_for(x, centers=4, hidden=(32, 32))
    start, before = _numerator(model, x, v), global_state()
    fit_without_norm(model, x, steps=120)
    assert global_state() == before
    assert model.variance == v
    assert _numerator(model, x, v) > start + 0.5


def test_quick_run_names_what_it_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"_ROWS": 120, "_QUICK": 12, "_CENTERS": 3}.items():
        monkeypatch.setattr(COMPARISON, name, value)
    lines: list[str] = []
    record = EXPERIMENTS["cost-comparison"](Options(quick=True, say=lines.append))
    json.dumps(record.to_json(), allow_nan=False)
    summary, collapse, everything = record.tables
    costs = ["conditional", "likelihood", "nuclear_norm", "trace", "squared_error", "without norm"]
    assert [r[1] for r in everything.rows] == [r[1] for r in summary.rows] == costs
    assert len(lines) == len(costs) + 2
    for row, mean in zip(everything.rows, summary.rows, strict=True):
        numbers = [float(c or 0) for c in row[3:-1]]
        assert mean[2:-1] == pytest.approx(numbers, rel=1e-5)
        ratio, best, average, _, _, of_code, of_p = numbers
        assert 0 < ratio <= 1
        assert best <= average
        assert 1 <= of_code <= 3
        assert 1 <= of_p <= 120
    assert [r[0] for r in collapse.rows] == ["conditional", "without norm"]
    for row in collapse.rows:
        fewest, most, _, of_all = (float(c or 0) for c in row[1:-1])
        assert 1 <= fewest <= most
        assert of_all > 1
    assert str(collapse.rows[1][-1]) in record.findings[-1]
