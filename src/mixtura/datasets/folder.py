"""The folder of data that does not come with the library."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["data_file"]


def data_file(name: str, origin: str) -> Path:
    """Return the path of a file in the folder that the environment variable ``MIXTURA_DATA`` names.

    Args:
        name: of the file.
        origin: where it comes from, as the end of a sentence.

    Raises:
        FileNotFoundError: where the variable is not set, or the folder does not hold the file.

    Example:
        >>> data_file("nothing.csv", "comes from nowhere")
        Traceback (most recent call last):
        FileNotFoundError: ... set MIXTURA_DATA to the folder that holds nothing.csv, which comes from nowhere.
    """
    folder = os.environ.get("MIXTURA_DATA")
    path = Path(folder or "", name)
    if folder and path.is_file():
        return path
    wrong = f"there is no file {path}" if folder else "no folder of data is named"
    raise FileNotFoundError(f"{wrong}: set MIXTURA_DATA to the folder that holds {name}, which {origin}.")
