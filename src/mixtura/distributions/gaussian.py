"""Mixtures of Gaussians."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor
from torch.distributions import MixtureSameFamily

from mixtura.distributions import algebra, interop
from mixtura.distributions.covariances import Covariance, Isotropic, LowRank
from mixtura.distributions.entropy import entropy, entropy_bounds
from mixtura.distributions.log_density import log_density
from mixtura.distributions.log_mass import normal_log_mass
from mixtura.distributions.mixture import Mixture
from mixtura.distributions.modes import Modes, find_modes
from mixtura.distributions.quantiles import LocationScale, Standard
from mixtura.distributions.regions import HighestDensityRegion, find_region
from mixtura.distributions.reparametrisation import reparametrise

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture as SklearnMixture

__all__ = ["GaussianMixture"]

_STANDARD = Standard(
    cdf=lambda z: 0.5 * torch.erfc(-(0.5**0.5) * z),  # torch.special.ndtr, as 1 + erf, has no digits in the lower tail
    log_density=lambda z: -0.5 * z.square() - 0.5 * math.log(2 * math.pi),
    icdf=torch.special.ndtri,
    log_mass=normal_log_mass,
)


class GaussianMixture(Mixture[Covariance]):
    r"""Hold a mixture of K Gaussians in D dimensions, ``p(x) = Σ_k w_k N(x; m_k, S_k)``, with weights in the log
    domain.

    Args:
        logits: unnormalised log-weights, shape ``(*B, K)``; ``-inf`` is a weight of zero.
        loc: means m in units of x, shape ``(*B, K, D)``; or ``(*B, K)`` with ``event_dim=0``.
        covariance: one of :class:`~mixtura.Isotropic`, :class:`~mixtura.Diagonal`, :class:`~mixtura.Full`,
            :class:`~mixtura.Precision`, :class:`~mixtura.LowRank`; each tied or per component.
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
                f"covariance must be Isotropic, Diagonal, Full, Precision or LowRank, got {type(covariance).__name__}."
            )
        super().__init__(logits, loc, covariance, event_dim, validate_args)

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
    def covariance(self) -> Covariance:
        """Covariances of the components."""
        return self._spread

    @property
    def covariance_matrix(self) -> Tensor:
        """Covariance ``Σ w_k (S_k + (m_k - m)(m_k - m)ᵀ)``, shape ``(*B, D, D)``."""
        return self._covariance_matrix(self.covariance.dense(self._D))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log p(x)``, shape ``(*S, *B)``.

        Args:
            value: x of shape ``(*S, *B, *event_shape)``.
        """
        regression = self.covariance.regression()
        samples = value.dim() - len(self.event_shape) > len(self.batch_shape)
        if regression is None or (regression[1] is not None and (samples or not self._loc.is_cpu)):
            return super().log_prob(value)  # in products with whole matrices, of which a GPU or many values make more
        return log_density(self.logits, self._loc, *regression, self._to_vector(value))

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

    @property
    def has_rsample(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether :meth:`rsample` exists: for all covariances with a triangular factor, so not for LowRank."""
        return not isinstance(self.covariance, LowRank)

    def sample(
        self,
        sample_shape: Sequence[int] | torch.Size = (),
        temperature: float = 1.0,
        scale_temperature: float = 1.0,
    ) -> Tensor:
        """Draw samples of shape ``(*sample_shape, *B, *event_shape)``.

        Args:
            sample_shape: leading shape.
            temperature: weights become ``∝ w^(1/temperature)``: below one, the likely components more often.
            scale_temperature: covariances become ``scale_temperature · S``: below one, nearer to the means.

        Raises:
            ValueError: where a temperature is not positive.
        """
        if not (0 < temperature < math.inf and 0 < scale_temperature < math.inf):
            raise ValueError(f"temperatures must be positive and finite, got {temperature} and {scale_temperature}.")
        if temperature == scale_temperature == 1:
            return super().sample(sample_shape)
        covariance = self.covariance.rescale(self._loc.new_full((self._D,), scale_temperature**0.5))
        logits = self.log_weights / temperature
        return self._new(logits, self.loc, covariance, event_dim=len(self.event_shape)).sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] | torch.Size = ()) -> Tensor:
        """Draw samples with gradients in all parameters, the weights too, by implicit differentiation.

        The gradient is that of the distributional transform (Graves 2016); it costs D + 1 evaluations of the density.

        Raises:
            NotImplementedError: for LowRank covariances, which have no triangular factor.
        """
        if not self.has_rsample:
            raise NotImplementedError("rsample needs a triangular factor, which LowRank does not have: use Full.")
        x = self._to_vector(super().sample(sample_shape))
        return self._from_vector(reparametrise(self, x))

    def affine(self, scale: Tensor, shift: Tensor) -> GaussianMixture:
        """Return the mixture of ``scale * x + shift``, or of ``scale @ x + shift`` for a matrix.

        Args:
            scale: positive, shape ``event_shape``; or a matrix of full row rank, shape ``(D', D)``.
            shift: in the new units, shape ``event_shape`` or ``(D',)``.

        Raises:
            ValueError: where the shapes do not fit, a scale is not positive, or the matrix does not have full row rank.

        Example:
            >>> import torch, mixtura as mx
            >>> q = mx.GaussianMixture(torch.zeros(1), torch.tensor([[1.0, 2.0]]), mx.Isotropic(1.0))
            >>> q.affine(torch.tensor([[1.0, 1.0]]), torch.tensor([10.0])).mean
            tensor([13.])
        """
        if scale.dim() == 2 and self.event_shape:
            return algebra.linear_map(self, scale, shift)
        return super().affine(scale, shift)

    def condition(self, values: Mapping[int, float | Tensor]) -> GaussianMixture:
        """Return the mixture of the other coordinates given some: p(x_a | x_b).

        Args:
            values: of the given coordinates b, by their number; numbers, or tensors that broadcast with the batch.

        Raises:
            IndexError: where a coordinate does not exist or is named twice.
            ValueError: where no coordinate is given or none is left.

        Example:
            >>> import torch, mixtura as mx
            >>> L = torch.tensor([[1.0, 0.0], [0.8, 0.6]])  # correlation 0.8
            >>> q = mx.GaussianMixture(torch.zeros(1), torch.zeros(1, 2), mx.Full(L)).condition({0: 2.0})
            >>> q.mean, q.variance
            (tensor([1.6000]), tensor([0.3600]))
        """
        return algebra.condition(self, values)

    def product(self, other: GaussianMixture) -> GaussianMixture:
        """Return the density proportional to ``p(x) q(x)``, of K·M components, whose logits sum to ``<p, q>``.

        Raises:
            ValueError: where event or batch shapes do not fit.
        """
        return algebra.product(self, other)

    def entropy(self) -> Tensor:
        """Return ``-∫ p log p`` in nats, shape ``B``: by quadrature for D = 1, else from 4,096 samples."""
        return entropy(self)

    def entropy_bounds(self) -> tuple[Tensor, Tensor]:
        """Return a lower and an upper bound of the entropy in nats, in closed form (Huber et al. 2008)."""
        return entropy_bounds(self)

    def highest_density_region(self, mass: float) -> HighestDensityRegion:
        """Return the smallest set that holds ``mass``: intervals for D = 1, a level and a membership test beyond.

        Raises:
            ValueError: where ``mass`` is not strictly between 0 and 1.

        Example:
            >>> import torch, mixtura as mx
            >>> q = mx.GaussianMixture(torch.zeros(2), torch.tensor([-9.0, 9.0]), mx.Isotropic(1.0), event_dim=0)
            >>> q.highest_density_region(0.9).intervals
            tensor([[-10.6449,  -7.3551],
                    [  7.3551,  10.6449]])
        """
        return find_region(self, mass)

    def to_torch(self) -> MixtureSameFamily:
        """Return the same density as torch's mixture."""
        return interop.to_torch(self)

    @classmethod
    def from_torch(cls, mixture: MixtureSameFamily) -> Self:
        """Return the density of torch's mixture of Normal, Independent(Normal, 1) or MultivariateNormal.

        Raises:
            TypeError: for any other family.
        """
        return cls(**interop.parameters_from_torch(mixture))

    def to_sklearn(self) -> SklearnMixture:
        """Return a fitted ``sklearn.mixture.GaussianMixture`` of the same density.

        Raises:
            ValueError: for a batch of mixtures or a mixture of scalars.
        """
        return interop.to_sklearn(self)

    @classmethod
    def from_sklearn(cls, fitted: SklearnMixture) -> Self:
        """Return the density of a fitted ``sklearn.mixture.GaussianMixture``, in float64.

        Raises:
            ValueError: where it is not fitted.
        """
        return cls(**interop.parameters_from_sklearn(fitted))

    def _component_log_prob(self, offset: Tensor) -> Tensor:
        z = self.covariance.whiten(offset)  # (*S, *B, K, D)
        return -0.5 * z.square().sum(-1) - self.covariance.half_log_det(self._D) - 0.5 * self._D * math.log(2 * math.pi)

    def _marginals(self) -> LocationScale:
        return LocationScale(_STANDARD, self._loc.mT, self._variances().sqrt().mT)

    def _variances(self) -> Tensor:
        return self.covariance.variances(self._D).expand(self._loc.shape)

    def _draw(self, loc: Tensor, spread: Covariance) -> Tensor:
        noise = torch.randn(*loc.shape[:-1], spread.noise(self._D), dtype=loc.dtype, device=loc.device)
        return loc + spread.color(noise)

    def _settings(self) -> str:
        return f", covariance={type(self.covariance).__name__}"
