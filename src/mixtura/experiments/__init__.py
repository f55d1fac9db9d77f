"""Each claim of the source papers, and each application, as an experiment that can be run."""

from collections.abc import Callable

from mixtura.experiments.applications import (
    characters,
    exploration,
    finance,
    handwriting,
    kinematics,
    mixture_policies,
    shots,
    simulation_based_inference,
    weather,
)
from mixtura.experiments.approximation import approximation
from mixtura.experiments.bound_tracking import bound_tracking
from mixtura.experiments.class_conditional import class_conditional
from mixtura.experiments.cost_comparison import cost_comparison
from mixtura.experiments.debiasing import debiasing
from mixtura.experiments.faces import faces
from mixtura.experiments.gaussian_or_distance import gaussian_or_distance
from mixtura.experiments.identity import identity
from mixtura.experiments.images import images
from mixtura.experiments.modes import modes
from mixtura.experiments.optimal_variance import optimal_variance
from mixtura.experiments.reconstruction_diversity import reconstruction_diversity
from mixtura.experiments.record import Cell, Curves, Options, Paths, Picture, Record, Scatter, Sheet, Strokes, Table
from mixtura.experiments.variance_sweep import variance_sweep

__all__ = [
    "EXPERIMENTS",
    "Cell",
    "Curves",
    "Options",
    "Paths",
    "Picture",
    "Record",
    "Scatter",
    "Sheet",
    "Strokes",
    "Table",
]

EXPERIMENTS: dict[str, Callable[[Options], Record]] = {
    "approximation": approximation,
    "bound-tracking": bound_tracking,
    "class-conditional": class_conditional,
    "cost-comparison": cost_comparison,
    "coverage-bonus": exploration,
    "debiasing": debiasing,
    "faces": faces,
    "finance": finance,
    "gaussian-or-distance": gaussian_or_distance,
    "handwriting": handwriting,
    "identity": identity,
    "images": images,
    "inverse-ballistics": shots,
    "inverse-kinematics": kinematics,
    "mixture-policies": mixture_policies,
    "modes": modes,
    "optimal-variance": optimal_variance,
    "reconstruction-diversity": reconstruction_diversity,
    "simulation-based-inference": simulation_based_inference,
    "strokes": characters,
    "variance-sweep": variance_sweep,
    "weather": weather,
}
"""Experiments by name."""
