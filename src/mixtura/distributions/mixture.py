"""What mixtures of every family have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from mixtura.distributions.checks import check_levels, check_values, chosen_dims, mixture_shapes
from mixtura.distributions.quantiles import Marginals, mixture_cdf, mixture_icdf
from mixtura.distributions.spreads import Spread
from mixtura.distributions.weighted import WeightedSum

__all__ = ["Mixture"]

SpreadT = TypeVar("SpreadT", bound=Spread)


class Mixture(WeightedSum, Generic[SpreadT]):
    r"""Hold a mixture ``p(x) = Σ_k w_k p_k(x)`` of K components of one family in D dimensions, with weights in the log
    domain.

    A new family is one file with four operations: the log-density of the components, their one-dimensional marginals,
    their variances and a draw from them. Components have a location and a spread: a covariance, a scale, or any other
    :class:`~mixtura.distributions.spreads.Spread`.

    Args:
        logits: unnormalised log-weights, shape ``(*B, K)``; ``-inf`` is a weight of zero.
        loc: locations m in units of x, shape ``(*B, K, D)``; or ``(*B, K)`` with ``event_dim=0``.
        spread: of every component, tied or not.
        event_dim: 1 for vectors (``event_shape == (D,)``), 0 for scalars (``event_shape == ()``).
        validate_args: check parameters and values; None follows torch's global default.

    Raises:
        ValueError: where shapes do not fit, a spread is not valid, or the weights sum to nothing.
    """

    def __init__(
        self, logits: Tensor, loc: Tensor, spread: SpreadT, event_dim: int = 1, validate_args: bool | None = None
    ) -> None:
        if event_dim not in (0, 1):
            raise ValueError(f"event_dim must be 0 (scalars) or 1 (vectors), got {event_dim}.")
        if not loc.is_floating_point():
            raise TypeError(f"loc must hold floating-point numbers, got {loc.dtype}.")
        vectors = loc if event_dim else loc.unsqueeze(-1)
        batch_shape, K, D = mixture_shapes(logits, vectors, spread)
        self.logits = logits.to(loc).expand(*batch_shape, K)
        self._loc = vectors.expand(*batch_shape, K, D)
        self._spread = spread.to(loc)
        super().__init__(batch_shape, torch.Size((D,) if event_dim else ()), validate_args=validate_args)
        if self._validate_args:
            check_values(self.logits, self._loc)
            spread.validate()

    @property
    def components(self) -> int:
        """Number of components K."""
        return self.logits.shape[-1]

    @property
    def loc(self) -> Tensor:
        """Locations of the components, shape ``(*B, K, *event_shape)``."""
        return self._loc if self.event_shape else self._loc.squeeze(-1)

    @property
    def variance(self) -> Tensor:
        """Variance of each coordinate, shape ``(*B, *event_shape)``."""
        spread = self._variances() + (self._loc - self._mean().unsqueeze(-2)).square()  # (*B, K, D)
        return self._from_vector((self.weights.unsqueeze(-1) * spread).sum(-2))

    def component_log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p_k(x)`` for every component, shape ``(*S, *B, K)``."""
        return self._component_log_prob(self._to_vector(value).unsqueeze(-2) - self._loc)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(x)``, shape ``(*S, *B)``.

        Args:
            value: x of shape ``(*S, *B, *event_shape)``.
        """
        return torch.logsumexp(self.log_weights + self.component_log_prob(value), -1)

    def responsibilities(self, value: Tensor) -> Tensor:
        """Return the posterior weight of every component, ``w_k p_k(x) / p(x)``, shape ``(*S, *B, K)``."""
        return torch.softmax(self.log_weights + self.component_log_prob(value), -1)

    def cdf(self, value: Tensor) -> Tensor:
        """Return the distribution function of each marginal, shape ``(*S, *B, *event_shape)``."""
        x = self._to_vector(value)
        return self._from_vector(mixture_cdf(self.log_weights.unsqueeze(-2), self._marginals(), x))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantiles of each marginal at ``value`` in [0, 1], shape ``(*S, *B, *event_shape)``.

        Raises:
            ValueError: where a probability is outside [0, 1].
        """
        check_levels(value)
        u = self._to_vector(value)
        u = u.expand(torch.broadcast_shapes(u.shape, (*self.batch_shape, self._D)))
        return self._from_vector(mixture_icdf(self.log_weights.unsqueeze(-2), self._marginals(), u))

    def sample(self, sample_shape: Sequence[int] | torch.Size = ()) -> Tensor:
        """Draw samples of shape ``(*sample_shape, *B, *event_shape)``."""
        with torch.no_grad():
            component = Categorical(logits=self.logits, validate_args=False).sample(
                torch.Size(sample_shape)
            )  # (*S, *B)
            index = component[..., None, None].expand(*component.shape, 1, self._D)
            loc = self._loc.expand(*component.shape, self.components, self._D).gather(-2, index)  # (*S, *B, 1, D)
            spread = self._spread.expand((*self.batch_shape, self.components)).take(component)
            return self._from_vector(self._draw(loc, spread).squeeze(-2))

    def marginal(self, dims: int | Sequence[int]) -> Self:
        """Return the mixture of the coordinates ``dims``; an int drops the event dimension, as indexing does.

        Raises:
            IndexError: where a coordinate does not exist or is named twice.
        """
        chosen = chosen_dims(dims, self.event_shape)
        loc, spread = self._loc[..., chosen], self._spread.marginal(chosen)
        if isinstance(dims, int):
            return self._new(self.logits, loc.squeeze(-1), spread, event_dim=0)
        return self._new(self.logits, loc, spread, event_dim=1)

    def subset(self, components: Tensor) -> Self:
        """Return the mixture of some of the components, their weights as they are to each other.

        Args:
            components: indices, shape ``(k,)``.
        """
        spread, shape = self._spread, self._spread.batch_shape
        if shape and shape[-1] > 1:
            spread = spread.index(components)
        return self._new(
            self.logits[..., components],
            self.loc.index_select(len(self.batch_shape), components),
            spread,
            event_dim=len(self.event_shape),
        )

    def pruned(self, least: float) -> Self:
        """Return the mixture without the components that weigh less than ``least``, the others' weights as they are to
        each other; the heaviest stays in any case.

        A network keeps some small weight for components that an x has no use for, and these may lie anywhere: a few
        draws in a thousand are far off then.

        Args:
            least: weight in [0, 1].
        """
        light = (self.weights < least) & (self.logits < self.logits.amax(-1, keepdim=True))
        kept = self.logits.masked_fill(light, -torch.inf)
        return self._new(kept, self.loc, self._spread, event_dim=len(self.event_shape))

    def affine(self, scale: Tensor, shift: Tensor) -> Self:
        """Return the mixture of ``scale * x + shift``.

        Args:
            scale: positive, shape ``event_shape``.
            shift: in the new units, shape ``event_shape``.

        Raises:
            ValueError: where a shape differs from event_shape, a scale is not positive, or the family is not closed
                under rescaling.
        """
        if scale.shape != self.event_shape or shift.shape != self.event_shape:
            raise ValueError(
                f"scale {tuple(scale.shape)} and shift {tuple(shift.shape)} must have the event_shape "
                f"{tuple(self.event_shape)} of the mixture."
            )
        if not bool((scale > 0).all()):
            raise ValueError("scale must be positive.")
        spread = self._spread.rescale(scale.reshape(self._D))
        return self._new(self.logits, self.loc * scale + shift, spread, event_dim=len(self.event_shape))

    def expand(self, batch_shape: Sequence[int] | torch.Size, _instance: Distribution | None = None) -> Self:
        """Return the mixture with its batch dimensions expanded to ``batch_shape``."""
        K = self.components
        return self._new(
            self.logits.expand(*batch_shape, K),
            self.loc.expand(*batch_shape, K, *self.event_shape),
            self._spread.expand((*batch_shape, K)),
            event_dim=len(self.event_shape),
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)}, "
            f"components={self.components}{self._settings()})"
        )

    @abstractmethod
    def _component_log_prob(self, offset: Tensor) -> Tensor:
        """Return ``log p_k`` at ``m_k + offset``, of shape ``(*S, *B, K)`` for ``offset`` of ``(*S, *B, K, D)``."""

    @abstractmethod
    def _marginals(self) -> Marginals:
        """Return the one-dimensional marginals of the components."""

    @abstractmethod
    def _variances(self) -> Tensor:
        """Return the variance of each component and coordinate, shape ``(*B, K, D)``."""

    @abstractmethod
    def _draw(self, loc: Tensor, spread: SpreadT) -> Tensor:
        """Draw from components of the given locations, shape ``(*, 1, D)``, and spreads, shape ``(*, 1)``."""

    def _settings(self) -> str:
        """Return what ``repr`` shows beside the shapes."""
        return ""

    @property
    def _D(self) -> int:
        return self._loc.shape[-1]

    def _new(self, logits: Tensor, loc: Tensor, spread: Spread, event_dim: int) -> Self:
        """Build a mixture from parameters that are known to be right, with this one's validation of values."""
        new = type(self).__new__(type(self))
        Mixture.__init__(new, logits, loc, spread, event_dim, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _mean(self) -> Tensor:
        return (self.weights.unsqueeze(-1) * self._loc).sum(-2)  # (*B, D)

    def _covariance_matrix(self, within: Tensor) -> Tensor:
        """Return ``Σ w_k (S_k + (m_k - m)(m_k - m)ᵀ)`` for S broadcastable to ``(*B, K, D, D)``."""
        offset = self._loc - self._mean().unsqueeze(-2)  # (*B, K, D)
        total = within + offset.unsqueeze(-1) * offset.unsqueeze(-2)  # (*B, K, D, D)
        return (self.weights[..., None, None] * total).sum(-3)
