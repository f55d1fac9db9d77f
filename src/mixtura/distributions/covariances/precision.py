"""Covariances given by the Cholesky factor of their inverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

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

    @classmethod
    def from_regression(cls, scale: Tensor, below: Tensor) -> Self:
        """Return the covariances with ``U = diag(1/scale)(I + B)``.

        U is formed when something asks for it; on a CPU the log-density of one value for each mixture does not.

        Args:
            scale: conditional standard deviations, shape ``(*B, K, D)``.
            below: rows of the strictly lower triangular B one after another, shape ``(*B, K, D(D-1)/2)``.

        Raises:
            ValueError: where the shapes do not fit.

        Example:
            >>> import torch, mixtura as mx
            >>> mx.Precision.from_regression(torch.tensor([2.0, 0.5]), torch.tensor([-1.0])).tril
            tensor([[ 0.5000,  0.0000],
                    [-2.0000,  2.0000]])
        """
        D = scale.shape[-1]
        if below.shape != (*scale.shape[:-1], D * (D - 1) // 2):
            raise ValueError(
                f"scale has shape {tuple(scale.shape)} and below {tuple(below.shape)}; they must be (*B, K, D) and "
                "(*B, K, D(D-1)/2) with the same *B and K."
            )
        return cls._from_factors(scale, below)

    def _form(self, *factors: Tensor) -> Tensor:
        scale, below = factors
        D = scale.shape[-1]
        rows, columns = torch.tril_indices(D, D, -1, device=scale.device)
        unit = torch.eye(D, dtype=scale.dtype, device=scale.device).repeat(*self.batch_shape, 1, 1)
        unit[..., rows, columns] = below
        return unit / scale.unsqueeze(-1)

    @property
    def tril(self) -> Tensor:
        """The lower-triangular factors U."""
        return self.parameter

    def _scale_tril(self) -> Tensor:
        """``L = U⁻¹``, for S = U⁻¹ U⁻ᵀ and the inverse of a lower-triangular matrix is lower triangular."""
        U = self.tril
        eye = torch.eye(U.shape[-1], dtype=U.dtype, device=U.device)
        return torch.linalg.solve_triangular(U, eye.expand_as(U), upper=False)

    def validate(self) -> None:
        check_diagonal(self.tril, "tril")

    def regression(self) -> tuple[Tensor, Tensor] | None:
        return None if self._factors is None else (self._factors[0], self._factors[1])

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
        U = self.tril
        return U.mT @ U

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
