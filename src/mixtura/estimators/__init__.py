"""The scikit-learn face of the library."""

from mixtura.estimators.regressor import MixtureDensityRegressor

__all__ = ["MixtureDensityRegressor"]
