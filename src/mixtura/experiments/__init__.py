"""Each claim of the source papers as an experiment that can be run."""

from collections.abc import Callable

from mixtura.experiments.approximation import approximation
from mixtura.experiments.debiasing import debiasing
from mixtura.experiments.gaussian_or_distance import gaussian_or_distance
from mixtura.experiments.identity import identity
from mixtura.experiments.images import images
from mixtura.experiments.modes import modes
from mixtura.experiments.optimal_variance import optimal_variance
from mixtura.experiments.record import Cell, Curves, Options, Picture, Record, Scatter, Sheet, Table
from mixtura.experiments.variance_sweep import variance_sweep

__all__ = ["EXPERIMENTS", "Cell", "Curves", "Options", "Picture", "Record", "Scatter", "Sheet", "Table"]

EXPERIMENTS: dict[str, Callable[[Options], Record]] = {
    "approximation": approximation,
    "debiasing": debiasing,
    "gaussian-or-distance": gaussian_or_distance,
    "identity": identity,
    "images": images,
    "modes": modes,
    "optimal-variance": optimal_variance,
    "variance-sweep": variance_sweep,
}
"""Experiments by name."""
