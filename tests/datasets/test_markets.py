"""Prices as a table: features by hand, and none that knows the future."""

from datetime import date, timedelta

import numpy as np
import pytest

from mixtura.datasets import in_volatility, read_prices

N, FIRST = 300, date(2019, 3, 1)


def prices(seed=0):
    """High, low and close."""
    rng = np.random.default_rng(seed)
    close = 1000 * np.exp(0.01 * rng.normal(size=N).cumsum())
    return np.column_stack([close * (1 + 0.01 * rng.random(N)), close * (1 - 0.01 * rng.random(N)), close])


def write(path, values):
    lines = ["date,open,high,low,close,adjclose,volume"]
    for t, (high, low, close) in enumerate(values.tolist()):
        lines.append(f"{FIRST + timedelta(t)},{close},{high},{low},{close},{close},1000")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_features_by_hand(tmp_path):
    v = prices()
    series = read_prices(write(tmp_path / "p.csv", v))
    assert len(series.y) == N - 252
    r = [np.nan] + [np.log(v[t, 2] / v[t - 1, 2]) for t in range(1, N)]
    for row in (0, 20, N - 253):
        t = row + 251  # the last close that is known
        assert series.dates[row] == np.datetime64(FIRST + timedelta(t + 1))
        assert series.y[row] == pytest.approx(r[t + 1], abs=1e-15)
        week, month, quarter = (r[t - days + 1 : t + 1] for days in (5, 22, 66))
        spread = [np.log(v[s, 0] / v[s, 1]) for s in range(t - 21, t + 1)]
        assert dict(zip(series.feature_names, series.X[row], strict=True)) == pytest.approx(
            {
                "return": r[t],
                "return, day before": r[t - 1],
                "return, week": np.log(v[t, 2] / v[t - 5, 2]),
                "return, month": np.log(v[t, 2] / v[t - 22, 2]),
                "volatility, week": np.mean([x**2 for x in week]) ** 0.5,
                "volatility, month": np.mean([x**2 for x in month]) ** 0.5,
                "volatility, quarter": np.mean([x**2 for x in quarter]) ** 0.5,
                "range": spread[-1],
                "range, week": np.mean(spread[-5:]),
                "range, month": np.mean(spread),
                "drawdown": np.log(v[t, 2] / max(v[t - 251 : t + 1, 2])),
            },
            abs=1e-12,
        )


def test_no_feature_knows_the_future(tmp_path):
    v, changed = prices(), prices()
    changed[280:] = prices(seed=1)[280:]
    a, b = (read_prices(write(tmp_path / "p.csv", values)) for values in (v, changed))
    same = a.dates <= np.datetime64(FIRST + timedelta(280))
    np.testing.assert_array_equal(a.X[same], b.X[same])
    np.testing.assert_array_equal(a.y[same][:-1], b.y[same][:-1])
    assert same.sum() == 29
    assert (a.X[~same] != b.X[~same]).any(1).all()


def test_bad_files_are_named(tmp_path, monkeypatch):
    for day, column, value in ((3, 2, 0.0), (4, 0, 1.0), (5, 1, -2.0)):
        v = prices()
        v[day, column] = value
        with pytest.raises(ValueError, match=f"a low above its high, on {FIRST + timedelta(day)}"):
            read_prices(write(tmp_path / "p.csv", v))
    monkeypatch.delenv("MIXTURA_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"set MIXTURA_DATA .* sp500_daily_2000_2020\.csv, which is"):
        read_prices()


def test_units_of_volatility_by_hand(tmp_path):
    series = read_prices(write(tmp_path / "p.csv", prices()))
    z, s = in_volatility(series)
    known = dict(zip(series.feature_names, series.X.T, strict=True))
    v, w = known["volatility, quarter"][0] ** 2, known["range, month"][0] ** 2
    for r, spread in zip(known["return"], known["range"], strict=True):
        v, w = 0.94 * v + 0.06 * r**2, 0.94 * w + 0.06 * spread**2
    w /= 4 * np.log(2)
    assert s[-1] == pytest.approx((v * w) ** 0.25, rel=1e-12)
    np.testing.assert_allclose(z.y * s, series.y)
    last = dict(zip(z.feature_names, z.X[-1], strict=True))
    assert last["return, week"] == pytest.approx(known["return, week"][-1] / (s[-1] * 5**0.5))
    assert last["log volatility, month"] == pytest.approx(np.log(known["volatility, month"][-1] / s[-1]))
    assert last["log return over range"] == pytest.approx(np.log(v / w) / 2)
    assert last["drawdown"] == pytest.approx(known["drawdown"][-1] / (s[-1] * 252**0.5))


def test_units_of_volatility_know_no_future_and_no_scale(tmp_path):
    v, changed, wilder = prices(), prices(), prices()
    changed[280:] = prices(seed=1)[280:]
    wilder = 1000 * (wilder / 1000) ** 3  # every log is three times as large
    a, b, c = (in_volatility(read_prices(write(tmp_path / "p.csv", x))) for x in (v, changed, wilder))
    np.testing.assert_array_equal(a[1][:28], b[1][:28])
    np.testing.assert_array_equal(a[0].X[:28], b[0].X[:28])
    np.testing.assert_allclose(c[0].X, a[0].X, atol=1e-9)
    np.testing.assert_allclose(c[1], 3 * a[1])


def test_prices_that_do_not_move_are_refused(tmp_path):
    still = prices()
    still[:] = 1000.0
    with pytest.raises(ValueError, match="do not move"):
        in_volatility(read_prices(write(tmp_path / "p.csv", still)))
