"""Tomorrow's rain from today's weather."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mixtura.datasets.folder import data_file
from mixtura.datasets.series import Array, DailySeries, Dates, daily_columns, past_windows, supervised
from mixtura.datasets.tables import read_table

__all__ = ["read_weather", "weather_series"]

_YEAR = 365.2425


def read_weather(path: str | Path | None = None, location: str | None = None) -> DailySeries:
    """Read daily weather into tomorrow's rain in mm, beside what is known this evening.

    The features are those of :func:`weather_series`. The column ``weather`` of the file is not used: it was made from
    the rain.

    Args:
        path: a table with the columns date, precipitation, temp_max, temp_min and wind, a row per day; None takes
            ``weather_seattle.csv`` of the folder ``MIXTURA_DATA``.
        location: the site, where the table has a column location.

    Raises:
        FileNotFoundError: where there is no such file.
        ImportError: where polars is not installed.
        ValueError: where the table is malformed, has a gap, or has several sites and none is chosen.

    Source:
        data/seattle-weather.csv and data/weather.csv of vega/vega-datasets, from NOAA.
    """
    path = data_file("weather_seattle.csv") if path is None else path
    frame = read_table(path)
    if "location" in frame.columns:
        sites = frame["location"].cast(str).unique(maintain_order=True).to_list()
        location = sites[0] if location is None and len(sites) == 1 else location
        if location not in sites:
            raise ValueError(f"{path} has the locations {', '.join(map(str, sites))}: name one of them as location.")
        frame = frame.filter(frame["location"].cast(str) == location)
    elif location is not None:
        raise ValueError(f"{path} has no column location to look for {location} in.")
    names = ("precipitation", "temp_max", "temp_min", "wind")
    dates, (rain, warm, cold, wind) = daily_columns(frame, path, names, every_day=True)
    if (rain < 0).any():
        raise ValueError(f"{path} has negative rain on {dates[(rain < 0).argmax()]}.")
    return weather_series(dates, rain, warm, cold, wind)


def weather_series(dates: Dates, rain: Array, temp_max: Array, temp_min: Array, wind: Array) -> DailySeries:
    """Return tomorrow's rain beside what is known this evening.

    Features are the rain of today, of yesterday and its mean over 7 and 30 days, the share of wet days in a week,
    today's highest and lowest temperature, the highest's change since yesterday, wind, and the season of the day to
    come as a point on a circle.

    Args:
        dates: days without a gap, shape (n,).
        rain: in mm, shape (n,).
        temp_max, temp_min: in °C, shape (n,).
        wind: in m/s, shape (n,).

    Raises:
        ValueError: where there are fewer than 31 days.

    Example:
        >>> days = np.arange("2012-01-01", "2012-02-02", dtype="datetime64[D]")
        >>> rain = np.arange(32.0)
        >>> series = weather_series(days, rain, 10 + rain, rain, rain)
        >>> series.dates, series.y, series.X[:, 0]
        (array(['2012-01-31', '2012-02-01'], dtype='datetime64[D]'), array([30., 31.]), array([29., 30.]))
    """
    next_day = dates + 1
    phase = 2 * np.pi * (next_day - next_day.astype("datetime64[Y]").astype("datetime64[D]")).astype(float) / _YEAR
    features = {
        "rain": rain,
        "rain, day before": past_windows(rain, 2)[:, 0],
        "rain, mean of 7 days": past_windows(rain, 7).mean(1),
        "rain, mean of 30 days": past_windows(rain, 30).mean(1),
        "wet days of 7": (past_windows(rain, 7) > 0).mean(1),
        "temp_max": temp_max,
        "temp_min": temp_min,
        "temp_max, change": temp_max - past_windows(temp_max, 2)[:, 0],
        "wind": wind,
        "season, cosine": np.cos(phase),
        "season, sine": np.sin(phase),
    }
    return supervised(features, rain, dates)
