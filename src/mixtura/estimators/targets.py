"""Targets in units that a network learns well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from mixtura.distributions import AtomMixture, Mixture
from mixtura.estimators.inputs import Array
from mixtura.metrics import grid_step
from mixtura.nn.heads import Family

__all__ = ["Targets", "winsorized"]

_IQR = 1.349
"""Interquartile range of a standard normal."""
_OUTLYING = 5.0
"""What lies farther from the median than so many robust standard deviations is an outlier."""
_LARGEST = 1e145
"""A scale lies between this and its inverse: a component may be much narrower, and its square is a variance."""


@dataclass(frozen=True)
class Targets:
    """Hold where targets lie and how far they spread, shape (T,), in their own units."""

    mean: Array
    scale: Array
    step: Array
    """Of the grid that each target lies on; zero for none that matters."""
    single: bool
    """Whether they came as one column, shape (n,)."""

    @classmethod
    def fit(cls, y: Array, weight: Array, family: Family, robust: bool) -> Self:
        """Learn from targets of shape (n,) or (n, T).

        Angles are left as they are, and components that have one scale for all directions get one for all targets.

        Args:
            y: finite numbers.
            weight: of the rows, positive.
            family: of the components.
            robust: take median and interquartile range, which outliers do not move.

        Raises:
            ValueError: where a target is constant, its variance is no float64, or an angle is not in radians.
        """
        t = y.reshape(len(y), -1)
        constant = np.ptp(t, axis=0) == 0
        if constant.any():
            value = t[0, constant.argmax()]
            raise ValueError(
                f"y is constant: every value of target {constant.argmax()} is {value:g}, "
                "so there is no distribution to learn."
            )
        if family == "vonmises":
            if np.abs(t).max() > 2 * np.pi:
                raise ValueError(
                    f"family='vonmises' is for angles in radians, but y reaches {np.abs(t).max():g}: convert degrees "
                    "by np.deg2rad, and wrap angles into [-π, π)."
                )
            return cls(np.zeros(t.shape[1]), np.ones(t.shape[1]), _steps(t), y.ndim == 1)
        mean = np.average(t, axis=0, weights=weight)
        largest = np.abs(t - mean).max(0)  # whose square may leave the range of numbers
        scale = largest * np.sqrt(np.average(((t - mean) / largest) ** 2, axis=0, weights=weight))
        if robust:
            middle, spread = _middle_and_spread(t)
            mean, scale = np.where(spread > 0, [middle, spread], [mean, scale])
        if family == "cauchy":
            scale = np.full_like(scale, np.exp(np.log(scale).mean()))
        wrong = ~((scale > 1 / _LARGEST) & (scale < _LARGEST))
        if wrong.any():
            raise ValueError(
                f"y has targets of scale {scale[wrong][0]:g}, whose square is no float64: multiply y by a power of ten."
            )
        return cls(mean, scale, _steps(t), y.ndim == 1)

    @property
    def floor(self) -> Array:
        """The standard deviation of a uniform distribution over one cell of each target's grid, in standard units,
        shape (T,): below it, a component's width says nothing about the target. Zero where a target is on no grid."""
        return self.step / self.scale / 12**0.5

    @property
    def log_scale(self) -> float:
        """What a log-density in standard units loses in the targets' own."""
        return float(np.log(self.scale).sum())

    def standardize(self, y: Array) -> Array:
        """Return targets in standard units, shape (n, T)."""
        return (y.reshape(len(y), -1) - self.mean) / self.scale

    def restore(self, mixture: Mixture[Any] | AtomMixture, family: Family, atoms: Tensor | None) -> Any:
        """Return a mixture of standardised targets in the targets' own units.

        Args:
            mixture: with event_shape (T,).
            family: of the components; angles stay what they are.
            atoms: positions in the targets' own units, exactly, shape (A, T).
        """
        if isinstance(mixture, AtomMixture):
            q = self.restore(mixture.continuous, family, None)
            return AtomMixture(mixture.logits, torch.as_tensor(atoms), q, validate_args=False)
        if family != "vonmises":
            mixture = mixture.affine(torch.as_tensor(self.scale), torch.as_tensor(self.mean))
        return mixture

    def state(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_state` needs."""
        return {"mean": self.mean, "scale": self.scale, "step": self.step}

    @classmethod
    def from_state(cls, state: dict[str, Array], single: bool) -> Self:
        """Return the targets that had this state."""
        return cls(state["mean"], state["scale"], state["step"], single)


def winsorized(y: Array) -> Array:
    """Return targets with outliers moved to where outliers begin, five robust standard deviations from the median.

    Args:
        y: targets, shape (n,) or (n, T); those of which half are one value stay as they are.
    """
    middle, spread = _middle_and_spread(y)
    reach = np.where(spread > 0, _OUTLYING * spread, np.inf)
    return np.clip(y, middle - reach, middle + reach)


def _middle_and_spread(y: Array) -> tuple[Array, Array]:
    """Return median and interquartile range, as if that were a standard deviation."""
    low, middle, high = np.quantile(y, [0.25, 0.5, 0.75], axis=0)
    return middle, (high - low) / _IQR


def _steps(t: Array) -> Array:
    return np.array([grid_step(column) or 0.0 for column in t.T])
