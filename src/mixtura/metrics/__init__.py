"""How good a predicted distribution is."""

from mixtura.metrics.calibration import Coverage, coverage, pit
from mixtura.metrics.scores import crps

__all__ = ["Coverage", "coverage", "crps", "pit"]
