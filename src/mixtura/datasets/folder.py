"""The folder of data that does not come with the library."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["data_file"]


def data_file(name: str, origin: str, folder: str | Path | None = None) -> Path:
    """Return the path of a file in a folder of data.

    Args:
        name: of the file.
        origin: where it comes from, as the end of a sentence.
        folder: that holds it; None takes the one that the environment variable ``MIXTURA_DATA`` names.

    Raises:
        FileNotFoundError: where no folder is named, or it does not hold the file.

    Example:
        >>> data_file("nothing.csv", "comes from nowhere")
        Traceback (most recent call last):
        FileNotFoundError: ... set MIXTURA_DATA to the folder that holds nothing.csv, which comes from nowhere.
    """
    folder = folder or os.environ.get("MIXTURA_DATA")
    path = Path(folder or "", name)
    if folder and path.is_file():
        return path
    wrong = f"there is no file {path}" if folder else "no folder of data is named"
    raise FileNotFoundError(f"{wrong}: set MIXTURA_DATA to the folder that holds {name}, which {origin}.")
