"""Covariances given by the Cholesky factor of their inverse."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mixtura.distributions.covariances.base import Covariance
from mixtura.distributions.covariances.checks import check_diagonal, check_square, triangular_apply, triangular_solve
from mixtura.distributions.covariances.full import Full

__all__ = ["Precision"]


class Precision(Covariance):
    """Hold covariances by the factor of their precision, ``S_k⁻¹ = U_kᵀ U_k`` with ``U_k`` lower triangular.

    The log-density then needs a product where :class:`Full` needs a solve, which is why networks emit this form
    (Williams 1996, "Using neural networks to model conditional multivariate densities"). Row i of ``U`` is the
    regression of coordinate i on the coordinates before it, divided by its conditional standard deviation ``1 / U_ii``.

    Args:
        tril: ``U`` in inverse units of x, lower triangular with a positive diagonal; shape ``(D, D)`` ties all
            components, ``(*B, K, D, D)`` gives each its own.

    Raises:
        ValueError: from :class:`~mixtura.GaussianMixture`, where a factor is not lower triangular with a positive
            diagonal.

    Example:
        >>> import torch, mixtura as mx
        >>> mx.Precision(torch.tensor([[0.5, 0.0], [0.0, 2.0]])).dense(2)
        tensor([[4.0000, 0.0000],
                [0.0000, 0.2500]])
    """

    event_dims = 2

    def __init__(self, tril: Tensor) -> None:
        super().__init__(tril)
        check_square(tril, "tril")

    @property
    def tril(self) -> Tensor:
        """The lower-triangular factors U."""
        return self.parameter

    def _scale_tril(self) -> Tensor:
        """``L = U⁻¹``, for S = U⁻¹ U⁻ᵀ and the inverse of a lower-triangular matrix is lower triangular."""
        eye = torch.eye(self.tril.shape[-1], dtype=self.tril.dtype, device=self.tril.device)
        return torch.linalg.solve_triangular(self.tril, eye.expand_as(self.tril), upper=False)

    def validate(self) -> None:
        check_diagonal(self.tril, "tril")

    def whiten(self, x: Tensor) -> Tensor:
        return triangular_apply(self.tril, x)

    def color(self, z: Tensor) -> Tensor:
        return triangular_solve(self.tril, z)

    def half_log_det(self, D: int) -> Tensor:
        return -self.tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def variances(self, D: int) -> Tensor:
        return self._scale_tril().square().sum(-1)

    def dense(self, D: int) -> Tensor:
        L = self._scale_tril()
        return L @ L.mT

    def precision_matrix(self, D: int) -> Tensor:
        return self.tril.mT @ self.tril

    def rescale(self, scale: Tensor) -> Covariance:
        return Precision(self.tril / scale)

    def marginal(self, dims: Sequence[int]) -> Covariance:
        if list(dims) == list(range(len(dims))):
            return Precision(
                self.tril[..., : len(dims), : len(dims)]
            )  # the leading block regresses on nothing behind it
        return Full(self._scale_tril()).marginal(dims)

    def condition(self, given: Sequence[int], rest: Sequence[int]) -> tuple[Tensor | None, Covariance]:
        return Full(self._scale_tril()).condition(given, rest)
