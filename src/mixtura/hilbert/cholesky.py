"""Cholesky factors of Gram matrices that may be singular."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["jittered_cholesky"]

_LARGEST = 1e-2


def jittered_cholesky(R: Tensor, jitter: float) -> tuple[Tensor, float]:
    r"""Return the Cholesky factor of ``R + εI`` and the ε that was needed.

    A jitter only lowers what is projected with it, ``(R + εI)⁻¹ <= R⁻¹``, so no bound is broken. Where rounding makes
    ``R + εI`` indefinite, ε grows tenfold until it does not.

    Args:
        R: correlation matrices, symmetric with a unit diagonal, shape ``(*B, M, M)``.
        jitter: the first ε.

    Raises:
        ValueError: where R holds numbers that are not finite (it names the component), or is not a Gram matrix.

    Example:
        >>> import torch
        >>> from mixtura.hilbert.cholesky import jittered_cholesky
        >>> L, jitter = jittered_cholesky(torch.ones(2, 2, dtype=torch.float64), 1e-10)
        >>> bool(torch.isfinite(L).all()), jitter
        (True, 1e-10)
    """
    if not bool(torch.isfinite(R).all()):
        wrong = ~torch.isfinite(R.diagonal(dim1=-2, dim2=-1)).reshape(-1, R.shape[-1]).all(0)
        first = int(wrong.int().argmax())
        who = f"component {first}" if bool(wrong.any()) and not bool(wrong.all()) else "every component"
        raise ValueError(f"the Gram matrix of q is not finite at {who}: look for NaN in its location or spread.")
    eye = torch.eye(R.shape[-1], dtype=R.dtype, device=R.device)
    epsilon = jitter
    while epsilon <= _LARGEST:
        L, info = torch.linalg.cholesky_ex(R + epsilon * eye)
        if not bool(info.any()):
            return L, epsilon
        epsilon *= 10
    raise ValueError("the Gram matrix of q is not positive definite: it is not the Gram matrix of a mixture.")
