"""Mixtures of von Mises distributions, for angles."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mixtura.distributions.circular import draw_angles, log_i0e, mean_resultant, von_mises_cdf, wrap
from mixtura.distributions.mixture import Mixture
from mixtura.distributions.quantiles import Marginals
from mixtura.distributions.spreads import Concentration

__all__ = ["VonMisesMixture"]


class VonMisesMixture(Mixture[Concentration]):
    r"""Hold a mixture of K von Mises distributions of D angles, ``p(x) = Σ_k w_k Π_d exp(κ_kd cos(x_d - m_kd)) /
    2π I_0(κ_kd)``.

    The density has period 2π and integrates to one over a turn; angles are in radians, samples in [-π, π). ``cdf(x)``
    is the probability of [-π, x] for x in [-π, π], and ``icdf`` its inverse. ``mean`` is the mean direction,
    ``arg E exp(ix)``, and ``variance`` the circular variance, ``1 - |E exp(ix)|`` in [0, 1] (Mardia & Jupp 2000,
    "Directional Statistics").

    Args:
        logits: unnormalised log-weights, shape ``(*B, K)``; ``-inf`` is a weight of zero.
        loc: directions m in radians, shape ``(*B, K, D)``; or ``(*B, K)`` with ``event_dim=0``.
        concentration: κ >= 0, of the shape of loc; ``(D,)`` ties the components, a number the coordinates as well. Zero
            is the uniform distribution; a large κ is nearly a normal one of variance 1/κ.
        event_dim: 1 for vectors (``event_shape == (D,)``), 0 for scalars (``event_shape == ()``).
        validate_args: check parameters and values; None follows torch's global default.

    Raises:
        ValueError: where shapes do not fit, a concentration is negative, or the weights sum to nothing.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.VonMisesMixture(torch.zeros(2), torch.tensor([3.0, -3.0]), concentration=4.0, event_dim=0)
        >>> q.mean.abs(), q.log_prob(torch.tensor([3.14159, 0.0]))
        (tensor(3.1416), tensor([-0.3029, -8.2228]))
        >>> q.cdf(torch.tensor([-3.14159, 0.0, 3.14159])).round(decimals=3)
        tensor([0.0000, 0.5000, 1.0000])
    """

    def __init__(
        self,
        logits: Tensor,
        loc: Tensor,
        concentration: float | Tensor,
        *,
        event_dim: int = 1,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(logits, loc, Concentration.of(concentration, loc, event_dim), event_dim, validate_args)

    @property
    def concentration(self) -> Tensor:
        """Concentrations κ of the components, shape ``(*B, K, *event_shape)``."""
        return self._kappa.reshape(self.loc.shape)

    @property
    def variance(self) -> Tensor:
        """Circular variance of each angle, shape ``(*B, *event_shape)``."""
        c, s = self._resultant()
        return self._from_vector(1 - torch.hypot(c, s)).to(self._loc)

    def _mean(self) -> Tensor:
        c, s = self._resultant()
        return torch.atan2(s, c).to(self._loc)

    def _resultant(self) -> tuple[Tensor, Tensor]:
        """Return ``E cos x`` and ``E sin x``, shape ``(*B, D)``, in float64: one minus their length is small."""
        weight = self.logits.double().softmax(-1).unsqueeze(-1) * mean_resultant(self._kappa.double())
        m = self._loc.double()
        return (weight * m.cos()).sum(-2), (weight * m.sin()).sum(-2)

    def _component_log_prob(self, offset: Tensor) -> Tensor:
        kappa = self._spread.parameter
        rise = 2 * (0.5 * offset).sin().square()  # 1 - cos
        return -(kappa * rise + log_i0e(kappa) + math.log(2 * math.pi)).sum(-1)

    def _marginals(self) -> Marginals:
        return _Angles(self._loc.mT, self._kappa.mT)

    def _variances(self) -> Tensor:
        return 1 - mean_resultant(self._kappa)

    def _draw(self, loc: Tensor, spread: Concentration) -> Tensor:
        return wrap(loc + draw_angles(spread.parameter))

    @property
    def _kappa(self) -> Tensor:
        return self._spread.parameter.expand(self._loc.shape)


class _Angles(Marginals):
    """Marginals of angles, cut open at -π."""

    def __init__(self, loc: Tensor, kappa: Tensor) -> None:
        self.loc, self.kappa = loc, kappa
        self.log_norm = log_i0e(kappa) + math.log(2 * math.pi)
        self.start = von_mises_cdf(-math.pi - loc, kappa)

    def cdf(self, x: Tensor) -> Tensor:
        return (von_mises_cdf(x.clamp(-math.pi, math.pi) - self.loc, self.kappa) - self.start).clamp(0, 1)

    def log_density(self, x: Tensor) -> Tensor:
        return -2 * self.kappa * (0.5 * (x - self.loc)).sin().square() - self.log_norm

    def log_mass(self, low: Tensor, high: Tensor) -> Tensor:
        return (self.cdf(high) - self.cdf(low)).log()

    def bracket(self, u: Tensor) -> tuple[Tensor, Tensor]:
        end = torch.full_like(u.squeeze(-1), math.pi)
        return -end, end
