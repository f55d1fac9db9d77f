"""The scikit-learn face of the library."""

from mixtura.estimators.autoencoder import MixtureAutoencoder
from mixtura.estimators.density import MixtureDensityEstimator
from mixtura.estimators.regressor import MixtureDensityRegressor

__all__ = ["MixtureAutoencoder", "MixtureDensityEstimator", "MixtureDensityRegressor"]
