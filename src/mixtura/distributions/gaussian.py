"""Mixtures of Gaussians."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, constraints

from mixtura.distributions.covariances import Covariance, Isotropic
from mixtura.distributions.modes import Modes, find_modes
from mixtura.distributions.quantiles import mixture_cdf, mixture_icdf

__all__ = ["GaussianMixture"]


class GaussianMixture(Distribution):
    r"""Hold a mixture of K Gaussians in D dimensions, ``p(x) = Σ_k w_k N(x; m_k, S_k)``, with weights in the log
    domain.

    Args:
        logits: unnormalised log-weights, shape ``(*B, K)``; ``-inf`` is a weight of zero.
        loc: means m in units of x, shape ``(*B, K, D)``; or ``(*B, K)`` with ``event_dim=0``.
        covariance: one of :class:`~mixtura.Isotropic`, :class:`~mixtura.Diagonal`, :class:`~mixtura.Full`,
            :class:`~mixtura.Precision`; each tied or per component.
        event_dim: 1 for vectors (``event_shape == (D,)``), 0 for scalars (``event_shape == ()``).
        validate_args: check parameters and values; None follows torch's global default.

    Raises:
        ValueError: where shapes do not fit, a covariance is not positive definite, or the weights sum to nothing.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(2), torch.tensor([[-1.0], [1.0]]), mx.Isotropic(0.25))
        >>> q
        GaussianMixture(batch_shape=(), event_shape=(1,), components=2, covariance=Isotropic)
        >>> q.log_prob(torch.tensor([[1.0], [-1.0]]))
        tensor([-0.9186, -0.9186])
        >>> q.covariance_matrix
        tensor([[1.2500]])
    """

    has_rsample = False

    def __init__(
        self,
        logits: Tensor,
        loc: Tensor,
        covariance: Covariance,
        *,
        event_dim: int = 1,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(covariance, Covariance):
            raise TypeError(
                f"covariance must be Isotropic, Diagonal, Full or Precision, got {type(covariance).__name__}."
            )
        if event_dim not in (0, 1):
            raise ValueError(f"event_dim must be 0 (scalars) or 1 (vectors), got {event_dim}.")
        if not loc.is_floating_point():
            raise TypeError(f"loc must hold floating-point numbers, got {loc.dtype}.")
        vectors = loc if event_dim else loc.unsqueeze(-1)
        batch_shape, K, D = _shapes(logits, vectors, covariance)
        self.logits = logits.to(loc).expand(*batch_shape, K)
        self._loc = vectors.expand(*batch_shape, K, D)
        self.covariance = covariance.to(loc)
        super().__init__(batch_shape, torch.Size((D,) if event_dim else ()), validate_args=validate_args)
        if self._validate_args:
            _check_values(self.logits, self._loc)
            covariance.validate()

    @classmethod
    def from_samples(cls, x: Tensor, variance: float | Tensor | Covariance, weights: Tensor | None = None) -> Self:
        """Return the data as a mixture, ``p(x) = Σ_n w_n N(x; x_n, S)``, one component per row.

        Args:
            x: samples, shape ``(*B, N, D)``, or ``(N,)`` for scalars.
            variance: of every component in squared units of x; or any covariance.
            weights: of the rows, not negative, shape ``(*B, N)``; None weighs all alike.

        Example:
            >>> import torch, mixtura as mx
            >>> mx.GaussianMixture.from_samples(torch.tensor([[0.0, 0.0], [2.0, 0.0]]), variance=0.01).mean
            tensor([1., 0.])
        """
        event_dim = int(x.dim() > 1)
        rows = x.shape[: x.dim() - event_dim]
        if x.dim() == 0 or rows[-1] == 0:
            raise ValueError(f"x needs at least one row, got shape {tuple(x.shape)}.")
        if weights is not None and bool((weights < 0).any()):
            raise ValueError(f"weights must not be negative, the smallest is {weights.min().item():g}.")
        logits = x.new_zeros(rows) if weights is None else weights.to(x).log()
        return cls(
            logits, x, variance if isinstance(variance, Covariance) else Isotropic(variance), event_dim=event_dim
        )

    @property
    def components(self) -> int:
        """Number of components K."""
        return self.logits.shape[-1]

    @property
    def loc(self) -> Tensor:
        """Means of the components, shape ``(*B, K, *event_shape)``."""
        return self._loc if self.event_shape else self._loc.squeeze(-1)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """Nothing for torch to check: the constructor does, and names the component that is wrong."""
        return {}

    @property
    def support(self) -> constraints.Constraint:  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]
        """Vectors or scalars of real numbers."""
        return constraints.independent(constraints.real, len(self.event_shape))

    @property
    def log_weights(self) -> Tensor:
        """Normalised log-weights, shape ``(*B, K)``."""
        return torch.log_softmax(self.logits, -1)

    @property
    def weights(self) -> Tensor:
        """Weights, shape ``(*B, K)``, summing to one."""
        return self.log_weights.exp()

    @property
    def mean(self) -> Tensor:
        """Mean ``Σ w_k m_k``, shape ``(*B, *event_shape)``."""
        return self._from_vector(self._mean())

    @property
    def variance(self) -> Tensor:
        """Variance of each coordinate, shape ``(*B, *event_shape)``."""
        spread = self._variances() + (self._loc - self._mean().unsqueeze(-2)).square()  # (*B, K, D)
        return self._from_vector((self.weights.unsqueeze(-1) * spread).sum(-2))

    @property
    def covariance_matrix(self) -> Tensor:
        """Covariance ``Σ w_k (S_k + (m_k - m)(m_k - m)ᵀ)``, shape ``(*B, D, D)``."""
        offset = self._loc - self._mean().unsqueeze(-2)  # (*B, K, D)
        within = self.covariance.dense(self._D)
        total = within + offset.unsqueeze(-1) * offset.unsqueeze(-2)  # (*B, K, D, D)
        return (self.weights[..., None, None] * total).sum(-3)

    def component_log_prob(self, value: Tensor) -> Tensor:
        """Return ``log N(x; m_k, S_k)`` for every component, shape ``(*S, *B, K)``."""
        z = self.covariance.whiten(self._to_vector(value).unsqueeze(-2) - self._loc)  # (*S, *B, K, D)
        return -0.5 * z.square().sum(-1) - self.covariance.half_log_det(self._D) - 0.5 * self._D * math.log(2 * math.pi)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(x)``, shape ``(*S, *B)``.

        Args:
            value: x of shape ``(*S, *B, *event_shape)``.
        """
        return torch.logsumexp(self.log_weights + self.component_log_prob(value), -1)

    def responsibilities(self, value: Tensor) -> Tensor:
        """Return the posterior weight of every component, ``w_k N(x; m_k, S_k) / p(x)``, shape ``(*S, *B, K)``."""
        return torch.softmax(self.log_weights + self.component_log_prob(value), -1)

    def cdf(self, value: Tensor) -> Tensor:
        """Return the distribution function of each marginal, ``Σ w_k Φ((x_d - m_kd) / s_kd)``, shape ``(*S, *B,
        *event_shape)``."""
        return self._from_vector(mixture_cdf(*self._marginals(), self._to_vector(value)))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantiles of each marginal at ``value`` in [0, 1], shape ``(*S, *B, *event_shape)``.

        Raises:
            ValueError: where a probability is outside [0, 1].
        """
        if bool(((value < 0) | (value > 1)).any()):
            raise ValueError("value of icdf must lie in [0, 1]: it is a probability.")
        u = self._to_vector(value)
        return self._from_vector(
            mixture_icdf(*self._marginals(), u.expand(torch.broadcast_shapes(u.shape, (*self.batch_shape, self._D))))
        )

    def modes(self) -> Modes:
        """Return the local maxima of the density to which the means of the components climb, the densest first.

        Example:
            >>> import torch, mixtura as mx
            >>> q = mx.GaussianMixture(torch.tensor([0.6, 0.4]).log(), torch.tensor([[0.0], [5.0]]), mx.Isotropic(1.0))
            >>> q.modes().loc.round(decimals=3), q.modes().mass.round(decimals=2)
            (tensor([[0.],
                    [5.]]), tensor([0.6000, 0.4000]))
        """
        modes = find_modes(self)
        return modes if self.event_shape else Modes(modes.loc.squeeze(-1), modes.log_prob, modes.mass)

    def sample(self, sample_shape: Sequence[int] | torch.Size = ()) -> Tensor:
        """Draw samples of shape ``(*sample_shape, *B, *event_shape)``."""
        with torch.no_grad():
            component = Categorical(logits=self.logits, validate_args=False).sample(
                torch.Size(sample_shape)
            )  # (*S, *B)
            index = component[..., None, None].expand(*component.shape, 1, self._D)
            loc = self._loc.expand(*component.shape, self.components, self._D).gather(-2, index)  # (*S, *B, 1, D)
            chosen = self.covariance.expand((*self.batch_shape, self.components)).take(component)
            x = loc + chosen.color(torch.randn(loc.shape, dtype=loc.dtype, device=loc.device))
            return self._from_vector(x.squeeze(-2))

    def marginal(self, dims: int | Sequence[int]) -> GaussianMixture:
        """Return the mixture of the coordinates ``dims``; an int drops the event dimension, as indexing does.

        Raises:
            IndexError: where a coordinate does not exist or is named twice.
        """
        chosen = [dims] if isinstance(dims, int) else list(dims)
        inside = all(-self._D <= d < self._D for d in chosen)
        chosen = [d % self._D for d in chosen]
        if not inside or not chosen or len(set(chosen)) < len(chosen) or not self.event_shape:
            raise IndexError(
                f"dims {dims} do not name distinct coordinates of a mixture with event_shape {tuple(self.event_shape)}."
            )
        loc = self._loc[..., chosen]
        scalar = isinstance(dims, int)
        return self._new(
            self.logits, loc.squeeze(-1) if scalar else loc, self.covariance.marginal(chosen), event_dim=int(not scalar)
        )

    def affine(self, scale: Tensor, shift: Tensor) -> GaussianMixture:
        """Return the mixture of ``scale * x + shift``.

        Args:
            scale: positive, shape ``event_shape``.
            shift: in the new units, shape ``event_shape``.

        Raises:
            ValueError: where a shape differs from event_shape or a scale is not positive.
        """
        if scale.shape != self.event_shape or shift.shape != self.event_shape:
            raise ValueError(
                f"scale {tuple(scale.shape)} and shift {tuple(shift.shape)} must have the event_shape "
                f"{tuple(self.event_shape)} of the mixture."
            )
        if not bool((scale > 0).all()):
            raise ValueError("scale must be positive.")
        covariance = self.covariance.rescale(scale.reshape(self._D))
        return self._new(self.logits, self.loc * scale + shift, covariance, event_dim=len(self.event_shape))

    def expand(self, batch_shape: Sequence[int] | torch.Size, _instance: Distribution | None = None) -> GaussianMixture:
        """Return the mixture with its batch dimensions expanded to ``batch_shape``."""
        K = self.components
        return self._new(
            self.logits.expand(*batch_shape, K),
            self.loc.expand(*batch_shape, K, *self.event_shape),
            self.covariance.expand((*batch_shape, K)),
            event_dim=len(self.event_shape),
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)}, "
            f"components={self.components}, covariance={type(self.covariance).__name__})"
        )

    @property
    def _D(self) -> int:
        return self._loc.shape[-1]

    def _new(self, logits: Tensor, loc: Tensor, covariance: Covariance, event_dim: int) -> GaussianMixture:
        """Build a mixture from parameters that are known to be right, with this one's validation of values."""
        new = GaussianMixture(logits, loc, covariance, event_dim=event_dim, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _mean(self) -> Tensor:
        return (self.weights.unsqueeze(-1) * self._loc).sum(-2)  # (*B, D)

    def _variances(self) -> Tensor:
        return self.covariance.variances(self._D).expand(self._loc.shape)  # (*B, K, D)

    def _marginals(self) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights, means and scales of the one-dimensional marginals, broadcastable to ``(*B, D, K)``."""
        return self.log_weights.unsqueeze(-2), self._loc.mT, self._variances().sqrt().mT

    def _to_vector(self, value: Tensor) -> Tensor:
        """Check a value and give it the shape ``(*S, *B, D)``."""
        event = len(self.event_shape)
        if event and (value.dim() == 0 or value.shape[-1] != self._D):
            raise ValueError(
                f"value has shape {tuple(value.shape)}; its last dimension must be the D = {self._D} of loc."
            )
        try:
            torch.broadcast_shapes(value.shape[: value.dim() - event], self.batch_shape)
        except RuntimeError:
            raise ValueError(
                f"value has shape {tuple(value.shape)}, which does not broadcast with batch_shape "
                f"{tuple(self.batch_shape)} and event_shape {tuple(self.event_shape)}."
            ) from None
        if self._validate_args and bool(value.isnan().any()):
            raise ValueError("value holds NaN.")
        return value if event else value.unsqueeze(-1)

    def _from_vector(self, x: Tensor) -> Tensor:
        return x if self.event_shape else x.squeeze(-1)


def _shapes(logits: Tensor, loc: Tensor, covariance: Covariance) -> tuple[torch.Size, int, int]:
    """Return the batch shape, K and D, or say which two arguments disagree."""
    given = f"logits has shape {tuple(logits.shape)} and loc, with its event dimension, {tuple(loc.shape)}"
    if logits.dim() < 1 or loc.dim() < 2 or logits.shape[-1] != loc.shape[-2] or 0 in loc.shape[-2:]:
        raise ValueError(f"{given}; they must be (*B, K) and (*B, K, D) with the same K >= 1 and D >= 1.")
    K, D = loc.shape[-2:]
    if covariance.dimension not in (None, D):
        raise ValueError(
            f"{covariance!r} is for D = {covariance.dimension} dimensions, "
            f"but loc has shape {tuple(loc.shape)}, D = {D}."
        )
    if len(covariance.batch_shape) and covariance.batch_shape[-1] not in (1, K):
        raise ValueError(
            f"{covariance!r} is for K = {covariance.batch_shape[-1]} components, "
            f"but loc has shape {tuple(loc.shape)}, K = {K}."
        )
    try:
        batch_shape = torch.broadcast_shapes(logits.shape[:-1], loc.shape[:-2], covariance.batch_shape[:-1])
    except RuntimeError:
        raise ValueError(
            f"{given}, the covariance is {covariance!r}; their batch dimensions do not broadcast."
        ) from None
    return batch_shape, K, D


def _check_values(logits: Tensor, loc: Tensor) -> None:
    if bool((logits.isnan() | (logits == math.inf)).any()):
        raise ValueError("logits must not hold NaN or +inf.")
    if bool((logits == -math.inf).all(-1).any()):
        raise ValueError("logits are all -inf in one mixture: its weights sum to nothing.")
    if not bool(torch.isfinite(loc).all()):
        raise ValueError("loc holds a value that is not finite.")
