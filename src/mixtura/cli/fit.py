"""Learn the distribution of a column of a table given the others, and report how well."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from mixtura.cli.table_model import TableModel
from mixtura.datasets import TableEncoder, read_table, read_targets
from mixtura.estimators import MixtureDensityRegressor
from mixtura.report import check_folder, regression_report

__all__ = ["add_arguments", "run"]

_FEWEST_ROWS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mixtura fit``."""
    parser.add_argument("table", type=Path, help="CSV or Parquet file")
    parser.add_argument(
        "--target", action="append", required=True, metavar="COLUMN", help="what to predict; repeat for several"
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
    parser.add_argument("--components", type=_positive, default=10, help="components of the mixture")
    parser.add_argument(
        "--covariance",
        choices=("isotropic", "diagonal", "full"),
        default="full",
        help="of several targets given the inputs",
    )
    parser.add_argument("--epochs", type=_positive, help="passes over the data (None: chosen from the number of rows)")
    parser.add_argument(
        "--test-fraction", type=float, default=0.2, help="share of the rows kept for the report, at random"
    )
    parser.add_argument("--seed", type=int, default=0, help="of everything random")


def run(options: argparse.Namespace) -> None:
    """Read, fit, report, save; nothing is written before everything is known to be right."""
    model_path = getattr(options, "model", Path(options.table.stem + ".mixtura"))
    report_path = getattr(options, "report", Path(options.table.stem + ".html"))
    for path in (model_path, report_path):
        check_folder(path)
    if not 0 < options.test_fraction < 1:
        raise ValueError(f"--test-fraction must lie strictly between 0 and 1, got {options.test_fraction}.")

    table = read_table(options.table)
    targets = list(dict.fromkeys(options.target))
    y, complete = read_targets(table, targets)
    unknown = [name for name in options.drop if name not in table.columns]
    if unknown:
        raise ValueError(f"--drop {unknown[0]}: there is no such column.")
    if len(y) < _FEWEST_ROWS:
        raise ValueError(
            f"{options.table} has {len(y)} rows with a target; at least {_FEWEST_ROWS} are needed to learn and to test."
        )
    frame = table.filter(complete).drop([*targets, *options.drop])

    order = np.random.default_rng(options.seed).permutation(len(y))
    held_out = max(1, round(options.test_fraction * len(y)))
    test, train = np.sort(order[:held_out]), np.sort(order[held_out:])
    encoder = TableEncoder.fit(frame[train])
    X = encoder.transform(frame)
    y = y[:, 0] if len(targets) == 1 else y
    notes = list(encoder.notes)
    if not complete.all():
        notes.append(f"{(~complete).sum()} of {len(complete)} rows lack a target and are left out.")
    for note in notes:
        print(f"note: {note}")

    checkpoint = model_path.with_name(model_path.name + ".checkpoint")
    if checkpoint.exists():
        print(f"going on with the run that {checkpoint} holds; delete it to start afresh")
    regressor = MixtureDensityRegressor(
        options.components,
        covariance=options.covariance,
        epochs=options.epochs,
        checkpoint=checkpoint,
        verbose=True,
        random_state=options.seed,
    )
    print(f"learning {', '.join(targets)} from {X.shape[1]} inputs: {len(train)} rows, {len(test)} more for the report")
    start = time.perf_counter()
    regressor.fit(X[train], y[train])
    seconds = time.perf_counter() - start
    scores = regression_report(
        report_path,
        regressor,
        (X[train], y[train]),
        (X[test], y[test]),
        title=f"{', '.join(targets)} of {options.table.name}",
        feature_names=encoder.feature_names,
        target_names=targets,
        facts=[
            ("table", options.table.name),
            ("rows", f"{len(train)} to learn from, {len(test)} to test on, split at random with seed {options.seed}"),
            ("time", f"{seconds:.0f} s"),
        ],
        notes=notes,
    )
    TableModel(regressor, encoder, targets).save(model_path)
    print(scores)
    print(f"model:  {model_path}\nreport: {report_path}")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value
