"""Daily series as tables for tomorrow's value, and their splits in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars

__all__ = ["DailySeries", "YearSplit", "daily_columns", "past_windows", "supervised", "walk_forward"]

Array = NDArray[np.float64]
Dates = NDArray[np.datetime64]


@dataclass(frozen=True)
class DailySeries:
    """A row per day: what happened, and what was known the evening before."""

    X: Array
    """Features, shape ``(n, d)``, from the days before only."""
    y: Array
    """What happened on the day, shape ``(n,)``."""
    dates: Dates
    """The days of y, ``datetime64[D]``, ascending."""
    feature_names: list[str]
    """Names of the columns of X."""


@dataclass(frozen=True)
class YearSplit:
    """A year to predict, and all that came before it to learn from."""

    year: int
    train: NDArray[np.intp]
    """Rows of the days before the year."""
    test: NDArray[np.intp]
    """Rows of the days in the year."""


def walk_forward(dates: Dates, first: int, last: int | None = None) -> list[YearSplit]:
    """Return a split per year: train on every day before the year, test on the days in it.

    Args:
        dates: the days of the rows, as of :class:`DailySeries`.
        first: first year to test.
        last: last year to test; None is the year of the last day.

    Raises:
        ValueError: where a year has no day, or none is before it.

    Example:
        >>> days = np.arange("2019-12-30", "2021-01-03", dtype="datetime64[D]")
        >>> [(s.year, len(s.train), len(s.test)) for s in walk_forward(days, first=2020)]
        [(2020, 2, 366), (2021, 368, 2)]
    """
    years = np.asarray(dates).astype("datetime64[Y]").astype(int) + 1970
    splits = []
    for year in range(first, (int(years.max(initial=first)) if last is None else last) + 1):
        train, test = np.flatnonzero(years < year), np.flatnonzero(years == year)
        if not len(train) or not len(test):
            raise ValueError(
                f"year {year} has {len(test)} days, and {len(train)} days are before it: both are needed, to test "
                "on and to learn from."
            )
        splits.append(YearSplit(year, train, test))
    return splits


def past_windows(values: Array, days: int) -> Array:
    """Return the values of every day and the ``days - 1`` before it, shape ``(n, days)``; NaN before the series begins.

    Example:
        >>> past_windows(np.array([1.0, 2.0, 3.0]), 2)
        array([[nan,  1.], [ 1.,  2.], [ 2.,  3.]])
    """
    return sliding_window_view(np.concatenate([np.full(days - 1, np.nan), values]), days)


def supervised(features: dict[str, Array], target: Array, dates: Dates) -> DailySeries:
    """Return the features of every day beside the target of the next row; days without some feature are left out.

    Args:
        features: by their names, each of shape ``(n,)`` from its day and earlier ones only, NaN where not known.
        target: of every day, shape ``(n,)``.
        dates: of the rows, ascending.

    Raises:
        ValueError: where no day has all features and a successor.

    Example:
        >>> days = np.arange("2020-01-01", "2020-01-04", dtype="datetime64[D]")
        >>> rain = np.array([0.0, 1.0, 2.0])
        >>> series = supervised({"rain": rain}, rain, days)
        >>> series.X[:, 0], series.y, series.dates[0]
        (array([0., 1.]), array([1., 2.]), np.datetime64('2020-01-02'))
    """
    X = np.column_stack(list(features.values()))[:-1]
    known = ~np.isnan(X).any(1)
    if not known.any():
        raise ValueError(f"the series of {len(target)} days is too short for its longest window.")
    return DailySeries(X[known], target[1:][known], dates[1:][known], list(features))


def daily_columns(
    frame: polars.DataFrame, path: str | Path, names: Sequence[str], every_day: bool
) -> tuple[Dates, list[Array]]:
    """Return the dates of a table and some of its columns as numbers, all present and finite.

    Args:
        frame: the table, with a column ``date``.
        path: of the table, for messages.
        names: of the columns.
        every_day: whether the days must follow each other without a gap.

    Raises:
        ValueError: where a column is missing, a date or number is missing, or days are not in order; it names the first
            bad row.
    """
    absent = [name for name in ("date", *names) if name not in frame.columns]
    if absent:
        raise ValueError(f"{path} has no column {', '.join(absent)}; it has: {', '.join(frame.columns)}.")
    if str(frame["date"].dtype) != "Date" or frame["date"].null_count():
        raise ValueError(f"{path} must hold a date such as 2012-01-31 in every row of its column date.")
    dates = frame["date"].to_numpy().astype("datetime64[D]")
    step = np.diff(dates).astype(int)
    bad = np.flatnonzero((step != 1) if every_day else (step < 1))
    if len(bad):
        raise ValueError(
            f"{path} has {dates[bad[0] + 1]} after {dates[bad[0]]}: "
            + ("there must be one row per day without a gap." if every_day else "its days must be in order, each once.")
        )
    columns = [frame[name].cast(float, strict=False).fill_null(float("nan")).to_numpy() for name in names]
    for name, column in zip(names, columns, strict=True):
        wrong = np.flatnonzero(~np.isfinite(column))
        if len(wrong):
            raise ValueError(f"{path} holds no finite number in column {name} on {dates[wrong[0]]}.")
    return dates, columns
