"""Tables on disk: CSV and Parquet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mixtura._optional import require

if TYPE_CHECKING:
    import polars

__all__ = ["read_table", "write_table"]

_MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "?"]
_SEPARATORS = ",;\t"


def read_table(path: str | Path) -> polars.DataFrame:
    """Read a CSV file (separated by commas, semicolons or tabs) or a Parquet file.

    Empty cells, ``NA``, ``NaN``, ``null`` and ``?`` are missing values; dates are recognised as dates.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is neither kind of file, broken, or holds no rows.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no table {path}.")
    pl = require("polars", "Reading tables")
    suffix = path.suffix.lower()
    try:
        if suffix in (".parquet", ".pq"):
            frame = pl.read_parquet(path)
        elif suffix in (".csv", ".tsv", ".txt"):
            frame = pl.read_csv(
                path,
                separator=_separator(path),
                null_values=_MISSING,
                try_parse_dates=True,
                infer_schema_length=None,
            )
        else:
            raise ValueError(f"{path} is neither CSV (.csv, .tsv, .txt) nor Parquet (.parquet, .pq).")
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} can't be read as a table: {' '.join(str(error).split())[:200]}") from error
    if not len(frame) or not frame.width:
        raise ValueError(f"{path} is an empty table: it has {frame.width} columns and {len(frame)} rows.")
    return frame


def write_table(frame: polars.DataFrame, path: str | Path) -> None:
    """Write a table as CSV or Parquet, as the name ends, whole or not at all."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            frame.write_parquet(part)
        elif path.suffix.lower() == ".csv":
            frame.write_csv(part)
        else:
            raise ValueError(f"the name of the table {path} must end in .csv or .parquet.")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _separator(path: Path) -> str:
    with open(path, encoding="utf-8") as file:
        header = file.readline()
    return max(_SEPARATORS, key=header.count)
