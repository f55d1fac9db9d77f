"""How good a predicted distribution is, and how good samples are."""

from mixtura.metrics.calibration import Coverage, coverage, pit
from mixtura.metrics.frechet import KernelMMD, frechet_distance, kernel_mmd
from mixtura.metrics.manifold import (
    PrecisionRecall,
    clustering_purity,
    distance_distribution_error,
    diversity,
    precision_recall,
)
from mixtura.metrics.modes import ModeCoverage, mode_coverage
from mixtura.metrics.scores import crps

__all__ = [
    "Coverage",
    "KernelMMD",
    "ModeCoverage",
    "PrecisionRecall",
    "clustering_purity",
    "coverage",
    "crps",
    "distance_distribution_error",
    "diversity",
    "frechet_distance",
    "kernel_mmd",
    "mode_coverage",
    "pit",
    "precision_recall",
]
