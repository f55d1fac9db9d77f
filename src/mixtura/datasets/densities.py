"""Densities with known modes, as exact mixtures."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.training import isolated_seed

__all__ = ["draw", "grid", "ring", "separated_gaussians"]


def ring(components: int = 8, radius: float = 2.5, scale: float = 0.01) -> GaussianMixture:
    """Return equal Gaussians of standard deviation ``scale``, evenly on a circle.

    The modes are its ``loc``; the defaults are those of the literature.

    Raises:
        ValueError: where ``components`` is below 1 or ``scale`` is not positive.

    Source:
        Srivastava et al. 2017, "VEEGAN"; Lin, Khetan, Fanti & Oh 2018, "PacGAN".

    Example:
        >>> ring()
        GaussianMixture(batch_shape=(), event_shape=(2,), components=8, covariance=Isotropic)
        >>> ring().loc[:2]
        tensor([[2.5000, 0.0000],
                [1.7678, 1.7678]])
    """
    angle = 2 * math.pi * torch.arange(_positive(components), dtype=torch.float64) / components
    return _mixture(radius * torch.stack([angle.cos(), angle.sin()], -1), scale)


def grid(side: int = 5, spacing: float = 2.0, scale: float = 0.05) -> GaussianMixture:
    """Return ``side²`` equal Gaussians of standard deviation ``scale`` on a square lattice around the origin.

    The modes are its ``loc``; the defaults are those of the literature, {-4, -2, 0, 2, 4}².

    Raises:
        ValueError: where ``side`` is below 1 or ``scale`` is not positive.

    Source:
        Srivastava et al. 2017, "VEEGAN"; Lin, Khetan, Fanti & Oh 2018, "PacGAN".

    Example:
        >>> grid().loc[:2]
        tensor([[-4., -4.],
                [-4., -2.]])
    """
    return _mixture(_lattice(_positive(side) ** 2, 2, spacing), scale)


def separated_gaussians(components: int, features: int = 2, separation: float = 10.0) -> GaussianMixture:
    """Return equal Gaussians of variance 1, nearest modes ``separation`` apart, on a lattice around the origin.

    Args:
        components: number of Gaussians.
        features: dimensions.
        separation: in standard deviations.

    Raises:
        ValueError: where ``components`` or ``features`` is below 1.

    Example:
        >>> separated_gaussians(3, features=1).loc[:, 0]
        tensor([-10.,   0.,  10.])
    """
    return _mixture(_lattice(_positive(components), _positive(features), separation), 1.0)


def draw(mixture: GaussianMixture, n: int, seed: int) -> Tensor:
    """Return n samples of the mixture; torch's global generator is left as it was.

    Example:
        >>> draw(ring(), 3, seed=0).shape
        torch.Size([3, 2])
    """
    with isolated_seed(seed, mixture.loc.device):
        return mixture.sample((n,))


def _mixture(loc: Tensor, scale: float) -> GaussianMixture:
    if not 0 < scale < math.inf:
        raise ValueError(f"scale must be positive and finite, got {scale}.")
    return GaussianMixture(torch.zeros(len(loc)), loc.float(), Isotropic(scale**2))


def _lattice(components: int, features: int, spacing: float) -> Tensor:
    """Return the first points of a cubic lattice, moved to the origin."""
    side = 1
    while side**features < components:
        side += 1
    i = torch.arange(components)
    digits = torch.stack([i // min(side**d, components) % side for d in reversed(range(features))], -1)
    loc = spacing * digits.double()
    return loc - loc.mean(0)


def _positive(count: int) -> int:
    if count < 1:
        raise ValueError(f"there must be at least one component, one feature and one row, got {count}.")
    return count
