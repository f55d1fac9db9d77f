"""The command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mixtura.cli import demo, experiment, fit, predict, sample
from mixtura.training import fitting_threads

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``mixtura`` and return its exit code: 0, or 2 with a sentence on standard error where the input is wrong."""
    parser = argparse.ArgumentParser(prog="mixtura", description="Learn whole distributions instead of averages.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (demo, fit, predict, sample, experiment):
        name = command.__name__.rpartition(".")[2]
        summary = (command.__doc__ or "").strip().splitlines()[0]
        sub = commands.add_parser(
            name, help=summary, description=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    try:
        with fitting_threads(work=0):  # its networks are small, and its machine may be busy
            options.run(options)
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        print(f"mixtura: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mixtura: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
