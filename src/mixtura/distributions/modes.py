"""Local maxima of the density of a mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from mixtura.distributions.gaussian import GaussianMixture

__all__ = ["Modes", "find_modes"]

_STEPS = 500
_NUDGE = 1e-3
"""A climb starts this many standard deviations beside a mean, so that no symmetry holds it on a saddle."""
_REACH = 0.5
"""A Newton step is at most this many local standard deviations long, so that it cannot leap into another basin."""
_SAME = 1e-2
"""Two ends of an ascent are one mode when they are nearer than this many local standard deviations."""


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
    ``x <- (Σ r_k S_k⁻¹)⁻¹ Σ r_k S_k⁻¹ m_k``, which never lowers the density; a short Newton step replaces it where the
    log-density is concave and that climbs higher. All in float64, for a flat top hides its maximum in rounding errors.
    """
    with torch.no_grad():
        dtype = mixture.loc.dtype
        mixture = mixture._new(
            mixture.logits.double(), mixture.loc.double(), mixture.covariance, event_dim=len(mixture.event_shape)
        )
        x, sharpness = _climb(mixture)  # (K, *B, D): the starting points are a sample dimension in front
        height = _vector_log_prob(mixture, x).movedim(0, -1)  # (*B, K)
        order = height.argsort(-1, descending=True)
        height, weight = height.gather(-1, order), mixture.weights.gather(-1, order)
        x, sharpness = (
            t.movedim(0, -2).gather(-2, order.unsqueeze(-1).expand_as(mixture._loc)) for t in (x, sharpness)
        )  # (*B, K, D)
        sharper = torch.maximum(sharpness.unsqueeze(-2), sharpness.unsqueeze(-3))  # (*B, K, K, D)
        apart = ((x.unsqueeze(-2) - x.unsqueeze(-3)).abs() * sharper).amax(-1)  # (*B, K, K)
        owner = (apart < _SAME).to(torch.uint8).argmax(-1)  # first, so the densest, that is the same place
        owner = owner.gather(-1, owner)
        mass = torch.zeros_like(weight).scatter_add(-1, owner, weight)
        empty = mass == 0
        place = empty.to(torch.uint8).argsort(dim=-1, stable=True)
        J = int((~empty).sum(-1).max()) if empty.numel() else 0
        x = x.masked_fill(empty.unsqueeze(-1), torch.nan).gather(-2, place.unsqueeze(-1).expand_as(x))
        height = height.masked_fill(empty, -torch.inf).gather(-1, place)
        mass = mass.gather(-1, place)
        return Modes(x[..., :J, :].to(dtype), height[..., :J].to(dtype), mass[..., :J].to(dtype))


def _vector_log_prob(mixture: GaussianMixture, x: Tensor) -> Tensor:
    return mixture.log_prob(mixture._from_vector(x))


def _climb(mixture: GaussianMixture) -> tuple[Tensor, Tensor]:
    """Return where the climb from each mean ends, and one over the local standard deviation of each coordinate there,
    both of shape ``(K, *B, D)``."""
    m = mixture._loc
    D = m.shape[-1]
    P = mixture.covariance.precision_matrix(D).expand(*m.shape, D)  # (*B, K, D, D)
    nudge = _NUDGE * torch.cos(1 + torch.arange(D, dtype=m.dtype, device=m.device))
    x = (m + nudge * mixture._variances().sqrt()).movedim(-2, 0)  # (K, *B, D)
    sharpness, eps = torch.empty_like(x), torch.finfo(x.dtype).eps
    for _ in range(_STEPS):
        r = mixture.responsibilities(mixture._from_vector(x))  # (K, *B, K)
        a = (P @ (m - x.unsqueeze(-2)).unsqueeze(-1)).squeeze(-1)  # (K, *B, K, D)
        g = torch.einsum("...k,...kd->...d", r, a)  # gradient of log p
        A = torch.einsum("...k,...kij->...ij", r, P)
        H = A - torch.einsum("...k,...ki,...kj->...ij", r, a, a) + g.unsqueeze(-1) * g.unsqueeze(-2)  # minus Hessian
        step = torch.linalg.solve(A, g.unsqueeze(-1)).squeeze(-1)
        L, convex = torch.linalg.cholesky_ex(H)
        newton = torch.cholesky_solve(g.unsqueeze(-1), L)  # (K, *B, D, 1)
        length = (newton * (A @ newton)).sum(-2).sqrt()  # (K, *B, 1)
        newton = newton.squeeze(-1) * (_REACH / length).clamp(max=1)
        higher = _vector_log_prob(mixture, x + newton) > _vector_log_prob(mixture, x + step)
        step = torch.where((higher & (convex == 0)).unsqueeze(-1), newton, step)
        x = x + step
        sharpness = A.diagonal(dim1=-2, dim2=-1).sqrt()
        if bool((step.abs() * sharpness <= 100 * eps).logical_or(step.abs() <= 4 * eps * x.abs()).all()):
            break
    return x, sharpness
