"""Distribution function and quantiles of one-dimensional Gaussian mixtures."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["mixture_cdf", "mixture_icdf"]

_STEPS = 200


def mixture_cdf(log_weights: Tensor, loc: Tensor, scale: Tensor, x: Tensor) -> Tensor:
    """Return ``F(x) = Σ_k w_k Φ((x - m_k) / s_k)``; every argument broadcasts to ``(*, K)``, ``x`` without K."""
    z = (x.unsqueeze(-1) - loc) / scale
    phi = 0.5 * torch.erfc(-(0.5**0.5) * z)  # torch.special.ndtr, as 1 + erf, has no digits in the lower tail
    total = (log_weights.exp() * phi).sum(-1)
    return total.clamp(max=1)  # weights sum to one up to rounding


def _log_density(log_weights: Tensor, loc: Tensor, scale: Tensor, x: Tensor) -> Tensor:
    z = (x.unsqueeze(-1) - loc) / scale
    return torch.logsumexp(log_weights - 0.5 * z.square() - scale.log() - 0.5 * math.log(2 * math.pi), -1)


def mixture_icdf(log_weights: Tensor, loc: Tensor, scale: Tensor, u: Tensor) -> Tensor:
    """Return x with ``F(x) = u`` by Newton steps inside a bracket that is bisected whenever Newton leaves it.

    The u-quantile of a mixture lies between the smallest and the largest u-quantile of its components, which is the
    bracket. One last differentiable step gives the exact first derivative ``dx = -dF / p(x)`` in every parameter and
    in u.
    """
    with torch.no_grad():
        x = _solve(log_weights, loc, scale, u)
    inside = torch.isfinite(x)
    safe = torch.where(inside, x, torch.zeros_like(x))
    if not torch.is_grad_enabled() or not any(t.requires_grad for t in (log_weights, loc, scale, u)):
        return x
    density = _log_density(log_weights, loc, scale, safe).exp().detach()
    step = (mixture_cdf(log_weights, loc, scale, safe) - u) / density.clamp_min(torch.finfo(x.dtype).tiny)
    return torch.where(inside, safe - (step - step.detach()), x)


def _solve(log_weights: Tensor, loc: Tensor, scale: Tensor, u: Tensor) -> Tensor:
    ends = loc + scale * torch.special.ndtri(u).unsqueeze(-1)  # (*, K)
    low, high = ends.amin(-1), ends.amax(-1)
    x = torch.where(torch.isfinite(low), (low + high) / 2, low)
    done = ~torch.isfinite(low)  # u of 0 or 1 is an infinite quantile, u outside [0, 1] is NaN
    eps = torch.finfo(x.dtype).eps
    for step in range(_STEPS):
        error = mixture_cdf(log_weights, loc, scale, x) - u
        low, high = torch.where(error < 0, x, low), torch.where(error > 0, x, high)
        newton = x - error / _log_density(log_weights, loc, scale, x).exp()
        middle = (low + high) / 2
        usable = (newton > low) & (newton < high) & (step % 3 != 2)
        settled = (error == 0) | ((newton - x).abs() <= eps * x.abs())
        following = torch.where(settled, x, torch.where(usable, newton, middle))
        done = done | ((following - x).abs() <= eps * x.abs()) | (high - low <= 2 * eps * x.abs())
        x = torch.where(done, x, following)
        if bool(done.all()):
            break
    return x
