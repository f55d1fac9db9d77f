"""Highest-density regions that hold the truth as often as they say, whatever the model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from mixtura.distributions import AtomMixture, HighestDensityRegion, Mixture
from mixtura.distributions.regions import log_mass_outside, region_outside
from mixtura.metrics.scores import check_rows

__all__ = ["ConformalLevels", "highest_density_mass"]

_CALIBRATION, _PREDICTION = 0, 1
"""Seeds of draws for several targets: the draws of new rows must not be those of the calibration."""
_ROUNDING = 1e-9


def highest_density_mass(mixture: Mixture[Any], y: Tensor) -> Tensor:
    """Return the mass of the smallest highest-density region that holds y: ``H(y) = ∫ 1{p(t) >= p(y)} p(t) dt``.

    It is uniform on [0, 1] where the distributions are right, as the probability integral transform is, but it also
    sees several targets together and gaps between modes. For one target it is exact; for several it is the rank of
    ``log p(y)`` among those of 1,000 draws, always of the same seed.

    Args:
        mixture: one distribution per row, of any continuous family, batch_shape B and event_shape ``()`` or ``(T,)``.
        y: what happened, shape ``(*B, *event_shape)``.

    Returns:
        Masses of shape ``B``.

    Raises:
        TypeError: for a mixture with atoms, whose masses and densities cannot be compared.
        ValueError: where y has another shape.

    Source:
        Hyndman 1996, "Computing and graphing highest density regions".

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(2, 1), torch.zeros(2, 1), mx.Isotropic(1.0), event_dim=0)
        >>> highest_density_mass(q, torch.tensor([0.0, -1.96])).round(decimals=3)
        tensor([0.0000, 0.9500])
    """
    _check(mixture, y)
    return torch.expm1(log_mass_outside(mixture, y)).abs()


@dataclass(frozen=True)
class ConformalLevels:
    """Levels at which highest-density regions hold the truth as often as asked, found on rows that the model did not
    learn from.

    With H the :func:`highest_density_mass` of n calibration rows, the region ``{y: H(y) <= the ⌈(n + 1) c⌉-th smallest
    H}`` holds a new y with a probability between c and ``c + 1/(n + 1)``, averaged over calibration sets, as long as
    the rows are exchangeable; the model may be wrong. Far out, where H rounds to one, ``log(1 - H)`` keeps its digits:
    so a model that is much too sure of itself is mended too. Equal scores, of repeated rows, only make the regions
    hold more.

    Source:
        Izbicki, Shimizu & Stern 2022, "CD-split and HPD-split: efficient conformal regions in high dimensions";
        Papadopoulos, Proedrou, Vovk & Gammerman 2002, "Inductive confidence machines for regression".

    Example:
        >>> import torch, mixtura as mx
        >>> y = torch.arange(-99.0, 100.0)  # the model says that y is near zero
        >>> q = mx.GaussianMixture(torch.zeros(199, 1), torch.zeros(199, 1), mx.Isotropic(1.0), event_dim=0)
        >>> levels = ConformalLevels.of(q, y)
        >>> levels.region(q.expand((199,)), coverage=0.9).intervals[0]
        tensor([[-90.,  90.]])
    """

    log_outside: Tensor
    """``log(1 - H)`` of the calibration rows, shape ``(n,)``, from the largest to the smallest."""

    @classmethod
    def of(cls, mixture: Mixture[Any], y: Tensor) -> Self:
        """Return the levels for a model, from its predictions of calibration rows.

        Args:
            mixture: one distribution per row, of any continuous family, batch_shape ``(n,)``.
            y: what happened, shape ``(n, *event_shape)``.

        Raises:
            TypeError: for a mixture with atoms.
            ValueError: where y has another shape, has no rows or holds NaN.
        """
        _check(mixture, y)
        scores = log_mass_outside(mixture, y, seed=_CALIBRATION).double().flatten()
        if not len(scores) or bool(scores.isnan().any()):
            raise ValueError("calibration needs at least one row, and no NaN in y or in the mixture.")
        return cls(scores.sort(descending=True).values)

    def log_mass_outside(self, coverage: float) -> float:
        """Return the log-probability that the model must see outside of a region for it to hold the truth with
        probability ``coverage``.

        Raises:
            ValueError: where coverage is not strictly between 0 and 1, or asks for more than n rows can tell.
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage must lie strictly between 0 and 1, got {coverage}.")
        n = len(self.log_outside)
        rank = math.ceil((n + 1) * coverage - _ROUNDING)
        if rank > n:
            raise ValueError(
                f"{n} calibration rows are too few for a coverage of {coverage:g}, which needs "
                f"{math.ceil(coverage / (1 - coverage) - _ROUNDING)}: calibrate with more rows or ask for at most "
                f"{n / (n + 1):.4g}."
            )
        return self.log_outside[rank - 1].item()

    def mass(self, coverage: float) -> float:
        """Return the mass that a region must have under the model for it to hold the truth with probability
        ``coverage``: equal to it where the model is right, larger where it is too sure of itself.

        Raises:
            ValueError: as :meth:`log_mass_outside`.
        """
        return -math.expm1(self.log_mass_outside(coverage))

    def region(self, mixture: Mixture[Any], coverage: float) -> HighestDensityRegion:
        """Return regions that hold the truth with probability ``coverage``.

        Args:
            mixture: predictions of the same model for new rows, any batch_shape.
            coverage: strictly between 0 and 1.

        Raises:
            ValueError: as :meth:`log_mass_outside`.
        """
        return region_outside(mixture, self.log_mass_outside(coverage), seed=_PREDICTION)


def _check(mixture: Mixture[Any], y: Tensor) -> None:
    if isinstance(mixture, AtomMixture):
        raise TypeError("an AtomMixture has masses and densities, which cannot be compared: use its continuous part.")
    check_rows(mixture, y)
