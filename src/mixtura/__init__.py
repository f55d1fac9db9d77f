"""Neural mixture densities: learn whole distributions instead of averages."""

from mixtura import distributions, hilbert, nn, training
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
from mixtura.estimators import MixtureDensityRegressor

__all__ = [
    "AtomMixture",
    "CauchyMixture",
    "Diagonal",
    "Full",
    "GaussianMixture",
    "Isotropic",
    "LaplaceMixture",
    "LowRank",
    "MixtureDensityRegressor",
    "Precision",
    "VonMisesMixture",
    "distributions",
    "hilbert",
    "nn",
    "training",
]
