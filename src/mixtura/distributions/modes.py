"""Local maxima of the density of a mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from mixtura.distributions.gaussian import GaussianMixture

__all__ = ["Modes", "find_modes"]

_STEPS = 200
_SAME = 1e-2
"""Two ends of an ascent are one mode when they are nearer than this many standard deviations of their components."""


class Modes(NamedTuple):
    """Modes of a (batch of) mixtures, the densest first.

    Where a mixture has fewer modes than the batch's largest number, the rest of its row is NaN in ``loc``, -inf in
    ``log_prob`` and zero in ``mass``.
    """

    loc: Tensor
    """Positions, shape ``(*B, J, *event_shape)`` for J modes."""
    log_prob: Tensor
    """Log-density at the modes, shape ``(*B, J)``."""
    mass: Tensor
    """Weight of the components whose mean climbs to each mode, shape ``(*B, J)``; sums to one."""


def find_modes(mixture: GaussianMixture) -> Modes:
    """Climb from the mean of every component to a maximum of the density, and merge those that meet.

    The climb is the fixed point of Carreira-Perpiñán (2000, "Mode-finding for mixtures of Gaussian distributions"),
    ``x <- (Σ r_k S_k⁻¹)⁻¹ Σ r_k S_k⁻¹ m_k``, which never lowers the density; a Newton step replaces it where that
    climbs higher.
    """
    with torch.no_grad():
        K = mixture.components
        # Starting points are a sample dimension in front: (K, *B, D)
        x = _climb(mixture, mixture._loc.movedim(-2, 0))
        height = _vector_log_prob(mixture, x).movedim(0, -1)  # (*B, K)
        x = x.movedim(0, -2)  # (*B, K, D)
        scale = mixture._variances().sqrt()
        width = torch.maximum(scale.unsqueeze(-2), scale.unsqueeze(-3))  # (*B, K, K, D)
        apart = ((x.unsqueeze(-2) - x.unsqueeze(-3)).abs() / width).amax(-1)  # (*B, K, K)
        order = height.argsort(-1, descending=True)
        apart = apart.gather(-2, order.unsqueeze(-1).expand_as(apart)).gather(-1, order.unsqueeze(-2).expand_as(apart))
        height, weight = height.gather(-1, order), mixture.weights.gather(-1, order)
        x = x.gather(-2, order.unsqueeze(-1).expand_as(x))
        owner = (apart < _SAME).to(torch.uint8).argmax(-1)  # first, so the densest, that is the same place
        owner = owner.gather(-1, owner)
        mass = torch.zeros_like(weight).scatter_add(-1, owner, weight)
        first = owner == torch.arange(K, device=x.device)
        empty = ~first | (mass == 0)
        place = empty.to(torch.uint8).argsort(dim=-1, stable=True)
        J = int((~empty).sum(-1).max()) if empty.numel() else 0
        x = x.masked_fill(empty.unsqueeze(-1), torch.nan).gather(-2, place.unsqueeze(-1).expand_as(x))
        height = height.masked_fill(empty, -torch.inf).gather(-1, place)
        mass = mass.masked_fill(empty, 0).gather(-1, place)
        return Modes(x[..., :J, :], height[..., :J], mass[..., :J])


def _vector_log_prob(mixture: GaussianMixture, x: Tensor) -> Tensor:
    return mixture.log_prob(mixture._from_vector(x))


def _climb(mixture: GaussianMixture, x: Tensor) -> Tensor:
    m = mixture._loc
    P = mixture.covariance.precision_matrix(m.shape[-1]).expand(*m.shape, m.shape[-1])  # (*B, K, D, D)
    tolerance = 100 * torch.finfo(x.dtype).eps * mixture._variances().sqrt().amin(-2)  # (*B, D)
    for _ in range(_STEPS):
        r = mixture.responsibilities(mixture._from_vector(x))  # (K, *B, K)
        a = (P @ (m - x.unsqueeze(-2)).unsqueeze(-1)).squeeze(-1)  # (K, *B, K, D)
        g = torch.einsum("...k,...kd->...d", r, a)  # gradient of log p
        A = torch.einsum("...k,...kij->...ij", r, P)
        H = (
            A - torch.einsum("...k,...ki,...kj->...ij", r, a, a) + g.unsqueeze(-1) * g.unsqueeze(-2)
        )  # minus the Hessian of log p
        step = torch.linalg.solve(A, g.unsqueeze(-1)).squeeze(-1)
        newton, failed = torch.linalg.solve_ex(H, g.unsqueeze(-1))
        newton = torch.where(failed[..., None] == 0, newton.squeeze(-1), step)
        better = _vector_log_prob(mixture, x + newton) > _vector_log_prob(mixture, x + step)
        step = torch.where(better.unsqueeze(-1), newton, step)
        x = x + step
        if bool((step.abs() <= tolerance + 4 * torch.finfo(x.dtype).eps * x.abs()).all()):
            break
    return x
