"""Mixtures of Cauchy distributions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mixtura.distributions.log_mass import cauchy_log_mass
from mixtura.distributions.mixture import Mixture
from mixtura.distributions.quantiles import LocationScale, Standard
from mixtura.distributions.spreads import RadialScale

__all__ = ["CauchyMixture"]

_STANDARD = Standard(
    cdf=lambda z: torch.atan2(torch.ones_like(z), -z) / math.pi,  # ½ + atan(z)/π has no digits in the lower tail
    log_density=lambda z: -_log_one_plus_square(z) - math.log(math.pi),
    icdf=lambda u: torch.where(u < 0.5, -1 / (math.pi * u).tan(), 1 / (math.pi * (1 - u)).tan()),
    log_mass=cauchy_log_mass,
)


def _log_one_plus_square(z: Tensor) -> Tensor:
    """Return ``log(1 + z²)`` where z² may exceed the largest number."""
    t = z.detach().abs().clamp(1, torch.finfo(z.dtype).max)
    return 2 * t.log() + (1 / t.square() + (z / t).square()).log()


class CauchyMixture(Mixture[RadialScale]):
    r"""Hold a mixture of K isotropic Cauchy distributions in D dimensions.

    ``p(x) = Σ_k w_k Γ((D+1)/2) / π^((D+1)/2) · γ_k / (γ_k² + ‖x - m_k‖²)^((D+1)/2)``: Student's t with one degree of
    freedom. Every marginal is Cauchy with the same γ. The mean does not exist: ``mean`` is NaN and ``variance`` is
    infinite, as in :class:`torch.distributions.Cauchy`.

    Args:
        logits: unnormalised log-weights, shape ``(*B, K)``; ``-inf`` is a weight of zero.
        loc: centers m in units of x, shape ``(*B, K, D)``; or ``(*B, K)`` with ``event_dim=0``.
        scale: γ in units of x, one for all directions, shape ``(*B, K)``; a number ties the components.
        event_dim: 1 for vectors (``event_shape == (D,)``), 0 for scalars (``event_shape == ()``).
        validate_args: check parameters and values; None follows torch's global default.

    Raises:
        ValueError: where shapes do not fit, a scale is not positive, or the weights sum to nothing.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.CauchyMixture(torch.zeros(2), torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), scale=0.5)
        >>> q.log_prob(torch.tensor([[1.0, 0.0], [1e9, 0.0]]))
        tensor([ -1.1306, -64.7008])
        >>> q.marginal(0).icdf(torch.tensor([0.25, 0.5]))
        tensor([-1.1180,  0.0000])
    """

    def __init__(
        self,
        logits: Tensor,
        loc: Tensor,
        scale: float | Tensor,
        *,
        event_dim: int = 1,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(logits, loc, RadialScale.of(scale, loc, event_dim), event_dim, validate_args)

    @property
    def scale(self) -> Tensor:
        """Scales γ of the components, shape ``(*B, K)``."""
        return self._spread.parameter.expand(self.logits.shape)

    @property
    def variance(self) -> Tensor:
        """Infinity, shape ``(*B, *event_shape)``."""
        return self._from_vector(self._variances()[..., 0, :])

    def _component_log_prob(self, offset: Tensor) -> Tensor:
        gamma, power = self._spread.parameter, 0.5 * (self._D + 1)
        # Squares may leave the range of numbers, so the largest term is taken out.
        largest = torch.maximum(offset.detach().abs().amax(-1), gamma.detach()).clamp(max=torch.finfo(offset.dtype).max)
        ratio = (gamma / largest).square() + (offset / largest.unsqueeze(-1)).square().sum(-1)
        log_square = 2 * largest.log() + ratio.log()  # log(γ² + r²)
        return math.lgamma(power) - power * math.log(math.pi) + gamma.log() - power * log_square

    def _marginals(self) -> LocationScale:
        return LocationScale(_STANDARD, self._loc.mT, self._spread.over_dims().expand(self._loc.shape).mT)

    def _mean(self) -> Tensor:
        return self._loc.new_full((*self.batch_shape, self._D), math.nan)

    def _variances(self) -> Tensor:
        return torch.full_like(self._loc, math.inf)

    def _draw(self, loc: Tensor, spread: RadialScale) -> Tensor:
        z, chi = torch.randn_like(loc), torch.randn_like(loc[..., :1]).abs()
        return loc + spread.over_dims() * z / chi
