"""Each claim of the source papers as an experiment that can be run."""

from collections.abc import Callable

from mixtura.experiments.modes import modes
from mixtura.experiments.record import Cell, Curves, Options, Picture, Record, Scatter, Sheet, Table

__all__ = ["EXPERIMENTS", "Cell", "Curves", "Options", "Picture", "Record", "Scatter", "Sheet", "Table"]

EXPERIMENTS: dict[str, Callable[[Options], Record]] = {
    "modes": modes,
}
"""Experiments by name."""
