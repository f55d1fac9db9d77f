"""The experiment on returns: regimes by hand, and a quick run without data."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mixtura.distributions import LaplaceMixture
from mixtura.experiments import EXPERIMENTS, Options
from mixtura.experiments.applications.finance import random_prices, weights_by_width


def test_weights_of_components_by_width() -> None:
    w = torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]], dtype=torch.float64)
    b = torch.tensor([[0.5, 1.0, 2.0], [0.1, 1.0, 9.0]], dtype=torch.float64) / 2**0.5
    q = LaplaceMixture(w.log(), torch.zeros(2, 3).double(), b, event_dim=0)
    found = weights_by_width(q, np.array([0.006, 0.008]))
    np.testing.assert_allclose(found, [[0.1, 0.2, 0.7, 0.0], [0.3, 0.3, 0.0, 0.4]])


def test_random_prices_have_restless_times() -> None:
    r = random_prices(3_000).y
    assert np.corrcoef(r[1:] ** 2, r[:-1] ** 2)[0, 1] > 0.05
    assert abs(np.corrcoef(r[1:], r[:-1])[0, 1]) < 0.06


def test_a_quick_run_needs_no_data() -> None:
    pytest.importorskip("arch")
    record = EXPERIMENTS["finance"](Options(quick=True, say=lambda line: None))
    json.dumps(record.to_json(), allow_nan=False)
    rows = {str(r[0]): [float(c or 0) for c in r[1:]] for r in record.tables[0].rows}
    garch, past, own = rows["GARCH(1,1), Student's t"], rows["historical simulation"], rows["mixtura, seed 0"]
    assert own[0] - garch[0] == pytest.approx(own[1])
    assert garch[0] > past[0]  # which does not know that restless times last
    assert f"{own[0]:.4f}" in record.findings[0]
    weights = record.to_json()["curves"][0]["lines"]
    np.testing.assert_allclose(np.sum(list(weights.values()), 0), 1, atol=1e-9)


def test_missing_data_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file .*csv: set MIXTURA_DATA .* vega/vega-datasets"):
        EXPERIMENTS["finance"](Options(data=tmp_path, say=lambda line: None))
    monkeypatch.delenv("MIXTURA_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="MIXTURA_DATA"):
        EXPERIMENTS["finance"](Options(say=lambda line: None))
