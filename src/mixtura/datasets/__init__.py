"""Exact toy problems and readers of real files."""

from mixtura.datasets.densities import draw, grid, ring, separated_gaussians
from mixtura.datasets.encoding import TableEncoder, read_targets
from mixtura.datasets.images import read_cifar10, read_idx_images, read_image_folder, read_npz_images
from mixtura.datasets.tables import read_table, write_table
from mixtura.datasets.toy import inverse_sine, inverse_sine_log_prob, inverse_sine_optimum

__all__ = [
    "TableEncoder",
    "draw",
    "grid",
    "inverse_sine",
    "inverse_sine_log_prob",
    "inverse_sine_optimum",
    "read_cifar10",
    "read_idx_images",
    "read_image_folder",
    "read_npz_images",
    "read_table",
    "read_targets",
    "ring",
    "separated_gaussians",
    "write_table",
]
