"""Neural mixture densities: learn whole distributions instead of averages."""

from mixtura import distributions, nn, training
from mixtura.distributions import Diagonal, Full, GaussianMixture, Isotropic, Precision
from mixtura.estimators import MixtureDensityRegressor

__all__ = [
    "Diagonal",
    "Full",
    "GaussianMixture",
    "Isotropic",
    "MixtureDensityRegressor",
    "Precision",
    "distributions",
    "nn",
    "training",
]
