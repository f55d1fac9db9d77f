"""Singular values of Gram matrices: nuclear norms with a certificate, spectra and effective ranks."""

from mixtura.hilbert.spectral.matrix import Method, nuclear_norm
from mixtura.hilbert.spectral.mixtures import log_nuclear_norm
from mixtura.hilbert.spectral.values import effective_rank, log_singular_values

__all__ = ["Method", "effective_rank", "log_nuclear_norm", "log_singular_values", "nuclear_norm"]
