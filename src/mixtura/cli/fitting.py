"""What ``mixtura fit`` does with a table that has been read: with a target, and without."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mixtura._optional import require
from mixtura.cli.numeric import numeric_columns
from mixtura.cli.table_model import TableModel
from mixtura.datasets import TableEncoder, read_targets
from mixtura.estimators import MixtureDensityEstimator, MixtureDensityRegressor
from mixtura.report import density_report, regression_report

if TYPE_CHECKING:
    import polars

__all__ = ["Outputs", "fit_density", "fit_regression"]

_FEWEST_ROWS = 10


@dataclass(frozen=True)
class Outputs:
    """The files that a fit writes."""

    model: Path
    report: Path

    def checkpoint(self) -> Path:
        """Return the file that a killed run goes on from, and say so where it is there."""
        path = self.model.with_name(self.model.name + ".checkpoint")
        if path.exists():
            print(f"going on with the run that {path} holds; delete it to start afresh")
        return path


def fit_regression(options: argparse.Namespace, table: polars.DataFrame, share: float, outputs: Outputs) -> None:
    """Learn the targets from the other columns, and write model and report.

    Raises:
        ValueError: where a target is no column of numbers, or rows or inputs are too few.
    """
    given, targets = vars(options), list(dict.fromkeys(options.target))
    y, complete = read_targets(table, targets)
    if len(y) < _FEWEST_ROWS:
        raise ValueError(
            f"{options.table} has {len(y)} rows with a target; at least {_FEWEST_ROWS} are needed to learn and to test."
        )
    frame = table.filter(complete).drop([*targets, *options.drop])
    train, test = _split(len(y), share, options.seed)
    encoder = TableEncoder.fit(frame[train])
    X = encoder.transform(frame)
    y = y[:, 0] if len(targets) == 1 else y
    notes = list(encoder.notes)
    if not complete.all():
        notes.append(f"{(~complete).sum()} of {len(complete)} rows lack a target and are left out.")
    _say(notes)
    regressor = MixtureDensityRegressor(
        given.get("components", 10),
        covariance=given.get("covariance", "full"),
        epochs=given.get("epochs"),
        checkpoint=outputs.checkpoint(),
        verbose=True,
        random_state=options.seed,
    )
    print(f"learning {', '.join(targets)} from {X.shape[1]} inputs: {len(train)} rows, {len(test)} more for the report")
    start = time.perf_counter()
    regressor.fit(X[train], y[train])
    scores = regression_report(
        outputs.report,
        regressor,
        (X[train], y[train]),
        (X[test], y[test]),
        title=f"{', '.join(targets)} of {options.table.name}",
        feature_names=encoder.feature_names,
        target_names=targets,
        facts=_facts(options, train, test, time.perf_counter() - start),
        notes=notes,
    )
    TableModel(regressor, encoder, targets).save(outputs.model)
    print(scores)


def fit_density(options: argparse.Namespace, table: polars.DataFrame, share: float, outputs: Outputs) -> None:
    """Learn the joint density of the numeric columns, and write model and report.

    Raises:
        ValueError: where no column of numbers is left, or rows are too few.
    """
    X, names, notes = numeric_columns(table.drop(options.drop))
    if len(X) < _FEWEST_ROWS:
        raise ValueError(
            f"{options.table} has {len(X)} rows without a missing value; at least {_FEWEST_ROWS} are needed to learn "
            "and to test. Columns with many missing values can be left out by --drop."
        )
    train, test = _split(len(X), share, options.seed)
    _say(notes)
    estimator = MixtureDensityEstimator(
        checkpoint=outputs.checkpoint(),
        verbose=True,
        random_state=options.seed,
        **{name: vars(options)[name] for name in ("cost", "components", "steps") if name in vars(options)},
    )
    print(
        f"learning the density of {', '.join(names)}: {len(train)} rows, {len(test)} more for the report.\n"
        "To predict a column from the others instead, name it by --target."
    )
    start = time.perf_counter()
    estimator.fit(require("polars", "Reading tables").DataFrame(X[train], schema=names))  # the model keeps the names
    seconds = time.perf_counter() - start
    print(f"{estimator.plan_}")
    scores = density_report(
        outputs.report,
        estimator,
        X[train],
        X[test],
        title=f"Density of {options.table.name}",
        facts=_facts(options, train, test, seconds),
        notes=notes,
    )
    estimator.save(outputs.model)
    print(scores)


def _split(n: int, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows to learn from and those to test on."""
    order = np.random.default_rng(seed).permutation(n)
    held_out = max(1, round(share * n))
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def _say(notes: list[str]) -> None:
    for note in notes:
        print(f"note: {note}")


def _facts(
    options: argparse.Namespace, train: NDArray[np.int64], test: NDArray[np.int64], seconds: float
) -> list[tuple[str, str]]:
    return [
        ("table", options.table.name),
        ("rows", f"{len(train)} to learn from, {len(test)} to test on, split at random with seed {options.seed}"),
        ("time", f"{seconds:.0f} s"),
    ]
