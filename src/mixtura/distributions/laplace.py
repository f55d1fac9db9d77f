"""Mixtures of Laplace distributions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mixtura.distributions.log_mass import laplace_log_mass
from mixtura.distributions.mixture import Mixture
from mixtura.distributions.quantiles import LocationScale, Standard
from mixtura.distributions.spreads import Scale

__all__ = ["LaplaceMixture"]


def _cdf(z: Tensor) -> Tensor:
    # Not by |z|, whose derivative at zero is not that of the distribution function.
    return torch.where(z < 0, 0.5 * z.clamp(max=0).exp(), 1 - 0.5 * (-z.clamp(min=0)).exp())


_STANDARD = Standard(
    cdf=_cdf,
    log_density=lambda z: -z.abs() - math.log(2),
    icdf=lambda u: torch.where(u < 0.5, (2 * u).log(), -(2 - 2 * u).log()),
    log_mass=laplace_log_mass,
)


class LaplaceMixture(Mixture[Scale]):
    r"""Hold a mixture of K Laplace distributions, ``p(x) = Σ_k w_k Π_d exp(-|x_d - m_kd| / b_kd) / 2b_kd``.

    Args:
        logits: unnormalised log-weights, shape ``(*B, K)``; ``-inf`` is a weight of zero.
        loc: medians m in units of x, shape ``(*B, K, D)``; or ``(*B, K)`` with ``event_dim=0``.
        scale: b in units of x, of the shape of loc; ``(D,)`` ties the components, a number the coordinates as well.
        event_dim: 1 for vectors (``event_shape == (D,)``), 0 for scalars (``event_shape == ()``).
        validate_args: check parameters and values; None follows torch's global default.

    Raises:
        ValueError: where shapes do not fit, a scale is not positive, or the weights sum to nothing.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.LaplaceMixture(torch.zeros(2), torch.tensor([[-1.0], [1.0]]), scale=0.5)
        >>> q
        LaplaceMixture(batch_shape=(), event_shape=(1,), components=2)
        >>> q.log_prob(torch.tensor([[1.0], [0.0]]))
        tensor([-0.6750, -2.0000])
        >>> q.variance
        tensor([1.5000])
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
        super().__init__(logits, loc, Scale.of(scale, loc, event_dim), event_dim, validate_args)

    @property
    def scale(self) -> Tensor:
        """Scales b of the components, shape ``(*B, K, *event_shape)``."""
        return self._spread.parameter.expand(self._loc.shape).reshape(self.loc.shape)

    @property
    def covariance_matrix(self) -> Tensor:
        """Covariance ``Σ w_k (2 diag(b_k)² + (m_k - m)(m_k - m)ᵀ)``, shape ``(*B, D, D)``."""
        return self._covariance_matrix(torch.diag_embed(self._variances()))

    def _component_log_prob(self, offset: Tensor) -> Tensor:
        b = self._spread.parameter
        return -(offset.abs() / b).sum(-1) - (2 * b).log().sum(-1)

    def _marginals(self) -> LocationScale:
        return LocationScale(_STANDARD, self._loc.mT, self._spread.parameter.expand(self._loc.shape).mT)

    def _variances(self) -> Tensor:
        return 2 * self._spread.parameter.square().expand(self._loc.shape)

    def _draw(self, loc: Tensor, spread: Scale) -> Tensor:
        up, down = torch.empty_like(loc).exponential_(), torch.empty_like(loc).exponential_()
        return loc + spread.parameter * (up - down)
