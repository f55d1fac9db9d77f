"""Draw rows from a density that was learnt from a table."""

from __future__ import annotations

import argparse
from pathlib import Path

from mixtura._optional import require
from mixtura.cli.table_model import refuse_autoencoder
from mixtura.datasets import write_table
from mixtura.estimators import MixtureDensityEstimator
from mixtura.estimators.storage import read_model
from mixtura.report import check_folder

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mixtura sample``."""
    parser.add_argument("model", type=Path, help="model file that `mixtura fit` wrote without a --target")
    parser.add_argument("-n", "--rows", type=int, default=1000, help="how many")
    parser.add_argument(
        "--out",
        type=Path,
        default=argparse.SUPPRESS,
        help="table to write, .csv or .parquet (default: MODEL.samples.csv here)",
    )
    parser.add_argument("--seed", type=int, default=0, help="another one draws other rows")


def run(options: argparse.Namespace) -> None:
    """Write a table of fresh rows."""
    out = check_folder(getattr(options, "out", Path(options.model.stem + ".samples.csv")))
    if options.rows < 1:
        raise ValueError(f"-n must be positive, got {options.rows}.")
    config, tensors = read_model(options.model)
    refuse_autoencoder(options.model, config)
    if config.get("class") != MixtureDensityEstimator.__name__:
        raise ValueError(
            f"{options.model} holds a model of a column given others, a {config.get('class')}, which has no rows to "
            "sample: use `mixtura predict`, or fit the table without --target."
        )
    model = MixtureDensityEstimator.from_state(options.model, config, tensors).set_params(random_state=options.seed)
    names = getattr(model, "feature_names_in_", [f"column {d + 1}" for d in range(model.n_features_in_)])
    rows = model.sample(options.rows)
    write_table(require("polars", "Writing tables").DataFrame(rows, schema=list(names)), out)
    print(f"samples: {out} ({len(rows)} rows)")
