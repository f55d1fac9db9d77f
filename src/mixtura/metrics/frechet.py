"""Distances of two sets of samples: between their Gaussians, and in the Hilbert space of a kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mixtura.metrics.features import as_pair, distance_blocks

__all__ = ["KernelMMD", "frechet_distance", "kernel_mmd"]


@dataclass(frozen=True)
class KernelMMD:
    """An unbiased estimate of a squared maximum mean discrepancy."""

    square: float
    """MMD²; chance takes it below zero where both sets are alike."""
    standard_error: float
    """Of ``square``, to first order; too large by √2 where both sets are alike."""


def frechet_distance(a: Tensor, b: Tensor) -> float:
    r"""Return the squared Fréchet distance of the Gaussians with the means and covariances of two sets of features.

    ``‖μ - μ'‖² + tr S + tr S' - 2 ‖S^½ S'^½‖_*``, as ``tr (S S')^½`` is that nuclear norm; in float64, with the roots
    from symmetric eigendecompositions, so singular covariances are as good as others. It is biased upwards by
    few samples: compare equal numbers, and with the distance of real samples to other real ones.

    Args:
        a: features, shape ``(N, D)``, N >= 2.
        b: features, shape ``(M, D)``, M >= 2.

    Returns:
        In squared units of the features, never negative.

    Raises:
        ValueError: where the features differ, a set has fewer than two samples or a value is not finite.

    Source:
        Dowson & Landau 1982, "The Fréchet distance between multivariate normal distributions"; Heusel et al. 2017,
        "GANs trained by a two time-scale update rule converge to a local Nash equilibrium".

    Example:
        >>> import torch
        >>> x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
        >>> round(frechet_distance(x, x + 2.0), 6)
        12.0
    """
    x, y = as_pair(a, b, ("a", "b"), least=2)
    S, T = (torch.cov(z.mT).reshape(z.shape[1], z.shape[1]) for z in (x, y))
    fidelity = torch.linalg.svdvals(_root(S) @ _root(T)).sum()
    mean = (x.mean(0) - y.mean(0)).square().sum()
    return (mean + (S.trace() + T.trace() - 2 * fidelity).clamp_min(0)).item()


def kernel_mmd(a: Tensor, b: Tensor, variance: float) -> KernelMMD:
    r"""Return the unbiased squared maximum mean discrepancy of two sets of samples, with its standard error.

    ``mean_{i≠j} k(a_i, a_j) + mean_{i≠j} k(b_i, b_j) - 2 mean_ij k(a_i, b_j)`` for ``k(x, y) = exp(-‖x - y‖² / 2v)``, a
    block of pairs at a time; no sample meets itself. The discrepancy of two mixtures, which needs no samples, is
    :func:`mixtura.hilbert.kernel_mean_discrepancy`.

    Args:
        a: samples, shape ``(N, D)``, N >= 2.
        b: samples, shape ``(M, D)``, M >= 2.
        variance: v of the kernel in squared units of the samples, positive.

    Raises:
        ValueError: where the features differ, a set has fewer than two samples, a value is not finite or v is not
            positive.

    Source:
        Gretton, Borgwardt, Rasch, Schölkopf & Smola 2012, "A kernel two-sample test", Lemma 6.

    Example:
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> a, b = torch.randn(500, 2, generator=g), torch.randn(500, 2, generator=g) + 1
        >>> mmd = kernel_mmd(a, b, variance=1.0)
        >>> mmd.square > 10 * mmd.standard_error
        True
    """
    if not 0 < variance < math.inf:
        raise ValueError(f"variance of the kernel must be positive and finite, got {variance}.")
    x, y = as_pair(a, b, ("a", "b"), least=2)
    N, M = len(x), len(y)
    xx = (_kernel_sums(x, x, variance)[0] - 1) / (N - 1)
    yy = (_kernel_sums(y, y, variance)[0] - 1) / (M - 1)
    rows, columns = _kernel_sums(x, y, variance)
    square = xx.mean() + yy.mean() - 2 * rows.sum() / (N * M)
    influence_x, influence_y = xx - rows / M, yy - columns / N
    error = 2 * (influence_x.var() / N + influence_y.var() / M).sqrt()
    return KernelMMD(square.item(), error.item())


def _root(S: Tensor) -> Tensor:
    """Return S^½ of a symmetric S; eigenvalues that are rounding count as zero, as their roots would be large."""
    values, vectors = torch.linalg.eigh(S)
    floor = values[-1] * len(S) * torch.finfo(S.dtype).eps
    return (vectors * torch.where(values > floor, values, torch.zeros_like(values)).sqrt()) @ vectors.mT


def _kernel_sums(x: Tensor, y: Tensor, v: float) -> tuple[Tensor, Tensor]:
    """Return the sums of the kernel over the rows of y, and over those of x."""
    rows, columns = x.new_zeros(len(x)), x.new_zeros(len(y))
    for block, d in distance_blocks(x, y):
        if x is y:
            d.diagonal(block.start).zero_()
        k = (d / math.sqrt(2 * v)).square_().neg_().exp_()
        rows[block] = k.sum(1)
        columns += k.sum(0)
    return rows, columns
