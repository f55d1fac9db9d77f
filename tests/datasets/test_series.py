"""Splits in the order of time, windows of the past, and tables that are malformed."""

import numpy as np
import polars as pl
import pytest

from mixtura.datasets import data_file, walk_forward
from mixtura.datasets.series import daily_columns, past_windows, supervised


def days(first, last):
    return np.arange(first, last, dtype="datetime64[D]")


def test_a_year_is_predicted_from_all_that_came_before_it():
    dates = days("2006-05-01", "2010-03-02")
    splits = walk_forward(dates, first=2008)
    assert [s.year for s in splits] == [2008, 2009, 2010]
    for s in splits:
        assert dates[s.train].max() == np.datetime64(f"{s.year - 1}-12-31")
        assert {str(d)[:4] for d in dates[s.test]} == {str(s.year)}
        np.testing.assert_array_equal(s.train, np.arange(len(s.train)))
    tested = np.concatenate([s.test for s in splits])
    np.testing.assert_array_equal(tested, np.flatnonzero(dates >= np.datetime64("2008-01-01")))
    assert [s.year for s in walk_forward(dates, first=2008, last=2008)] == [2008]


@pytest.mark.parametrize(("first", "last"), [(2006, 2006), (2011, 2011), (2012, None)])
def test_years_without_days_are_named(first, last):
    with pytest.raises(ValueError, match=rf"year {first} has .* days, and .* days are before it"):
        walk_forward(days("2006-05-01", "2010-03-02"), first, last)


def test_windows_hold_a_day_and_those_before_it():
    values = np.random.default_rng(0).normal(size=30)
    for width in (1, 2, 7):
        windows = past_windows(values, width)
        assert windows.shape == (30, width)
        for t in range(30):
            expected = [values[s] if s >= 0 else np.nan for s in range(t - width + 1, t + 1)]
            np.testing.assert_array_equal(windows[t], expected)


def test_features_of_a_day_meet_the_target_of_the_next():
    dates = days("2020-01-01", "2020-01-11")
    value = np.arange(10.0)
    series = supervised({"now": value, "before": past_windows(value, 3)[:, 0]}, 10 * value, dates)
    np.testing.assert_array_equal(series.X, [[t, t - 2] for t in range(2, 9)])
    np.testing.assert_array_equal(series.y, [10.0 * t for t in range(3, 10)])
    np.testing.assert_array_equal(series.dates, dates[3:])
    assert series.feature_names == ["now", "before"]
    with pytest.raises(ValueError, match="3 days is too short"):
        supervised({"before": past_windows(value[:3], 9)[:, 0]}, value[:3], dates[:3])


@pytest.mark.parametrize(
    ("date", "value", "message"),
    [
        (["2020-01-01", "2020-01-03"], ["1", "2"], "table.csv has 2020-01-03 after 2020-01-01: there must be one row"),
        (["2020-01-01", "2020-01-01"], ["1", "2"], "2020-01-01 after 2020-01-01"),
        (["2020-01-01", None], ["1", "2"], "a date such as"),
        (["2020-01-01", "2020-01-02"], ["1", None], "no finite number in column value on 2020-01-02"),
        (["2020-01-01", "2020-01-02"], ["x", "1"], "no finite number in column value on 2020-01-01"),
        (["2020-01-01", "2020-01-02"], ["inf", "1"], "no finite number in column value on 2020-01-01"),
    ],
)
def test_bad_rows_are_named(date, value, message):
    frame = pl.DataFrame({"date": pl.Series(date).str.to_date(), "value": value})
    with pytest.raises(ValueError, match=message):
        daily_columns(frame, "table.csv", ["value"], every_day=True)


def test_bad_columns_are_named():
    frame = pl.DataFrame({"date": ["soon", "later"], "value": [1, 2]})
    with pytest.raises(ValueError, match="has no column other; it has: date, value"):
        daily_columns(frame, "table.csv", ["value", "other"], every_day=True)
    with pytest.raises(ValueError, match="a date such as"):
        daily_columns(frame, "table.csv", ["value"], every_day=True)


def test_weekends_may_be_missing_where_nobody_asks_for_every_day():
    frame = pl.DataFrame({"date": pl.Series(["2020-01-03", "2020-01-06"]).str.to_date(), "value": [1, 2]})
    dates, [value] = daily_columns(frame, "table.csv", ["value"], every_day=False)
    assert value.tolist() == [1, 2]
    assert dates.dtype == np.dtype("datetime64[D]")
    with pytest.raises(ValueError, match="must be in order"):
        daily_columns(frame.reverse(), "table.csv", ["value"], every_day=False)


def test_the_folder_of_data(tmp_path, monkeypatch):
    monkeypatch.delenv("MIXTURA_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"set MIXTURA_DATA to the folder that holds a\.csv\."):
        data_file("a.csv")
    monkeypatch.setenv("MIXTURA_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"there is no file .*a\.csv: set MIXTURA_DATA"):
        data_file("a.csv")
    (tmp_path / "a.csv").touch()
    assert data_file("a.csv") == tmp_path / "a.csv"
