"""How good a predicted distribution is, and how good samples are."""

from mixtura.metrics.calibration import Coverage, PitTest, coverage, pit, pit_test
from mixtura.metrics.conformal import ConformalLevels, highest_density_mass
from mixtura.metrics.frechet import KernelMMD, frechet_distance, kernel_mmd
from mixtura.metrics.grids import grid_step, interval_log_prob
from mixtura.metrics.manifold import (
    PrecisionRecall,
    clustering_purity,
    distance_distribution_error,
    diversity,
    precision_recall,
)
from mixtura.metrics.modes import ModeCoverage, mode_coverage
from mixtura.metrics.quantile_scores import interval_score, pinball
from mixtura.metrics.scorers import (
    DistributionScorer,
    coverage_scorer,
    crps_scorer,
    energy_scorer,
    nll_scorer,
    pinball_scorer,
)
from mixtura.metrics.scores import EnergyScore, crps, energy_score

__all__ = [
    "ConformalLevels",
    "Coverage",
    "DistributionScorer",
    "EnergyScore",
    "KernelMMD",
    "ModeCoverage",
    "PitTest",
    "PrecisionRecall",
    "clustering_purity",
    "coverage",
    "coverage_scorer",
    "crps",
    "crps_scorer",
    "distance_distribution_error",
    "diversity",
    "energy_score",
    "energy_scorer",
    "frechet_distance",
    "grid_step",
    "highest_density_mass",
    "interval_log_prob",
    "interval_score",
    "kernel_mmd",
    "mode_coverage",
    "nll_scorer",
    "pinball",
    "pinball_scorer",
    "pit",
    "pit_test",
    "precision_recall",
]
