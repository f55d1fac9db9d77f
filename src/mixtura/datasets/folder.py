"""The folder of data that does not come with the library."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["data_file"]

_SKETCHES = "the files of github.com/hardmaru/sketch-rnn-datasets"
_ORIGINS = {
    "weather_seattle.csv": "is data/seattle-weather.csv of the repository vega/vega-datasets",
    "sp500_daily_2000_2020.csv": "is data/sp500-2000.csv of the repository vega/vega-datasets",
    "strokes_omniglot.npz": f"is made of {_SKETCHES}",
    "strokes_kanji.npz": f"is made of {_SKETCHES}",
}
"""Where each file comes from, as the end of a sentence."""


def data_file(name: str, folder: str | Path | None = None) -> Path:
    """Return the path of a file in a folder of data.

    Args:
        name: of the file.
        folder: that holds it; None takes the one that the environment variable ``MIXTURA_DATA`` names.

    Raises:
        FileNotFoundError: where no folder is named, or it does not hold the file; it says where the file comes from.

    Example:
        >>> data_file("weather_seattle.csv", "nowhere")
        Traceback (most recent call last):
        FileNotFoundError: ... the folder that holds weather_seattle.csv, which is data/seattle-weather.csv of ...
    """
    folder = folder or os.environ.get("MIXTURA_DATA")
    path = Path(folder or "", name)
    if folder and path.is_file():
        return path
    wrong = f"there is no file {path}" if folder else "no folder of data is named"
    origin = f", which {_ORIGINS[name]}" if name in _ORIGINS else ""
    raise FileNotFoundError(f"{wrong}: set MIXTURA_DATA to the folder that holds {name}{origin}.")
