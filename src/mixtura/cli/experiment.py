"""Run a claim of the source papers as an experiment, with a picture, a table and a JSON record."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from mixtura.experiments import EXPERIMENTS, Options
from mixtura.report import check_folder, experiment_report, write_strokes_svg

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mixtura experiment``."""
    parser.add_argument("name", choices=sorted(EXPERIMENTS), help="which one")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="SEED", help="one run for each")
    parser.add_argument("--quick", action="store_true", help="a small part of the work: shows that it runs")
    parser.add_argument(
        "--data",
        type=Path,
        default=argparse.SUPPRESS,
        help="folder of real data, where one is needed (default: MIXTURA_DATA of the environment)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        help="existing folder for NAME.html, the report, NAME.json, the record, and NAME.svg, where something moves",
    )


def run(options: argparse.Namespace) -> None:
    """Run the experiment, print its tables and write its report and its record."""
    report = check_folder(options.out / f"{options.name}.html")
    record_path = check_folder(options.out / f"{options.name}.json")
    folder = getattr(options, "data", None) or os.environ.get("MIXTURA_DATA")
    start = time.perf_counter()
    record = EXPERIMENTS[options.name](
        Options(tuple(options.seeds), options.quick, None if folder is None else Path(folder))
    )
    for finding in record.findings:
        print(f"- {finding}")
    experiment_report(report, record)
    if record.animation is not None:
        moving, path = record.animation, report.with_suffix(".svg")
        write_strokes_svg(path, moving.drawings, moving.labels, columns=moving.columns)
        print(f"\nanimation: {path.resolve()}", end="")
    seconds = round(time.perf_counter() - start, 1)
    record_path.write_text(json.dumps(record.to_json() | {"seconds": seconds}, indent=1) + "\n", encoding="utf-8")
    print(f"\nreport: {report.resolve()}\nrecord: {record_path.resolve()}\n{seconds:.0f} s")
