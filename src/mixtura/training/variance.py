"""Variances that nobody has to tune: of the kernel, of the density, and on the way between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mixtura.distributions import GaussianMixture
from mixtura.hilbert import effective_rank

__all__ = ["Annealing", "kernel_variance", "likelihood_variance", "median_variance", "silverman_variance"]

_ROWS = 1024
"""Rows that a likelihood is averaged over: its optimum is known to a few per cent then."""
_PAIRS = 2**22
_LEAST, _MOST = 1e-12, 1e4
"""Variances that are looked at, in units of the total variance of the data."""


@dataclass(frozen=True)
class Annealing:
    """Lead a variance from a data-scale start down to its target, evenly in its logarithm.

    ``v(t) = start (target / start)^(t / share)`` for the progress t of a training in [0, 1], and the target after
    ``share`` of it. While v is small from the beginning, no kernel reaches any sample and nothing is learnt.

    Args:
        start: first variance.
        target: last variance; where it is larger than ``start``, it is used from the beginning.
        share: part of the training that leads there.

    Raises:
        ValueError: where a variance is not positive and finite or ``share`` is outside [0, 1].

    Example:
        >>> from mixtura.training import Annealing
        >>> v = Annealing(start=1.0, target=0.01, share=0.5)
        >>> [round(v(t), 3) for t in (0.0, 0.25, 0.5, 1.0)]
        [1.0, 0.1, 0.01, 0.01]
    """

    start: float
    target: float
    share: float = 0.95

    def __post_init__(self) -> None:
        if not (0 < self.start < math.inf and 0 < self.target < math.inf and 0 <= self.share <= 1):
            raise ValueError(
                "start and target must be positive and finite and share in [0, 1], "
                f"got {self.start}, {self.target} and {self.share}."
            )

    def __call__(self, progress: float) -> float:
        """Return the variance at a progress in [0, 1]."""
        if progress >= self.share or self.target >= self.start:
            return self.target
        return self.start * (self.target / self.start) ** (progress / self.share)


def kernel_variance(x: Tensor, share: float) -> float:
    r"""Return the variance of components at which a batch can represent its own operator.

    The effective rank of the Gram matrix of ``GaussianMixture.from_samples(x, v)`` falls from N, the number of
    different rows (no component meets another, and a batch says nothing about the next one), to 1 (all are one) as v
    grows; the result is the v where it is ``share`` of N. A larger batch buys a smaller variance.

    Args:
        x: a batch, shape ``(rows, D)``, of the size that is trained with.
        share: effective rank over N, above 0 and below 1; what would be less than rank 1 takes v to its largest.

    Raises:
        ValueError: where x has fewer than two different rows or ``share`` is out of range.

    Example:
        >>> import torch
        >>> from mixtura.training import kernel_variance
        >>> x = torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
        >>> kernel_variance(x, share=0.2) > kernel_variance(x, share=0.4)
        True
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}.")
    x = x.detach().double()
    scale = _scale(x)

    def rank(v: float) -> float:
        return effective_rank(GaussianMixture.from_samples(x, v)).item()

    wanted = share * rank(_LEAST * scale)
    return _bisect(lambda v: rank(v) - wanted, scale)


def likelihood_variance(x: Tensor, centers: Tensor | None = None) -> float:
    r"""Return the variance v for which the mixture of the centers gives the data x the largest likelihood.

    Without centers the data are their own, each left out of its own density:
    ``Σ_n log Σ_{m≠n} N(x_n; x_m, v) / (N-1)``. At the optimum ``v = (1/ND) Σ_nm r_nm ‖x_n - c_m‖²`` with the
    responsibilities r, which is solved by bisection. Of many rows a thousand are scored, against all centers.

    Args:
        x: data, shape ``(N, D)``.
        centers: shape ``(M, D)``; None leaves each row out of its own density.

    Raises:
        ValueError: where the data have fewer than two different rows.

    Source:
        Duin 1976, "On the choice of smoothing parameters for Parzen estimators".

    Example:
        >>> import torch
        >>> from mixtura.training import likelihood_variance
        >>> x = torch.randn(500, 1, generator=torch.Generator().manual_seed(0))
        >>> 0.02 < likelihood_variance(x) < 0.2
        True
    """
    x = x.detach().double()
    N, D = x.shape
    scale = _scale(x if centers is None else torch.cat([x, centers.detach().double()]))
    c = x if centers is None else centers.detach().double()
    chosen = torch.linspace(0, N - 1, min(N, _ROWS), device=x.device).round().long()
    blocks = chosen.split(max(1, _PAIRS // len(c)))

    def distances(i: Tensor) -> Tensor:
        d2 = torch.cdist(x[i], c, compute_mode="donot_use_mm_for_euclid_dist").square_()
        return d2.scatter_(1, i.unsqueeze(-1), math.inf) if centers is None else d2

    kept = [distances(blocks[0])] if len(blocks) == 1 else None

    def excess(v: float) -> float:
        total = 0.0
        for d2 in kept or map(distances, blocks):
            r = torch.softmax(-d2 / (2 * v), -1)
            total += torch.where(r > 0, r * d2, 0.0).sum().item()
        return total / (len(chosen) * D * v) - 1

    return _bisect(excess, scale)


def silverman_variance(x: Tensor) -> float:
    """Return Silverman's rule, ``(4 / (N (D + 2)))^(2 / (D + 4))`` times the mean variance of the coordinates.

    Right for one Gaussian, far too wide for many modes; for comparison.
    """
    N, D = x.shape
    return (4 / (N * (D + 2))) ** (2 / (D + 4)) * x.double().var(0).mean().item()


def median_variance(x: Tensor) -> float:
    """Return half of the median squared distance of two rows (of a thousand at most); for comparison."""
    return 0.5 * torch.pdist(x[:_ROWS].double()).square().median().item()


def _scale(x: Tensor) -> float:
    """Return the total variance of the rows."""
    scale = x.var(0).sum().item() if len(x) > 1 else 0.0
    if not 0 < scale < math.inf:
        raise ValueError(f"x needs at least two different rows of finite numbers, got shape {tuple(x.shape)}.")
    return scale


def _bisect(f: Callable[[float], float], scale: float) -> float:
    """Return the variance at which a falling f is zero, to one part in a thousand."""
    low, high = math.log(_LEAST * scale), math.log(_MOST * scale)
    while high - low > 1e-3:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if f(math.exp(middle)) > 0 else (low, middle)
    return math.exp(0.5 * (low + high))
