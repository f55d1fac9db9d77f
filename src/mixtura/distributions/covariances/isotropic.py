"""Covariances ``v I``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mixtura.distributions.covariances.base import Covariance
from mixtura.distributions.covariances.checks import check_positive
from mixtura.distributions.covariances.diagonal import Diagonal

__all__ = ["Isotropic"]


class Isotropic(Covariance):
    """Hold covariances ``S_k = v_k I``, one variance for all directions.

    Args:
        variance: ``v`` in squared units of x; a number (in the precision of the mixture's means) or shape ``()`` ties
            all components, ``(*B, K)`` gives each its own.

    Raises:
        ValueError: from :class:`~mixtura.GaussianMixture`, where a variance is not positive.

    Example:
        >>> import mixtura as mx
        >>> mx.Isotropic(0.25).dense(2)
        tensor([[0.2500, 0.0000],
                [0.0000, 0.2500]], dtype=torch.float64)
    """

    event_dims = 0

    def __init__(self, variance: float | Tensor) -> None:
        super().__init__(variance if isinstance(variance, Tensor) else torch.tensor(variance, dtype=torch.float64))

    @property
    def variance(self) -> Tensor:
        """The variances v."""
        return self.parameter

    def validate(self) -> None:
        check_positive(self.variance, 0, "The variance")

    def whiten(self, x: Tensor) -> Tensor:
        return x / self.variance.sqrt().unsqueeze(-1)

    def color(self, z: Tensor) -> Tensor:
        return z * self.variance.sqrt().unsqueeze(-1)

    def half_log_det(self, D: int) -> Tensor:
        return 0.5 * D * self.variance.log()

    def variances(self, D: int) -> Tensor:
        return self.variance.unsqueeze(-1).expand(*self.batch_shape, D)

    def dense(self, D: int) -> Tensor:
        return torch.diag_embed(self.variances(D))

    def precision_matrix(self, D: int) -> Tensor:
        return torch.diag_embed(1 / self.variances(D))

    def regression(self) -> tuple[Tensor, None]:
        return self.variance.sqrt().unsqueeze(-1), None

    def rescale(self, scale: Tensor) -> Covariance:
        return Diagonal(self.variances(len(scale)) * scale**2)

    def marginal(self, dims: Sequence[int]) -> Covariance:
        return self
