"""Learn the distribution of a column of a table given the others, or of all columns, and report how well."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Literal, get_args

from mixtura.cli.fitting import Outputs, fit_density, fit_regression
from mixtura.datasets import read_table
from mixtura.estimators.density import Density
from mixtura.nn.heads import CovarianceKind
from mixtura.report import check_folder

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mixtura fit``."""
    parser.add_argument("table", type=Path, help="CSV or Parquet file")
    parser.add_argument(
        "--target",
        action="append",
        default=argparse.SUPPRESS,
        metavar="COLUMN",
        help="what to predict from the other columns; repeat for several. Without it, the joint density of all numeric "
        "columns is learnt, to be sampled",
    )
    parser.add_argument(
        "--drop", action="append", default=[], metavar="COLUMN", help="column to leave out; repeat for several"
    )
    parser.add_argument(
        "--model", type=Path, default=argparse.SUPPRESS, help="model file to write (default: TABLE.mixtura here)"
    )
    parser.add_argument(
        "--report", type=Path, default=argparse.SUPPRESS, help="report to write (default: TABLE.html here)"
    )
    parser.add_argument(
        "--components",
        type=_components,
        default=argparse.SUPPRESS,
        help="components of the mixture, or auto (default: 10 with a target, 2000 without)",
    )
    parser.add_argument(
        "--test-fraction",
        type=float,
        default=argparse.SUPPRESS,
        help="share of the rows kept for the report, at random (default: 0.2 with a target, 0.1 without)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    regression = parser.add_argument_group("with a target")
    regression.add_argument(
        "--covariance",
        choices=get_args(CovarianceKind),
        default=argparse.SUPPRESS,
        help="of several targets given the inputs (default: full)",
    )
    regression.add_argument(
        "--epochs",
        type=_positive,
        default=argparse.SUPPRESS,
        help="passes over the data (default: chosen from the number of rows)",
    )
    density = parser.add_argument_group("without a target")
    density.add_argument(
        "--cost",
        choices=get_args(Density),
        default=argparse.SUPPRESS,
        help="what compares centers with rows (default: nuclear_norm)",
    )
    density.add_argument(
        "--steps",
        type=_positive,
        default=argparse.SUPPRESS,
        help="steps of the optimiser (default: 12000, or 3000 where batches are read as samples)",
    )


def run(options: argparse.Namespace) -> None:
    """Read, fit, report, save; nothing is written before everything is known to be right."""
    given = vars(options)
    targeted = "target" in given
    for name in ("cost", "steps") if targeted else ("covariance", "epochs"):
        if name in given:
            raise ValueError(f"--{name} is for tables {'without' if targeted else 'with'} a --target.")
    if not targeted and given.get("components") == "auto":
        raise ValueError("--components auto is for tables with a --target.")
    outputs = Outputs(
        check_folder(given.get("model", Path(options.table.stem + ".mixtura"))),
        check_folder(given.get("report", Path(options.table.stem + ".html"))),
    )
    share = given.get("test_fraction", 0.2 if targeted else 0.1)
    if not 0 < share < 1:
        raise ValueError(f"--test-fraction must lie strictly between 0 and 1, got {share}.")
    table = read_table(options.table)
    unknown = [name for name in options.drop if name not in table.columns]
    if unknown:
        raise ValueError(f"--drop {unknown[0]}: there is no such column.")
    if targeted:
        fit_regression(options, table, share, outputs)
    else:
        fit_density(options, table, share, outputs)
    print(f"model:  {outputs.model}\nreport: {outputs.report}")


def _components(text: str) -> int | Literal["auto"]:
    return "auto" if text == "auto" else _positive(text)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value
