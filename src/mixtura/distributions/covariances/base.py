"""What a mixture asks of the covariances of its components."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor

__all__ = ["Covariance"]


class Covariance(ABC):
    """Hold the covariances S_1 ... S_K of the K components of a mixture in D dimensions.

    A covariance is one parameter tensor of shape ``(*B, K, *e)``, where ``e`` is the shape that one component needs:
    ``()`` for :class:`Isotropic`, ``(D,)`` for :class:`Diagonal`, ``(D, D)`` for :class:`Full` and :class:`Precision`.
    The leading shape broadcasts against ``(*B, K)``: a parameter of shape ``e`` alone is tied, one covariance for all
    components.

    A new kind of covariance is one file with the operations below; :class:`~mixtura.GaussianMixture` needs nothing
    else.
    """

    event_dims: ClassVar[int]
    """Number of trailing dimensions of the parameter that belong to one component."""

    _factors: tuple[Tensor, ...] | None = None
    """Scales, shape ``(*B, K, D)``, and more that the parameter is formed of, each time that something asks for it."""

    def __init__(self, parameter: Tensor) -> None:
        if parameter.dim() < self.event_dims:
            raise ValueError(
                f"{type(self).__name__} needs a parameter of at least {self.event_dims} dimensions, "
                f"got shape {tuple(parameter.shape)}."
            )
        if not parameter.is_floating_point():
            raise TypeError(f"{type(self).__name__} needs a floating-point parameter, got {parameter.dtype}.")
        self._parameter = parameter

    @property
    def parameter(self) -> Tensor:
        """The one tensor that holds the covariances."""
        return self._parameter if self._factors is None else self._form(*self._factors)

    @property
    def batch_shape(self) -> torch.Size:
        """Shape that broadcasts against ``(*B, K)``."""
        return self._shape[: len(self._shape) - self.event_dims]

    @property
    def dimension(self) -> int | None:
        """The D that the parameter fixes, or None where every D fits."""
        return self._shape[-self.event_dims] if self.event_dims else None

    def to(self, other: Tensor) -> Self:
        """Return the same covariances with the dtype and on the device of ``other``."""
        if self._factors is not None:
            return self._from_factors(*(factor.to(other) for factor in self._factors))
        return self._like(self.parameter.to(other))

    def expand(self, batch_shape: Sequence[int]) -> Self:
        """Return the same covariances broadcast to ``batch_shape``, which ends in K."""
        event = self._shape[len(self._shape) - self.event_dims :]
        return self._like(self.parameter.expand(*batch_shape, *event))

    def index(self, components: Tensor) -> Self:
        """Return the covariances of chosen components, shape ``(*B, len(components))``; expand to ``(*B, K)``
        before."""
        return self._like(self.parameter.index_select(len(self._shape) - 1 - self.event_dims, components))

    def take(self, component: Tensor) -> Self:
        """Return the covariance of the chosen component for each entry of ``component``, with K = 1.

        ``component`` has shape ``(*S, *B)``; the covariances must have been expanded to ``(*B, K)``.
        """
        event = self._shape[len(self._shape) - self.event_dims :]
        index = component.reshape(*component.shape, *(1,) * (1 + self.event_dims)).expand(*component.shape, 1, *event)
        source = self.parameter.expand(*component.shape, *self._shape[-1 - self.event_dims :])
        return self._like(source.gather(-1 - self.event_dims, index))

    def merge(self, dim: int) -> Self:
        """Return the same with batch dimension ``dim`` merged into the components; expand to ``(*B, K)`` before."""
        K = len(self._shape) - 1 - self.event_dims
        return self._like(self.parameter.movedim(dim, K - 1).flatten(K - 1, K))

    def noise(self, D: int) -> int:
        """Number of standard normals that :meth:`color` turns into one x."""
        return D

    def regression(self) -> tuple[Tensor, Tensor | None] | None:
        """Return s and B for which ``(x + B x) / s`` is standard normal, or None where they are not at hand.

        s has a shape that broadcasts against ``(*B, K, D)``. B is strictly lower triangular, its rows packed one after
        another, shape ``(*B, K, D(D-1)/2)``; None is zero.
        """
        return None

    def condition(self, given: Sequence[int], rest: Sequence[int]) -> tuple[Tensor | None, Covariance]:
        """Return ``S_ab S_bb⁻¹``, or None where it is zero, and ``S_aa - S_ab S_bb⁻¹ S_ba``.

        Here a is ``rest`` and b is ``given``.
        """
        return None, self.marginal(rest)

    @property
    def _shape(self) -> torch.Size:
        """Shape of the parameter."""
        if self._factors is None:
            return self.parameter.shape
        scales = self._factors[0].shape
        return torch.Size((*scales, *scales[-1:] * (self.event_dims - 1)))

    @classmethod
    def _from_factors(cls, *factors: Tensor) -> Self:
        new = cls.__new__(cls)
        new._factors = factors
        return new

    def _form(self, *factors: Tensor) -> Tensor:
        """Return the parameter."""
        raise NotImplementedError

    def _like(self, parameter: Tensor) -> Self:
        return type(self)(parameter)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({tuple(self._shape)})"

    @abstractmethod
    def validate(self) -> None:
        """Raise ValueError, naming the component, where a covariance is not positive definite."""

    @abstractmethod
    def whiten(self, x: Tensor) -> Tensor:
        """Return z with ``‖z‖² = xᵀ S⁻¹ x`` for ``x`` of shape ``(*, K, D)``."""

    @abstractmethod
    def color(self, z: Tensor) -> Tensor:
        """Return x with covariance S for standard normal ``z`` of shape ``(*, K, D)``."""

    @abstractmethod
    def half_log_det(self, D: int) -> Tensor:
        """Return ``½ log det S``, broadcastable against ``(*B, K)``."""

    @abstractmethod
    def variances(self, D: int) -> Tensor:
        """Return the diagonal of S, broadcastable against ``(*B, K, D)``."""

    @abstractmethod
    def dense(self, D: int) -> Tensor:
        """Return S, broadcastable against ``(*B, K, D, D)``."""

    @abstractmethod
    def precision_matrix(self, D: int) -> Tensor:
        """Return ``S⁻¹``, broadcastable against ``(*B, K, D, D)``."""

    @abstractmethod
    def rescale(self, scale: Tensor) -> Covariance:
        """Return the covariance of ``scale * x``; ``scale`` is positive, of shape ``(D,)``."""

    @abstractmethod
    def marginal(self, dims: Sequence[int]) -> Covariance:
        """Return the covariance of the coordinates ``dims``."""
