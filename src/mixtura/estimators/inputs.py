"""What a network sees of its inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from sklearn.preprocessing import QuantileTransformer, StandardScaler

__all__ = ["ROUGHNESS", "Inputs"]

Array = NDArray[np.float64]
_FAR = 10.0
"""A standardised input is cut here, so that one wild value cannot throw the network out of what it knows."""
_TAIL = 3.0
"""A quantile-normalised input is cut here, which is where 1 in 700 of a normal sample lies."""
_LARGEST = 1e150
"""What is larger cannot be squared."""
ROUGHNESS = (0.25, 0.5, 0.75)
"""Views to choose from: for targets that are smooth in the inputs, and for such as step and ripple."""
_OCTAVES = 5
"""Of the waves: the shortest has a wavelength of an eighth of the rows."""


class Inputs:
    r"""Give every column in three views, side by side: standardised, mapped through its quantiles to a normal
    distribution, and as waves of its quantile u in [0, 1].

    The first keeps distances, the second resolves skewed and clustered columns. The waves ``ρ^(k+1) sin(2^k π u)`` and
    ``ρ^(k+1) cos(2^k π u)``, k = 0 .. 4, let a network follow steps and ripples that it would learn late or never from
    the other two (Gorishniy et al. 2022, "On embeddings for numerical features in tabular deep learning"). The smaller
    their amplitude, the later short waves are learnt: the roughness ρ says what kind of function is expected.

    Args:
        roughness: ρ.
    """

    def __init__(self, roughness: float = 0.5) -> None:
        self.roughness = roughness
        self._standard = StandardScaler()
        self._quantile = QuantileTransformer(output_distribution="normal", subsample=100_000, random_state=0)

    def fit(self, X: Array) -> Inputs:
        """Learn the scales of the columns of X, shape (n, d).

        Raises:
            ValueError: where a column is too large to be squared.
        """
        largest = np.abs(X).max(0)
        if largest.max() > _LARGEST:
            raise ValueError(
                f"feature {largest.argmax()} of X reaches {largest.max():g}, which cannot be squared in float64: "
                "divide it by a power of ten."
            )
        self._standard.fit(X)
        self._quantile.set_params(n_quantiles=min(1000, len(X))).fit(X)
        return self

    @property
    def width(self) -> int:
        """Number of inputs that a network gets."""
        return (2 + 2 * _OCTAVES) * self._standard.n_features_in_

    def transform(self, X: Array) -> Array:
        """Return the views side by side, shape (n, width)."""
        return self._columns(X) * self._amplitudes(self.roughness)

    def choices(self, X: Array) -> list[Array]:
        """Return what :meth:`transform` would with each of :data:`ROUGHNESS`."""
        columns = self._columns(X)
        return [columns * self._amplitudes(roughness) for roughness in ROUGHNESS]

    def _columns(self, X: Array) -> Array:
        """Return the views with waves of amplitude one."""
        near = np.clip(self._standard.transform(X), -_FAR, _FAR)
        normal = np.clip(self._quantile.transform(X), -_TAIL, _TAIL)
        angle = np.pi * ndtr(normal)
        return np.hstack([near, normal, *(f(2**k * angle) for f in (np.sin, np.cos) for k in range(_OCTAVES))])

    def _amplitudes(self, roughness: float) -> Array:
        falling = [roughness ** (k + 1) for k in range(_OCTAVES)]
        return np.repeat([1.0, 1.0, *falling, *falling], self._standard.n_features_in_)

    def state(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_state` needs."""
        return {
            "mean": np.asarray(self._standard.mean_),
            "scale": np.asarray(self._standard.scale_),
            "quantiles": self._quantile.quantiles_,
            "references": self._quantile.references_,
            "roughness": np.array(self.roughness),
        }

    @classmethod
    def from_state(cls, state: dict[str, Array]) -> Inputs:
        """Return the inputs that had this state."""
        self = cls(float(state["roughness"]))
        self._standard.mean_, self._standard.scale_ = state["mean"], state["scale"]
        self._quantile.quantiles_, self._quantile.references_ = state["quantiles"], state["references"]
        for transformer in (self._standard, self._quantile):
            transformer.n_features_in_ = len(state["mean"])
        self._quantile.n_quantiles_ = len(state["references"])
        return self
