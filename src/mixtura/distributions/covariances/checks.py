"""Checks and small tensor moves shared by the kinds of covariance."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["check_diagonal", "check_positive", "check_square", "triangular_apply", "triangular_solve"]


def check_positive(variance: Tensor, event_dims: int, name: str) -> None:
    """Raise ValueError naming the first component whose ``variance`` is not a positive finite number."""
    wrong = ~((variance > 0) & torch.isfinite(variance))
    if not bool(wrong.any()):
        return
    index = tuple(int(i) for i in wrong.nonzero()[0])
    component = index[: variance.dim() - event_dims]
    where = (
        f"component {component[-1]}" + (f" of batch entry {component[:-1]}" if len(component) > 1 else "")
        if component
        else "the tied component"
    )
    raise ValueError(f"{name} of {where} is {variance[index].item():g}; it must be positive and finite.")


def check_square(matrix: Tensor, name: str) -> None:
    """Raise ValueError where ``matrix`` does not hold square matrices."""
    if matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"{name} must hold square matrices, got shape {tuple(matrix.shape)}.")


def check_diagonal(tril: Tensor, name: str) -> None:
    """Raise ValueError where ``tril`` is no lower-triangular matrix with a positive diagonal."""
    check_positive(tril.diagonal(dim1=-2, dim2=-1), 1, f"A diagonal entry of {name}")
    if bool((tril.triu(1) != 0).any()):
        raise ValueError(f"{name} must be lower triangular; pass torch.linalg.cholesky(matrix) for a full matrix.")
    if not bool(torch.isfinite(tril).all()):
        raise ValueError(f"{name} holds a value that is not finite.")


def _as_columns(factor: Tensor, x: Tensor) -> tuple[Tensor, int]:
    """Move the leading dimensions that ``x`` has beyond ``factor`` into columns: ``(*B, K, D, S)``."""
    extra = max(0, x.dim() - (factor.dim() - 1))
    lead = x.shape[:extra]
    columns = x.reshape(lead.numel(), *x.shape[extra:])  # (S, *B, K, D)
    return columns.movedim(0, -1), extra


def _from_columns(columns: Tensor, x: Tensor, extra: int) -> Tensor:
    moved = columns.movedim(-1, 0)  # (S, *B, K, D)
    return moved.reshape(*x.shape[:extra], *moved.shape[1:])


def triangular_apply(factor: Tensor, x: Tensor) -> Tensor:
    """Return ``factor @ x`` over the last dimension without repeating ``factor`` for every sample."""
    columns, extra = _as_columns(factor, x)
    return _from_columns(factor.to(x.dtype) @ columns, x, extra)


def triangular_solve(factor: Tensor, x: Tensor) -> Tensor:
    """Return ``factor⁻¹ x`` for lower-triangular ``factor`` over the last dimension of ``x``."""
    columns, extra = _as_columns(factor, x)
    return _from_columns(torch.linalg.solve_triangular(factor.to(x.dtype), columns, upper=False), x, extra)
