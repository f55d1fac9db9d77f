"""The experiment on rain: its features, a quick run without data, and one of a file."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from mixtura.experiments import EXPERIMENTS, Curves, Options
from mixtura.experiments.applications.weather import random_weather, with_logs

WEATHER = importlib.import_module("mixtura.experiments.applications.weather")


def _options(folder: Path | None = None) -> Options:
    return Options(quick=True, data=folder, say=lambda line: None)


def test_amounts_become_logs() -> None:
    series = random_weather(200)
    X = with_logs(series)
    for i, name in enumerate(series.feature_names):
        amount = name.startswith("rain")
        np.testing.assert_allclose(X[:, i], np.log1p(series.X[:, i]) if amount else series.X[:, i])


def test_a_quick_run_needs_no_data() -> None:
    record = EXPERIMENTS["weather"](_options())
    json.dumps(record.to_json(), allow_nan=False)
    rows = {str(r[0]): [float(c or 0) for c in r[1:]] for r in record.tables[0].rows}
    own = rows["mixtura, seed 0"]
    for name in ("climatology", "logistic and gamma", "logistic and gamma of logs"):
        log_score, gain, error = rows[name][:3]
        assert own[0] - log_score == pytest.approx(gain)
        assert 0 < error < 0.5
        assert np.isfinite(rows[name]).all()
    assert rows["logistic and gamma"][0] > rows["climatology"][0]  # rain follows rain there
    assert f"{own[0]:.3f}" in record.findings[0]
    panel = record.pictures[0].panels[0]
    assert isinstance(panel, Curves)
    assert list(panel.lines) == ["perfect", "climatology", "logistic and gamma", "mixtura, seed 0"]


def test_a_file_is_read_and_a_missing_one_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("polars")
    monkeypatch.setattr(WEATHER, "random_weather", None)
    rng = np.random.default_rng(0)
    lines = ["date,precipitation,temp_max,temp_min,wind,weather"]
    for day in np.arange("2012-01-01", "2015-01-01", dtype="datetime64[D]"):
        wet = rng.random() < 0.4
        lines.append(f"{day},{rng.gamma(1, 5) * wet + 0.1 * wet:.1f},{rng.normal(15, 4):.1f},5.0,{rng.random():.1f},x")
    (tmp_path / "weather_seattle.csv").write_text("\n".join(lines) + "\n")
    record = EXPERIMENTS["weather"](_options(tmp_path))
    assert record.settings["Seattle"] == "365 days of 2014, learnt from 701 days before"
    assert len(record.tables) == 1
    monkeypatch.delenv("MIXTURA_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="MIXTURA_DATA"):
        EXPERIMENTS["weather"](Options(say=lambda line: None))
