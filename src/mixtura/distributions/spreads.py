"""What a component of a mixture has beside its location: a covariance, a scale or a concentration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol, Self

import torch
from torch import Tensor

from mixtura.distributions.covariances.checks import check_positive

__all__ = ["Concentration", "RadialScale", "Scale", "Spread"]


class Spread(Protocol):
    """Hold the parameter of K components beside their locations; :class:`~mixtura.distributions.Covariance` is one."""

    @property
    def batch_shape(self) -> torch.Size:
        """Shape that broadcasts against ``(*B, K)``."""
        ...

    @property
    def dimension(self) -> int | None:
        """The D that the parameter fixes, or None where every D fits."""
        ...

    def to(self, other: Tensor) -> Self:
        """Return the same with the dtype and on the device of ``other``."""
        ...

    def expand(self, batch_shape: Sequence[int]) -> Self:
        """Return the same broadcast to ``batch_shape``, which ends in K."""
        ...

    def index(self, components: Tensor) -> Self:
        """Return those of chosen components, shape ``(*B, len(components))``."""
        ...

    def take(self, component: Tensor) -> Self:
        """Return that of the chosen component for each entry of ``component``, with K = 1."""
        ...

    def merge(self, dim: int) -> Self:
        """Return the same with batch dimension ``dim`` merged into the components; expand to ``(*B, K)`` before."""
        ...

    def marginal(self, dims: Sequence[int]) -> Spread:
        """Return that of the coordinates ``dims``."""
        ...

    def rescale(self, scale: Tensor) -> Spread:
        """Return that of ``scale * x``; ``scale`` is positive, of shape ``(D,)``."""
        ...

    def validate(self) -> None:
        """Raise ValueError, naming the component, where the parameter is wrong."""
        ...


class Scale(Spread):
    """Hold one positive scale per component and coordinate, shape ``(*B, K, D)``; ``(D,)`` ties the components."""

    name: ClassVar[str] = "scale"
    event_dims: ClassVar[int] = 1

    def __init__(self, parameter: Tensor) -> None:
        if not parameter.is_floating_point():
            raise TypeError(f"{self.name} must hold floating-point numbers, got {parameter.dtype}.")
        self.parameter = parameter

    @classmethod
    def of(cls, parameter: float | Tensor, loc: Tensor, event_dim: int) -> Self:
        """Return the spread for what a user gives beside ``loc``: a number, or the shapes of scalars or of vectors."""
        if not isinstance(parameter, Tensor):
            parameter = torch.tensor(parameter, dtype=torch.float64)
        if cls.event_dims and parameter.dim() == 0:
            parameter = parameter.expand(loc.shape[-1] if event_dim and loc.dim() else 1)
        elif cls.event_dims and event_dim == 0:
            parameter = parameter.unsqueeze(-1)
        return cls(parameter)

    @property
    def batch_shape(self) -> torch.Size:
        """Shape that broadcasts against ``(*B, K)``."""
        return self.parameter.shape[: self.parameter.dim() - self.event_dims]

    @property
    def dimension(self) -> int | None:
        """The D that the parameter fixes, or None where every D fits."""
        return self.parameter.shape[-1] if self.event_dims else None

    def over_dims(self) -> Tensor:
        """Return the parameter in a shape that broadcasts against ``(*B, K, D)``."""
        return self.parameter if self.event_dims else self.parameter.unsqueeze(-1)

    def to(self, other: Tensor) -> Self:
        """Return the same with the dtype and on the device of ``other``."""
        return type(self)(self.parameter.to(other))

    def expand(self, batch_shape: Sequence[int]) -> Self:
        """Return the same broadcast to ``batch_shape``, which ends in K."""
        return type(self)(self.parameter.expand(*batch_shape, *self._event))

    def index(self, components: Tensor) -> Self:
        """Return those of chosen components, shape ``(*B, len(components))``."""
        return type(self)(self.parameter.index_select(len(self.batch_shape) - 1, components))

    def take(self, component: Tensor) -> Self:
        """Return that of the chosen component for each entry of ``component``, with K = 1."""
        index = component.reshape(*component.shape, *(1,) * (1 + self.event_dims))
        source = self.parameter.expand(*component.shape, *self.parameter.shape[-1 - self.event_dims :])
        return type(self)(source.gather(-1 - self.event_dims, index.expand(*component.shape, 1, *self._event)))

    def merge(self, dim: int) -> Self:
        """Return the same with batch dimension ``dim`` merged into the components; expand to ``(*B, K)`` before."""
        K = len(self.batch_shape) - 1
        return type(self)(self.parameter.movedim(dim, K - 1).flatten(K - 1, K))

    def marginal(self, dims: Sequence[int]) -> Self:
        """Return that of the coordinates ``dims``."""
        return type(self)(self.parameter[..., list(dims)]) if self.event_dims else self

    def rescale(self, scale: Tensor) -> Scale:
        """Return that of ``scale * x``."""
        return type(self)(self.parameter * scale)

    def validate(self) -> None:
        """Raise ValueError, naming the component, where a scale is not positive."""
        check_positive(self.parameter, self.event_dims, f"The {self.name}")

    def __repr__(self) -> str:
        return f"{self.name}({tuple(self.parameter.shape)})"

    @property
    def _event(self) -> torch.Size:
        return self.parameter.shape[len(self.batch_shape) :]


class RadialScale(Scale):
    """Hold one positive scale per component for all directions, shape ``(*B, K)``; ``()`` ties the components."""

    event_dims = 0

    def rescale(self, scale: Tensor) -> Scale:
        """Return that of ``scale * x``, or raise ValueError where ``scale`` differs between coordinates."""
        if not bool((scale == scale[0]).all()):
            raise ValueError("scale must be the same for all coordinates: the components have one for all directions.")
        return type(self)(self.parameter * scale[0])


class Concentration(Scale):
    """Hold one concentration, zero or larger, per component and coordinate, of the shapes of :class:`Scale`."""

    name = "concentration"

    def rescale(self, scale: Tensor) -> Scale:
        """Raise ValueError."""
        raise ValueError("a mixture of angles cannot be rescaled: a turn is a turn.")

    def validate(self) -> None:
        """Raise ValueError, naming the component, where a concentration is negative."""
        uniform = self.parameter == 0
        check_positive(torch.where(uniform, 1.0, self.parameter), self.event_dims, f"The {self.name}")
