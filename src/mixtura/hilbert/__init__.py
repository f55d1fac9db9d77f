"""The Hilbert space of mixtures: inner products in closed form, in logs, at any size."""

from mixtura.hilbert.divergences import cauchy_schwarz_divergence, kernel_mean_discrepancy, l2_distance
from mixtura.hilbert.inner import log_gram, log_inner, log_inner_components, log_norm

__all__ = [
    "cauchy_schwarz_divergence",
    "kernel_mean_discrepancy",
    "l2_distance",
    "log_gram",
    "log_inner",
    "log_inner_components",
    "log_norm",
]
