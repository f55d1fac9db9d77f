"""Covariances given by their Cholesky factor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mixtura.distributions.covariances.base import Covariance
from mixtura.distributions.covariances.checks import check_diagonal, check_square, triangular_apply, triangular_solve

__all__ = ["Full"]


class Full(Covariance):
    """Hold covariances ``S_k = L_k L_kᵀ`` by their lower Cholesky factors.

    Args:
        scale_tril: ``L`` in units of x, lower triangular with a positive diagonal; shape ``(D, D)`` ties all
            components, ``(*B, K, D, D)`` gives each its own.

    Raises:
        ValueError: from :class:`~mixtura.GaussianMixture`, where a factor is not lower triangular with a positive
            diagonal.

    Example:
        >>> import torch, mixtura as mx
        >>> mx.Full(torch.tensor([[2.0, 0.0], [1.0, 1.0]])).dense(2)
        tensor([[4., 2.],
                [2., 2.]])
    """

    event_dims = 2

    def __init__(self, scale_tril: Tensor) -> None:
        super().__init__(scale_tril)
        check_square(scale_tril, "scale_tril")

    @property
    def scale_tril(self) -> Tensor:
        """The lower Cholesky factors L."""
        return self.parameter

    def validate(self) -> None:
        check_diagonal(self.scale_tril, "scale_tril")

    def whiten(self, x: Tensor) -> Tensor:
        return triangular_solve(self.scale_tril, x)

    def color(self, z: Tensor) -> Tensor:
        return triangular_apply(self.scale_tril, z)

    def half_log_det(self, D: int) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def variances(self, D: int) -> Tensor:
        return self.scale_tril.square().sum(-1)

    def dense(self, D: int) -> Tensor:
        return self.scale_tril @ self.scale_tril.mT

    def precision_matrix(self, D: int) -> Tensor:
        return torch.cholesky_inverse(self.scale_tril)

    def rescale(self, scale: Tensor) -> Covariance:
        return Full(self.scale_tril * scale.unsqueeze(-1))

    def marginal(self, dims: Sequence[int]) -> Full:
        # S[dims, dims] = A Aᵀ with A the rows of L; the R of the QR of Aᵀ is its Cholesky factor without squaring A.
        rows = self.scale_tril[..., list(dims), :]  # (*, d, D)
        R = torch.linalg.qr(rows.mT).R  # (*, d, d); mode "r" would have no gradient
        sign = R.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-1)
        return Full((R * sign).mT)

    def condition(self, given: Sequence[int], rest: Sequence[int]) -> tuple[Tensor, Full]:
        # With b in front of a, L = [[L_bb, 0], [L_ab, L_aa]]: S_ab S_bb⁻¹ = L_ab L_bb⁻¹, and L_aa is what is left.
        L, b = self.marginal([*given, *rest]).scale_tril, len(given)
        regression = torch.linalg.solve_triangular(L[..., :b, :b], L[..., b:, :b], upper=False, left=False)
        return regression, Full(L[..., b:, b:])
