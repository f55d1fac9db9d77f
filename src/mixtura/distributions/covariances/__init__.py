"""The kinds of covariance that a Gaussian mixture can have."""

from mixtura.distributions.covariances.base import Covariance
from mixtura.distributions.covariances.diagonal import Diagonal
from mixtura.distributions.covariances.full import Full
from mixtura.distributions.covariances.isotropic import Isotropic
from mixtura.distributions.covariances.low_rank import LowRank
from mixtura.distributions.covariances.precision import Precision

__all__ = ["Covariance", "Diagonal", "Full", "Isotropic", "LowRank", "Precision"]
