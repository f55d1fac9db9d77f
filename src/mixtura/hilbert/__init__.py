"""The Hilbert space of mixtures: inner products in closed form, in logs, at any size."""

from mixtura.hilbert.diagonal import log_diagonal
from mixtura.hilbert.divergences import cauchy_schwarz_divergence, kernel_mean_discrepancy, l2_distance
from mixtura.hilbert.inner import log_gram, log_inner, log_inner_components, log_norm
from mixtura.hilbert.projections import log_projected_norm, log_projected_trace
from mixtura.hilbert.spectral import effective_rank, log_nuclear_norm, log_singular_values

__all__ = [
    "cauchy_schwarz_divergence",
    "effective_rank",
    "kernel_mean_discrepancy",
    "l2_distance",
    "log_diagonal",
    "log_gram",
    "log_inner",
    "log_inner_components",
    "log_norm",
    "log_nuclear_norm",
    "log_projected_norm",
    "log_projected_trace",
    "log_singular_values",
]
