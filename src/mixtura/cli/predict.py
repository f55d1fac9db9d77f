"""Predict mean, quantiles and modes for every row of a table."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mixtura._optional import require
from mixtura.cli.table_model import TableModel
from mixtura.datasets import read_table, write_table
from mixtura.estimators.predictions import quantiles
from mixtura.report import check_folder

__all__ = ["add_arguments", "run"]

Array = NDArray[np.float64]
_ROWS = 8192
"""Rows predicted at a time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mixtura predict``."""
    parser.add_argument("model", type=Path, help="model file that `mixtura fit` wrote")
    parser.add_argument("table", type=Path, help="CSV or Parquet file with the columns that the model was fitted with")
    parser.add_argument(
        "--output",
        type=Path,
        default=argparse.SUPPRESS,
        help="table to write, .csv or .parquet (default: TABLE.predictions.csv here)",
    )
    parser.add_argument("--quantiles", type=_levels, default="0.05,0.5,0.95", help="levels, separated by commas")
    parser.add_argument(
        "--modes", type=int, default=3, help="largest number of modes to write, the densest first; 0 for none"
    )


def run(options: argparse.Namespace) -> None:
    """Write one row of predictions for every row of the table."""
    output = getattr(options, "output", Path(options.table.stem + ".predictions.csv"))
    check_folder(output)
    if options.modes < 0:
        raise ValueError(f"--modes must not be negative, got {options.modes}.")
    model = TableModel.load(options.model)
    X = model.encoder.transform(read_table(options.table))
    pl = require("polars", "Writing tables")
    parts = [pl.DataFrame(_predictions(model, X[i : i + _ROWS], options)) for i in range(0, len(X), _ROWS)]
    frame = (
        pl.concat(parts, how="diagonal")
        .with_columns(pl.selectors.float().fill_nan(None))
        .with_row_index("row", offset=1)
    )
    write_table(frame, output)
    print(f"predictions: {output} ({len(X)} rows)")


def _predictions(model: TableModel, X: Array, options: argparse.Namespace) -> dict[str, Array]:
    """Return the columns of predictions for the rows of X."""
    mixture = model.regressor.predict_dist(X)
    n, T = len(X), len(model.targets)
    mean, sd = mixture.mean.reshape(n, T).numpy(), mixture.stddev.reshape(n, T).numpy()
    levels = quantiles(mixture, options.quantiles).reshape(n, T, -1)
    columns: dict[str, Array] = {}
    for t, name in enumerate(model.targets):
        columns |= {f"{name}_mean": mean[:, t], f"{name}_sd": sd[:, t]}
        columns |= {f"{name}_q{level:g}": levels[:, t, i] for i, level in enumerate(options.quantiles)}
    if options.modes:
        modes = mixture.modes()
        loc = modes.loc.reshape(n, -1, T).numpy()
        for j in range(min(options.modes, loc.shape[1])):
            columns |= {f"{name}_mode{j + 1}": loc[:, j, t] for t, name in enumerate(model.targets)}
            columns[f"mode{j + 1}_mass"] = modes.mass[:, j].numpy()
    return columns


def _levels(text: str) -> list[float]:
    try:
        levels = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a list of numbers such as 0.05,0.5,0.95") from None
    if not all(0 < level < 1 for level in levels):
        raise argparse.ArgumentTypeError(f"{text}: every level must lie strictly between 0 and 1")
    return levels
