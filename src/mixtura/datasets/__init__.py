"""Exact toy problems and readers of real files."""

from mixtura.datasets.encoding import TableEncoder, read_targets
from mixtura.datasets.tables import read_table, write_table
from mixtura.datasets.toy import inverse_sine, inverse_sine_log_prob, inverse_sine_optimum

__all__ = [
    "TableEncoder",
    "inverse_sine",
    "inverse_sine_log_prob",
    "inverse_sine_optimum",
    "read_table",
    "read_targets",
    "write_table",
]
