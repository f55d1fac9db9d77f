"""How far the answers of a model of an inverse problem are from the right ones, and from solving the problem."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mixtura.metrics.features import distance_blocks

__all__ = ["rational_quadratic_mmd", "resimulation_error"]


def rational_quadratic_mmd(a: Tensor, b: Tensor, widths: Sequence[float] = (0.05, 0.2, 0.9)) -> Tensor:
    r"""Return the unbiased squared maximum mean discrepancy of sets of samples for heavy-tailed kernels.

    ``mean_{i≠j} k(a_i, a_j) + mean_{i≠j} k(b_i, b_j) - 2 mean_ij k(a_i, b_j)`` for the kernel
    ``k(x, y) = Σ_h 1/(1 + ‖x - y‖²/h²)``, in float64, a block of pairs at a time. It is zero in expectation where both
    sets come from one distribution, so chance takes it below zero. Averaged over observations it is the error of a
    posterior in the literature on inverse problems. For the Gaussian kernel see :func:`mixtura.metrics.kernel_mmd`.

    Args:
        a: samples, such as of a model's posterior, shape ``(*B, N, D)``, N >= 2.
        b: samples, such as of the exact posterior, shape ``(*B, M, D)``, M >= 2.
        widths: h of the kernels in units of the samples, positive.

    Returns:
        MMD² of every pair of sets in float64, shape ``B``.

    Raises:
        ValueError: where shapes do not fit, a set has fewer than two samples, a value is not finite, or a width is not
            positive.

    Source:
        Kruse, Ardizzone, Rother & Köthe 2021, "Benchmarking invertible architectures on inverse problems"; the estimate
        is Lemma 6 of Gretton et al. 2012, "A kernel two-sample test".

    Example:
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> a, b = torch.randn(2, 300, 4, generator=g), torch.randn(2, 300, 4, generator=g)
        >>> rational_quadratic_mmd(a, b).abs().max() < 0.01, rational_quadratic_mmd(a, b + 1).min() > 0.05
        (tensor(True), tensor(True))
    """
    if not widths or not all(0 < h < math.inf for h in widths):
        raise ValueError(f"widths must hold positive numbers, got {list(widths)}.")
    x, y = _samples(a, "a"), _samples(b, "b")
    batch = x.shape[:-2]
    if batch != y.shape[:-2] or x.shape[-1] != y.shape[-1]:
        raise ValueError(f"a and b must have the same batch and dimensions, got {tuple(a.shape)} and {tuple(b.shape)}.")
    squares = x.new_empty(batch.numel())
    for i, (p, q) in enumerate(zip(x.reshape(-1, *x.shape[-2:]), y.reshape(-1, *y.shape[-2:]), strict=True)):
        squares[i] = _mean_kernel(p, p, widths) + _mean_kernel(q, q, widths) - 2 * _mean_kernel(p, q, widths)
    return squares.reshape(batch)


def resimulation_error(outcomes: Tensor, y: Tensor) -> Tensor:
    """Return how far from the observation a model's answers lead: ``mean_i ‖f(x_i) - y‖²`` over its samples x_i.

    Args:
        outcomes: f(x_i), what the forward model f makes of the samples, shape ``(*B, N, T)``.
        y: observations that the samples answer, shape ``(*B, T)``.

    Returns:
        In squared units of y, in float64, shape ``B``.

    Raises:
        ValueError: where shapes do not fit, or a value is not finite.

    Source:
        as :func:`rational_quadratic_mmd`.

    Example:
        >>> import torch
        >>> resimulation_error(torch.tensor([[[1.0, 0.0], [1.0, 2.0]]]), torch.tensor([[1.0, 0.0]]))
        tensor([2.], dtype=torch.float64)
    """
    f = _samples(outcomes, "outcomes", least=1)
    if y.shape != (*f.shape[:-2], f.shape[-1]) or not bool(torch.isfinite(y).all()):
        raise ValueError(
            f"y must hold one finite observation per set of outcomes, shape {(*f.shape[:-2], f.shape[-1])}, "
            f"got {tuple(y.shape)}."
        )
    return (f - y.detach().to(f).unsqueeze(-2)).square().sum(-1).mean(-1)


def _mean_kernel(x: Tensor, y: Tensor, widths: Sequence[float]) -> Tensor:
    """Return the mean of the kernel over pairs; where both sets are one, no sample meets itself."""
    total = x.new_zeros(())
    for rows, d in distance_blocks(x, y):
        if x is y:
            d.diagonal(rows.start).fill_(math.inf)
        d.square_()
        for h in widths:
            total += (1 + d / h**2).reciprocal_().sum()
    return total / (len(x) * (len(y) - (x is y)))


def _samples(x: Tensor, name: str, least: int = 2) -> Tensor:
    """Return x in float64 without gradient.

    Raises:
        ValueError: where it holds fewer than ``least`` samples, or NaN or infinity.
    """
    if x.dim() < 2 or x.shape[-2] < least or not x.shape[-1]:
        raise ValueError(f"{name} must have shape (*B, N, D) with N >= {least} and D >= 1, got {tuple(x.shape)}.")
    bad = int((~torch.isfinite(x).all(-1)).sum())
    if bad:
        raise ValueError(
            f"{name} must hold finite numbers, but {bad} of its samples have NaN or infinity: remove them."
        )
    return x.detach().double()
