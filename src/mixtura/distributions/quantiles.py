"""Distribution function and quantiles of one-dimensional mixtures."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

__all__ = ["LocationScale", "Marginals", "Standard", "mixture_cdf", "mixture_icdf"]

_STEPS = 200


class Marginals(Protocol):
    """One-dimensional marginals of the components of a mixture; ``x`` and ``u`` have shape ``(*, D, 1)``."""

    def cdf(self, x: Tensor) -> Tensor:
        """Return the distribution function of each component, shape ``(*, D, K)``."""
        ...

    def log_density(self, x: Tensor) -> Tensor:
        """Return the log-density of each component, shape ``(*, D, K)``."""
        ...

    def log_mass(self, low: Tensor, high: Tensor) -> Tensor:
        """Return the log-probability of [low, high] under each component, shape ``(*, D, K)``."""
        ...

    def bracket(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return two values between which every mixture of the components has its u-quantiles, shape ``(*, D)``."""
        ...


class Standard(NamedTuple):
    """A location-scale family at location 0 and scale 1, elementwise."""

    cdf: Callable[[Tensor], Tensor]
    log_density: Callable[[Tensor], Tensor]
    icdf: Callable[[Tensor], Tensor]
    log_mass: Callable[[Tensor, Tensor], Tensor]


class LocationScale(Marginals):
    """Marginals ``F((x - m) / s)`` for a standard F, with m and s of shape ``(*B, D, K)``."""

    def __init__(self, standard: Standard, loc: Tensor, scale: Tensor) -> None:
        self.standard, self.loc, self.scale = standard, loc, scale

    def cdf(self, x: Tensor) -> Tensor:
        """Return ``F(z)`` with ``z = (x - m) / s``."""
        return self.standard.cdf((x - self.loc) / self.scale)

    def log_density(self, x: Tensor) -> Tensor:
        """Return ``log f(z) - log s``."""
        return self.standard.log_density((x - self.loc) / self.scale) - self.scale.log()

    def log_mass(self, low: Tensor, high: Tensor) -> Tensor:
        """Return the log-probability of [low, high]."""
        return self.standard.log_mass((low - self.loc) / self.scale, (high - self.loc) / self.scale)

    def bracket(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return the smallest and the largest u-quantile of the components, between which that of the mixture lies."""
        ends = self.loc + self.scale * self.standard.icdf(u)  # (*, D, K)
        return ends.amin(-1), ends.amax(-1)


def mixture_cdf(log_weights: Tensor, components: Marginals, x: Tensor) -> Tensor:
    """Return ``F(x) = Σ_k w_k F_k(x)`` for ``x`` of shape ``(*, D)`` and weights of shape ``(*B, 1, K)``."""
    total = (log_weights.exp() * components.cdf(x.unsqueeze(-1))).sum(-1)
    return total.clamp(max=1)  # weights sum to one up to rounding


def mixture_icdf(log_weights: Tensor, components: Marginals, u: Tensor) -> Tensor:
    """Return x with ``F(x) = u`` by Newton steps inside a bracket that is bisected whenever Newton leaves it.

    One last differentiable step gives the exact first derivative ``dx = -dF / p(x)`` in every parameter and in u.
    """
    with torch.no_grad():
        x = _solve(log_weights, components, u)
        inside = torch.isfinite(x)
        safe = torch.where(inside, x, torch.zeros_like(x))
    if not torch.is_grad_enabled():
        return x
    error = mixture_cdf(log_weights, components, safe) - u
    if not error.requires_grad:
        return x
    density = _log_density(log_weights, components, safe).exp().detach()
    step = error / density.clamp_min(torch.finfo(x.dtype).tiny)
    return torch.where(inside, safe - (step - step.detach()), x)


def _log_density(log_weights: Tensor, components: Marginals, x: Tensor) -> Tensor:
    return torch.logsumexp(log_weights + components.log_density(x.unsqueeze(-1)), -1)


def _solve(log_weights: Tensor, components: Marginals, u: Tensor) -> Tensor:
    low, high = components.bracket(u.unsqueeze(-1))
    x = torch.where(torch.isfinite(low), (low + high) / 2, low)
    done = ~torch.isfinite(low)  # u of 0 or 1 is an infinite quantile, u outside [0, 1] is NaN
    eps = torch.finfo(x.dtype).eps
    for step in range(_STEPS):
        error = mixture_cdf(log_weights, components, x) - u
        low, high = torch.where(error < 0, x, low), torch.where(error > 0, x, high)
        newton = x - error / _log_density(log_weights, components, x).exp()
        middle = (low + high) / 2
        usable = (newton > low) & (newton < high) & (step % 3 != 2)
        settled = (error == 0) | ((newton - x).abs() <= eps * x.abs())
        following = torch.where(settled, x, torch.where(usable, newton, middle))
        done = done | ((following - x).abs() <= eps * x.abs()) | (high - low <= 2 * eps * x.abs())
        x = torch.where(done, x, following)
        if bool(done.all()):
            break
    return x
