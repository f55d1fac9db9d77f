"""Exact toy problems and readers of real files."""

from mixtura.datasets.densities import draw, grid, ring, separated_gaussians
from mixtura.datasets.drawn_text import WRITING_FACES, Writer, draw_text, random_writer
from mixtura.datasets.encoding import TableEncoder, read_targets
from mixtura.datasets.folder import data_file
from mixtura.datasets.images import read_cifar10, read_idx_images, read_image_folder, read_npz_images
from mixtura.datasets.markets import in_volatility, price_series, read_prices
from mixtura.datasets.mechanics import (
    arm_joints,
    arm_prior,
    ballistics,
    ballistics_prior,
    inverse_ballistics,
    inverse_kinematics,
    robot_arm,
)
from mixtura.datasets.posteriors import rejection_posterior
from mixtura.datasets.series import DailySeries, YearSplit, walk_forward
from mixtura.datasets.simulators import inverse_two_moons, two_moons, two_moons_log_prob, two_moons_posterior
from mixtura.datasets.strokes import (
    read_iam_strokes,
    read_iam_text,
    read_strokes,
    scale_strokes,
    stroke_lines,
    stroke_scale,
)
from mixtura.datasets.tables import read_table, write_table
from mixtura.datasets.toy import inverse_sine, inverse_sine_log_prob, inverse_sine_optimum
from mixtura.datasets.weather import read_weather, weather_series
from mixtura.datasets.words import random_lines, random_words

__all__ = [
    "WRITING_FACES",
    "DailySeries",
    "TableEncoder",
    "Writer",
    "YearSplit",
    "arm_joints",
    "arm_prior",
    "ballistics",
    "ballistics_prior",
    "data_file",
    "draw",
    "draw_text",
    "grid",
    "in_volatility",
    "inverse_ballistics",
    "inverse_kinematics",
    "inverse_sine",
    "inverse_sine_log_prob",
    "inverse_sine_optimum",
    "inverse_two_moons",
    "price_series",
    "random_lines",
    "random_words",
    "random_writer",
    "read_cifar10",
    "read_iam_strokes",
    "read_iam_text",
    "read_idx_images",
    "read_image_folder",
    "read_npz_images",
    "read_prices",
    "read_strokes",
    "read_table",
    "read_targets",
    "read_weather",
    "rejection_posterior",
    "ring",
    "robot_arm",
    "scale_strokes",
    "separated_gaussians",
    "stroke_lines",
    "stroke_scale",
    "two_moons",
    "two_moons_log_prob",
    "two_moons_posterior",
    "walk_forward",
    "weather_series",
    "write_table",
]
