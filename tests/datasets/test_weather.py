"""Weather as a table: features by hand, and none that knows the future."""

import math
from datetime import date, timedelta

import numpy as np
import pytest

from mixtura.datasets import read_weather

N, FIRST = 80, date(2015, 11, 20)


def days(seed=0):
    """Rows of rain, temperatures and wind."""
    rng = np.random.default_rng(seed)
    rain = np.where(rng.random(N) < 0.5, 0, rng.exponential(5, N).round(1))
    return np.column_stack([rain, rng.normal([15, 5, 3], 2, (N, 3)).round(1)])


def write(path, values, site=None):
    lines = ["date,precipitation,temp_max,temp_min,wind,weather" + (",location" if site else "")]
    for t, row in enumerate(values):
        cells = [str(FIRST + timedelta(t)), *map(str, row), "rain" if row[0] else "sun", *([site] if site else [])]
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_features_by_hand(tmp_path):
    v = days()
    series = read_weather(write(tmp_path / "w.csv", v))
    assert len(series.y) == N - 30
    for row in (0, 11, N - 31):
        t = row + 29  # this evening
        assert series.dates[row] == np.datetime64(FIRST + timedelta(t + 1))
        assert series.y[row] == v[t + 1, 0]
        known = dict(zip(series.feature_names, series.X[row], strict=True))
        tomorrow = FIRST + timedelta(t + 1)
        phase = 2 * math.pi * (tomorrow - date(tomorrow.year, 1, 1)).days / 365.2425
        assert known == pytest.approx(
            {
                "rain": v[t, 0],
                "rain, day before": v[t - 1, 0],
                "rain, mean of 7 days": sum(v[t - s, 0] for s in range(7)) / 7,
                "rain, mean of 30 days": sum(v[t - s, 0] for s in range(30)) / 30,
                "wet days of 7": sum(v[t - s, 0] > 0 for s in range(7)) / 7,
                "temp_max": v[t, 1],
                "temp_min": v[t, 2],
                "temp_max, change": v[t, 1] - v[t - 1, 1],
                "wind": v[t, 3],
                "season, cosine": math.cos(phase),
                "season, sine": math.sin(phase),
            },
            abs=1e-12,
        )


def test_no_feature_knows_the_future(tmp_path):
    v, changed = days(), days()
    changed[50:] = days(seed=1)[50:]
    a, b = (read_weather(write(tmp_path / "w.csv", values)) for values in (v, changed))
    same = a.dates <= np.datetime64(FIRST + timedelta(50))
    np.testing.assert_array_equal(a.X[same], b.X[same])
    assert same.sum() == 21
    assert (a.y[same][:-1] == b.y[same][:-1]).all()
    assert (a.X[~same] != b.X[~same]).any(1).all()


def test_a_site_is_read_by_itself(tmp_path):
    north, south = write(tmp_path / "n.csv", days(0), "North"), write(tmp_path / "s.csv", days(1), "South")
    both = tmp_path / "both.csv"
    both.write_text(north.read_text() + south.read_text().partition("\n")[2])
    with pytest.raises(ValueError, match="has the locations North, South: name one of them as location"):
        read_weather(both)
    for path, site in ((north, "North"), (south, "South")):
        np.testing.assert_array_equal(read_weather(both, site).X, read_weather(path).X)
    with pytest.raises(ValueError, match="no column location to look for North in"):
        read_weather(write(tmp_path / "w.csv", days()), "North")


def test_bad_files_are_named(tmp_path, monkeypatch):
    v = days()
    v[7, 0] = -1
    with pytest.raises(ValueError, match="negative rain on 2015-11-27"):
        read_weather(write(tmp_path / "w.csv", v))
    monkeypatch.delenv("MIXTURA_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"set MIXTURA_DATA .* weather_seattle\.csv, which is .*vega-datasets"):
        read_weather()
