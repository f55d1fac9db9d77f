"""Pairs of mixtures as bad as they come: duplicates, coincident and far centers, tiny and zero weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixtura.distributions import Covariance, Diagonal, GaussianMixture, Isotropic

__all__ = ["Drawn", "draw"]

Array = NDArray[np.float64]
_NUMBERS = 2**21
"""Numbers that a pair of diagonal mixtures may need: beyond, variances are isotropic."""


@dataclass(frozen=True)
class Drawn:
    """A pair whose parameters, in the order logits, loc and variance of p and of q, want gradients."""

    seed: int
    p: GaussianMixture
    q: GaussianMixture
    leaves: list[Tensor]

    @property
    def name(self) -> str:
        N, M, D = self.p.components, self.q.components, self.p.event_shape[0]
        return f"draw({self.seed}): N={N}, M={M}, D={D}, {tuple(self.p.batch_shape)}, {self.p.loc.dtype}"


def draw(seed: int) -> Drawn:
    """Return the pair of a seed."""
    rng = np.random.default_rng(seed)
    dtype = (torch.float32, torch.float64)[seed % 2]
    D = int(rng.choice([1, 2, 16, 784, 12_288]))
    N, M = (int(np.exp(rng.uniform(0, np.log(64.99)))) for _ in range(2))
    M = N if rng.random() < 0.4 else M
    batch = (3,) if D <= 16 and rng.random() < 0.5 else ()
    v = 10 ** rng.uniform(-6, 6)
    u = v if rng.random() < 0.5 else 10 ** rng.uniform(-6, 6)
    x = _centers(rng, (*batch, N, D), v)
    y = _like(rng, x, M) if rng.random() < 0.5 else _centers(rng, (*batch, M, D), u)
    if rng.random() < 0.1:  # far from the origin
        x, y = x + 1e4 * v**0.5, y + 1e4 * v**0.5
    kind = Diagonal if N * M * D * 3 < _NUMBERS and rng.random() < 0.3 else Isotropic
    p = (_logits(rng, x.shape[:-1]), x, _variances(rng, x.shape, v, kind))
    q = (_logits(rng, y.shape[:-1]), y, _variances(rng, y.shape, u, kind))
    q = _reordered(rng, p, kind) if rng.random() < 0.2 else q
    leaves = [torch.as_tensor(a, dtype=dtype).requires_grad_() for a in (*p, *q)]
    a, m, s, b, n, t = leaves
    return Drawn(seed, GaussianMixture(a, m, kind(s)), GaussianMixture(b, n, kind(t)), leaves)


def _reordered(rng: np.random.Generator, p: tuple[Array, Array, Array], kind: type[Covariance]) -> tuple[Array, ...]:
    """Components of p in another order, but for the first one, whose weight is not zero: costs reach their bounds."""
    logits, loc, variance = p
    order = np.append(0, 1 + rng.permutation(loc.shape[-2] - 1))
    tied = variance.ndim == kind.event_dims
    spread = variance if tied else variance[..., order] if kind is Isotropic else variance[..., order, :]
    return logits[..., order], loc[..., order, :], spread


def _centers(rng: np.random.Generator, shape: tuple[int, ...], variance: float) -> Array:
    """Centers on one another, near each other, apart, or a million apart, some of them twice."""
    spread = rng.choice([0.0, 1e-4, 0.3, 1.0, 5.0, 100.0]) * variance**0.5
    spread = 1e6 if rng.random() < 0.05 else spread
    x = spread * rng.standard_normal(shape) / (shape[-1] ** 0.5 if rng.random() < 0.5 else 1)
    if rng.random() < 0.3:
        x = x[..., rng.integers(shape[-2], size=shape[-2]), :]
    return x


def _like(rng: np.random.Generator, x: Array, M: int) -> Array:
    """Centers among those of x, all of them in another order, or near them."""
    N = x.shape[-2]
    y = x[..., rng.permutation(N) if N == M else rng.integers(N, size=M), :]
    return y if rng.random() < 0.6 else y * (1 + 1e-7 * rng.standard_normal(y.shape))


def _logits(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Logits of equal, different, tiny and zero weights; one weight of each mixture is not zero."""
    logits = rng.choice([0.0, 1.0, 40.0]) * rng.standard_normal(shape)
    zero = rng.random(shape) < (0.3 if rng.random() < 0.3 else 0.0)
    zero[..., 0] = False
    return np.where(zero, -np.inf, logits)


def _variances(rng: np.random.Generator, shape: tuple[int, ...], variance: float, kind: type[Covariance]) -> Array:
    """Variances of one for all components, or within 1e-6..1e6 of their own."""
    first, last = (0 if rng.random() < 0.4 else len(shape) - 1), len(shape) - 1 + kind.event_dims
    factor = np.exp(rng.choice([0.0, 0.5, 3.0]) * rng.standard_normal(shape[first:last]))
    return np.asarray(np.clip(variance * factor, 1e-6, 1e6))
