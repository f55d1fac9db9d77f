"""Whether one forecast scores better than another, day by day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Difference", "paired_difference"]

Array = NDArray[np.float64]

_LAGS = 10
"""Days over which differences may be correlated."""


@dataclass(frozen=True)
class Difference:
    """Mean of daily differences."""

    mean: float
    standard_error: float

    def verdict(self, lower_is_better: bool = False) -> str:
        """Say whether the first forecast is the better one, and whether by more than two standard errors.

        Example:
            >>> Difference(0.03, 0.01).verdict(), Difference(0.01, 0.01).verdict(lower_is_better=True)
            ('clearly better', 'worse, within two standard errors')
        """
        word = "better" if (self.mean > 0) != lower_is_better else "worse"
        return f"clearly {word}" if abs(self.mean) > 2 * self.standard_error else f"{word}, within two standard errors"

    def __str__(self) -> str:
        return f"{self.mean:+.4f} ± {self.standard_error:.4f}"


def paired_difference(a: Array, b: Array) -> Difference:
    r"""Return the mean of ``a - b`` over days and its standard error, which allows for ten days of correlation.

    ``se² = (γ_0 + 2 Σ_(l<=L) (1 - l/(L+1)) γ_l) / T`` with γ_l the autocovariance of the differences at lag l.

    Args:
        a, b: scores of the same days, in the order of time, shape ``(T,)``.

    Source:
        Diebold & Mariano 1995, "Comparing predictive accuracy"; the weights are those of Newey & West 1987.

    Example:
        >>> print(paired_difference(np.array([1.0, 2.0, 3.0, 2.0]), np.ones(4)))
        +1.0000 ± 0.1508
    """
    d = a - b
    n, away = len(d), d - d.mean()
    covariance = [away[lag:] @ away[: n - lag] / n for lag in range(min(_LAGS + 1, n))]
    share = [1.0] + [2 * (1 - lag / (_LAGS + 1)) for lag in range(1, len(covariance))]
    return Difference(float(d.mean()), float(max(np.dot(share, covariance), 0.0) / n) ** 0.5)
