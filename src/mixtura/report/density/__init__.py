"""The report on a density: what was learnt without a target, how well, and what to distrust."""

from mixtura.report.density.chapter import density_chapter, density_report
from mixtura.report.density.scores import DensityScores

__all__ = ["DensityScores", "density_chapter", "density_report"]
