"""Reports: one HTML file each, to be opened from disk."""

from mixtura.report.autoencoder import AutoencoderScores, autoencoder_chapter, autoencoder_report
from mixtura.report.density import DensityScores, density_chapter, density_report
from mixtura.report.experiment import experiment_chapter, experiment_report
from mixtura.report.page import chapter, check_folder, page, paragraph, write_page
from mixtura.report.regression import regression_chapter, regression_report
from mixtura.report.scores import Score, Scores
from mixtura.report.strokes_svg import strokes_svg, write_strokes_svg

__all__ = [
    "AutoencoderScores",
    "DensityScores",
    "Score",
    "Scores",
    "autoencoder_chapter",
    "autoencoder_report",
    "chapter",
    "check_folder",
    "density_chapter",
    "density_report",
    "experiment_chapter",
    "experiment_report",
    "page",
    "paragraph",
    "regression_chapter",
    "regression_report",
    "strokes_svg",
    "write_page",
    "write_strokes_svg",
]
