"""Tomorrow's return of an index from its recent past."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mixtura.datasets.folder import data_file
from mixtura.datasets.series import Array, DailySeries, Dates, daily_columns, past_windows, supervised
from mixtura.datasets.tables import read_table

__all__ = ["in_volatility", "price_series", "read_prices"]

_WEEK, _MONTH, _QUARTER, _YEAR = 5, 22, 66, 252
"""In trading days."""
_MEMORY = 0.94
_LEAST = 1e-3
"""Ratio below which a log is cut off: a day without any range."""


def read_prices(path: str | Path | None = None) -> DailySeries:
    """Read daily prices into the log-return of the next trading day, beside what is known at the close of this one.

    The features are those of :func:`price_series`.

    Args:
        path: a table with the columns date, high, low and close, a row per trading day; None takes
            ``sp500_daily_2000_2020.csv`` of the folder ``MIXTURA_DATA``.

    Raises:
        FileNotFoundError: where there is no such file.
        ImportError: where polars is not installed.
        ValueError: where the table is malformed, a price is not positive, or a low is above its high.

    Source:
        data/sp500-2000.csv of vega/vega-datasets.
    """
    path = data_file("sp500_daily_2000_2020.csv") if path is None else path
    dates, (high, low, close) = daily_columns(read_table(path), path, ("high", "low", "close"), every_day=False)
    bad = (low <= 0) | (close <= 0) | (low > high)
    if bad.any():
        raise ValueError(f"{path} has prices that are not positive, or a low above its high, on {dates[bad.argmax()]}.")
    return price_series(dates, high, low, close)


def price_series(dates: Dates, high: Array, low: Array, close: Array) -> DailySeries:
    """Return the log-return of the next trading day, beside what is known at the close of this one.

    With r the log-return from close to close, features are r of today and of the day before, its sum over a week and a
    month (5 and 22 days), volatility ``sqrt(mean r²)`` over a week, a month and a quarter (66 days), the range
    ``log(high/low)`` of today and its mean over a week and a month, and the drawdown, the log of the close over the
    highest close of a year (252 days). Returns are fractions: 0.01 is one per cent. No row is left out after the
    first year, so ``y`` is the series of returns itself.

    Args:
        dates: trading days, ascending, shape (n,).
        high, low, close: positive prices of the days, shape (n,).

    Raises:
        ValueError: where there is less than a year.
    """
    r = np.diff(np.log(close), prepend=np.nan)
    spread = np.log(high / low)
    features = {
        "return": r,
        "return, day before": past_windows(r, 2)[:, 0],
        "return, week": past_windows(r, _WEEK).sum(1),
        "return, month": past_windows(r, _MONTH).sum(1),
        "volatility, week": np.sqrt(np.square(past_windows(r, _WEEK)).mean(1)),
        "volatility, month": np.sqrt(np.square(past_windows(r, _MONTH)).mean(1)),
        "volatility, quarter": np.sqrt(np.square(past_windows(r, _QUARTER)).mean(1)),
        "range": spread,
        "range, week": past_windows(spread, _WEEK).mean(1),
        "range, month": past_windows(spread, _MONTH).mean(1),
        "drawdown": np.log(close / past_windows(close, _YEAR).max(1)),
    }
    return supervised(features, r, dates)


def in_volatility(series: DailySeries) -> tuple[DailySeries, Array]:
    r"""Return returns and features in units of the current volatility s, and s of every row, shape ``(n,)``.

    ``s² = sqrt(v w)``, with v and w the exponential moving averages (.94 of the day before, RiskMetrics) of r² and of
    ``range² / (4 log 2)``, which is Parkinson's estimate. Markets of the same shape but other turmoil look alike then:
    a density q of ``z = y/s`` is the density ``q(y/s)/s`` of returns, and s times a quantile of z is a quantile of y.

    Features are the sums of returns over a day, the day before, a week and a month, and the drawdown, all in units of s
    times the root of their days (252 for the drawdown); and logs of the volatilities and ranges over s and of
    ``sqrt(v/w)``. None tells s itself, so that turmoil greater than any before is nothing new.

    Args:
        series: from :func:`price_series` or :func:`read_prices`, whose rows follow each other.

    Raises:
        ValueError: where prices do not move at all.

    Source:
        J.P. Morgan 1996, "RiskMetrics technical document"; Parkinson 1980, "The extreme value method for estimating the
        variance of the rate of return".
    """
    known = dict(zip(series.feature_names, series.X.T, strict=True))
    v = _moving_average(known["return"] ** 2, known["volatility, quarter"][0] ** 2)
    w = _moving_average(known["range"] ** 2, known["range, month"][0] ** 2) / (4 * np.log(2))
    s = (v * w) ** 0.25
    if not (s > 0).all():
        raise ValueError("prices that do not move for months have no volatility to measure returns in.")
    days = {"return": 1, "return, day before": 1, "return, week": _WEEK, "return, month": _MONTH}
    features = {name: known[name] / (s * days[name] ** 0.5) for name in days}
    for name in known:
        if name.startswith(("volatility", "range")):
            features[f"log {name}"] = np.log(np.maximum(known[name] / s, _LEAST))
    features["log return over range"] = np.log(v / w) / 2
    features["drawdown"] = known["drawdown"] / (s * _YEAR**0.5)
    return DailySeries(np.column_stack(list(features.values())), series.y / s, series.dates, list(features)), s


def _moving_average(values: Array, start: float) -> Array:
    """Return ``a_t = λ a_(t-1) + (1 - λ) values_t``."""
    average = np.empty(len(values))
    for t, value in enumerate(values):
        start = _MEMORY * start + (1 - _MEMORY) * value
        average[t] = start
    return average
