"""Neural mixture densities: learn whole distributions instead of averages."""

from mixtura import costs, distributions, hilbert, metrics, nn, selection, training
from mixtura.distributions import (
    AtomMixture,
    CauchyMixture,
    Diagonal,
    Full,
    GaussianMixture,
    Isotropic,
    LaplaceMixture,
    LowRank,
    Precision,
    VonMisesMixture,
)
from mixtura.estimators import MixtureAutoencoder, MixtureDensityEstimator, MixtureDensityRegressor

__all__ = [
    "AtomMixture",
    "CauchyMixture",
    "Diagonal",
    "Full",
    "GaussianMixture",
    "Isotropic",
    "LaplaceMixture",
    "LowRank",
    "MixtureAutoencoder",
    "MixtureDensityEstimator",
    "MixtureDensityRegressor",
    "Precision",
    "VonMisesMixture",
    "costs",
    "distributions",
    "hilbert",
    "metrics",
    "nn",
    "selection",
    "training",
]
