"""Tomorrow's return of an index from its recent past."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mixtura.datasets.folder import data_file
from mixtura.datasets.series import DailySeries, daily_columns, past_windows, supervised
from mixtura.datasets.tables import read_table

__all__ = ["read_prices"]

_WEEK, _MONTH, _QUARTER, _YEAR = 5, 22, 66, 252
"""In trading days."""


def read_prices(path: str | Path | None = None) -> DailySeries:
    """Read daily prices into the log-return of the next trading day, beside what is known at the close of this one.

    With r the log-return from close to close, features are r of today and of the day before, its sum over a week and a
    month (5 and 22 days), volatility ``sqrt(mean r²)`` over a week, a month and a quarter (66 days), the range
    ``log(high/low)`` of today and its mean over a week and a month, and the drawdown, the log of the close over the
    highest close of a year (252 days). Returns are fractions: 0.01 is one per cent. No row is left out after the
    first year, so ``y`` is the series of returns itself.

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
    origin = "is data/sp500-2000.csv of the repository vega/vega-datasets"
    path = data_file("sp500_daily_2000_2020.csv", origin) if path is None else path
    dates, (high, low, close) = daily_columns(read_table(path), path, ("high", "low", "close"), every_day=False)
    bad = (low <= 0) | (close <= 0) | (low > high)
    if bad.any():
        raise ValueError(f"{path} has prices that are not positive, or a low above its high, on {dates[bad.argmax()]}.")
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
