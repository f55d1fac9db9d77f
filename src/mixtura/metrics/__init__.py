"""How good a predicted distribution is, and how good samples are."""

from mixtura.metrics.backtests import (
    BacktestResult,
    christoffersen_test,
    conditional_coverage_test,
    kupiec_test,
    shortfall_test,
)
from mixtura.metrics.calibration import Coverage, PitTest, coverage, pit, pit_test
from mixtura.metrics.conformal import ConformalLevels, highest_density_mass
from mixtura.metrics.discrepancy import rational_quadratic_mmd, resimulation_error
from mixtura.metrics.events import ReliabilityBin, brier_score, reliability
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
from mixtura.metrics.tail_risk import expected_shortfall
from mixtura.metrics.two_samples import TwoSampleTest, classifier_two_sample_test

__all__ = [
    "BacktestResult",
    "ConformalLevels",
    "Coverage",
    "DistributionScorer",
    "EnergyScore",
    "KernelMMD",
    "ModeCoverage",
    "PitTest",
    "PrecisionRecall",
    "ReliabilityBin",
    "TwoSampleTest",
    "brier_score",
    "christoffersen_test",
    "classifier_two_sample_test",
    "clustering_purity",
    "conditional_coverage_test",
    "coverage",
    "coverage_scorer",
    "crps",
    "crps_scorer",
    "distance_distribution_error",
    "diversity",
    "energy_score",
    "energy_scorer",
    "expected_shortfall",
    "frechet_distance",
    "grid_step",
    "highest_density_mass",
    "interval_log_prob",
    "interval_score",
    "kernel_mmd",
    "kupiec_test",
    "mode_coverage",
    "nll_scorer",
    "pinball",
    "pinball_scorer",
    "pit",
    "pit_test",
    "precision_recall",
    "rational_quadratic_mmd",
    "reliability",
    "resimulation_error",
    "shortfall_test",
]
