"""Mixtures as ``torch.distributions``."""

from mixtura.distributions.covariances import Covariance, Diagonal, Full, Isotropic, Precision
from mixtura.distributions.gaussian import GaussianMixture
from mixtura.distributions.modes import Modes

__all__ = ["Covariance", "Diagonal", "Full", "GaussianMixture", "Isotropic", "Modes", "Precision"]
