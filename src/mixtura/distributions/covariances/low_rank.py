"""Covariances with few directions of dependence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from mixtura.distributions.covariances.base import Covariance
from mixtura.distributions.covariances.checks import check_positive

__all__ = ["LowRank"]


class LowRank(Covariance):
    """Hold covariances ``S_k = F_k F_kᵀ + diag(v_k)`` of a factor with r columns and a diagonal.

    Everything but :meth:`dense` and :meth:`precision_matrix` costs O(D r), by the matrix inversion lemma with
    ``A = I + Fᵀ diag(v)⁻¹ F``. The Mahalanobis distance is a sum of squares,
    ``xᵀ S⁻¹ x = ‖(x - F y) / √v‖² + ‖y‖²`` with ``y = A⁻¹ Fᵀ diag(v)⁻¹ x``, so nothing cancels.

    Args:
        factor: ``F`` in units of x; shape ``(D, r)`` ties all components, ``(*B, K, D, r)`` gives each its own.
        diagonal: variances ``v`` in squared units of x; shape ``(D,)`` or ``(*B, K, D)``.

    Raises:
        ValueError: where the shapes differ; from :class:`~mixtura.GaussianMixture`, where a variance is not positive.

    Example:
        >>> import torch, mixtura as mx
        >>> mx.LowRank(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 1.0])).dense(2)
        tensor([[2., 2.],
                [2., 5.]])
    """

    event_dims = 2

    def __init__(self, factor: Tensor, diagonal: Tensor) -> None:
        if factor.dim() < 2 or diagonal.dim() < 1 or factor.shape[-2] != diagonal.shape[-1]:
            raise ValueError(
                f"factor has shape {tuple(factor.shape)} and diagonal {tuple(diagonal.shape)}; "
                "they must be (*B, K, D, r) and (*B, K, D)."
            )
        lead = torch.broadcast_shapes(factor.shape[:-1], diagonal.shape)
        # One tensor, the diagonal behind the factor, so that what moves components about moves both.
        super().__init__(torch.cat([factor.expand(*lead, factor.shape[-1]), diagonal.expand(lead).unsqueeze(-1)], -1))

    @property
    def factor(self) -> Tensor:
        """The factors F."""
        return self.parameter[..., :-1]

    @property
    def diagonal(self) -> Tensor:
        """The variances v."""
        return self.parameter[..., -1]

    def validate(self) -> None:
        check_positive(self.diagonal, 1, "A variance of the diagonal")
        if not bool(torch.isfinite(self.factor).all()):
            raise ValueError("factor holds a value that is not finite.")

    def whiten(self, x: Tensor) -> Tensor:
        scaled, chol = self._inner()
        sd, F = self.diagonal.double().sqrt(), self.factor.double()
        y = torch.cholesky_solve(scaled.mT @ (x / sd).unsqueeze(-1), chol)  # (*, K, r, 1)
        rest = x - (F @ y).squeeze(-1)
        return torch.cat([rest / sd, y.squeeze(-1).expand(*rest.shape[:-1], -1)], -1).to(x.dtype)

    def color(self, z: Tensor) -> Tensor:
        D = self.parameter.shape[-2]
        return z[..., :D] * self.diagonal.sqrt() + (self.factor @ z[..., D:].unsqueeze(-1)).squeeze(-1)

    def noise(self, D: int) -> int:
        return D + self.parameter.shape[-1] - 1

    def half_log_det(self, D: int) -> Tensor:
        log_det = 0.5 * self.diagonal.log().sum(-1) + self._inner()[1].diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return log_det.to(self.parameter.dtype)

    def variances(self, D: int) -> Tensor:
        return self.diagonal + self.factor.square().sum(-1)

    def dense(self, D: int) -> Tensor:
        return self.factor @ self.factor.mT + torch.diag_embed(self.diagonal)

    def precision_matrix(self, D: int) -> Tensor:
        scaled, chol = self._inner()
        half = torch.linalg.solve_triangular(chol, (scaled / self.diagonal.sqrt().unsqueeze(-1)).mT, upper=False)
        return (torch.diag_embed(1 / self.diagonal) - half.mT @ half).to(self.parameter.dtype)

    def rescale(self, scale: Tensor) -> Covariance:
        return LowRank(self.factor * scale.unsqueeze(-1), self.diagonal * scale**2)

    def marginal(self, dims: Sequence[int]) -> Covariance:
        return self._like(self.parameter[..., list(dims), :])

    def condition(self, given: Sequence[int], rest: Sequence[int]) -> tuple[Tensor, Covariance]:
        # Given x_b the factor's normals have mean A⁻¹ F_bᵀ v_b⁻¹ x_b and covariance A⁻¹, A of the given coordinates.
        known = self._like(self.parameter[..., list(given), :])
        scaled, chol = known._inner()
        F, dtype = self.factor[..., list(rest), :].double(), self.parameter.dtype
        regression = F @ torch.cholesky_solve((scaled / known.diagonal.sqrt().unsqueeze(-1)).mT, chol)
        left = torch.linalg.solve_triangular(chol, F.mT, upper=False).mT  # F A^(-1/2)
        return regression.to(dtype), LowRank(left.to(dtype), self.diagonal[..., list(rest)])

    def _inner(self) -> tuple[Tensor, Tensor]:
        """``diag(v)^(-1/2) F`` and the Cholesky factor of ``A``, in float64: A may be as large as D F² / v."""
        scaled = self.factor.double() / self.diagonal.double().sqrt().unsqueeze(-1)
        eye = torch.eye(scaled.shape[-1], dtype=scaled.dtype, device=scaled.device)
        return scaled, torch.linalg.cholesky(eye + scaled.mT @ scaled)

    def _like(self, parameter: Tensor) -> Self:
        return type(self)(parameter[..., :-1], parameter[..., -1])
