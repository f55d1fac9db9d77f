"""Covariances with uncorrelated coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from mixtura.distributions.covariances.base import Covariance
from mixtura.distributions.covariances.checks import check_positive

__all__ = ["Diagonal"]


class Diagonal(Covariance):
    """Hold covariances ``S_k = diag(v_k)``, one variance per coordinate.

    Args:
        variance: ``v`` in squared units of x; shape ``(D,)`` ties all components, ``(*B, K, D)`` gives each its own.

    Raises:
        ValueError: from :class:`~mixtura.GaussianMixture`, where a variance is not positive.

    Example:
        >>> import torch, mixtura as mx
        >>> mx.Diagonal(torch.tensor([1.0, 4.0])).half_log_det(2).exp()
        tensor(2.)
    """

    event_dims = 1

    def __init__(self, variance: Tensor) -> None:
        super().__init__(variance)

    @classmethod
    def from_scale(cls, scale: Tensor) -> Self:
        """Return the covariances of standard deviations ``scale``, for which a log-density needs no square root.

        Example:
            >>> import torch, mixtura as mx
            >>> mx.Diagonal.from_scale(torch.tensor([1.0, 2.0])).variance
            tensor([1., 4.])
        """
        return cls._from_factors(scale)

    @property
    def variance(self) -> Tensor:
        """The variances v."""
        return self.parameter

    def validate(self) -> None:
        check_positive(self.variance, 1, "A variance")

    def whiten(self, x: Tensor) -> Tensor:
        return x / self.variance.sqrt()

    def color(self, z: Tensor) -> Tensor:
        return z * self.variance.sqrt()

    def half_log_det(self, D: int) -> Tensor:
        return 0.5 * self.variance.log().sum(-1)

    def variances(self, D: int) -> Tensor:
        return self.variance

    def dense(self, D: int) -> Tensor:
        return torch.diag_embed(self.variance)

    def precision_matrix(self, D: int) -> Tensor:
        return torch.diag_embed(1 / self.variance)

    def regression(self) -> tuple[Tensor, None]:
        return self.variance.sqrt() if self._factors is None else self._factors[0], None

    def _form(self, *factors: Tensor) -> Tensor:
        return factors[0].square()

    def rescale(self, scale: Tensor) -> Covariance:
        return Diagonal(self.variance * scale**2)

    def marginal(self, dims: Sequence[int]) -> Covariance:
        return Diagonal(self.variance[..., list(dims)])
