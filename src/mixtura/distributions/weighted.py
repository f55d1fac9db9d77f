"""What weighted sums of distributions have in common, whatever their parts are."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from mixtura.distributions.checks import check_value

__all__ = ["WeightedSum"]


class WeightedSum(Distribution, ABC):
    """Hold the weights of a sum of distributions of scalars or vectors; scalars are computed as vectors of one."""

    has_rsample = False
    logits: Tensor
    """Unnormalised log-weights."""

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """Nothing for torch to check: the constructor does, and says what is wrong."""
        return {}

    @property
    def support(self) -> constraints.Constraint:  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]
        """Vectors or scalars of real numbers."""
        return constraints.independent(constraints.real, len(self.event_shape))

    @property
    def log_weights(self) -> Tensor:
        """Normalised log-weights, of the shape of ``logits``."""
        return torch.log_softmax(self.logits, -1)

    @property
    def weights(self) -> Tensor:
        """Weights, summing to one, of the shape of ``logits``."""
        return self.log_weights.exp()

    @property
    def mean(self) -> Tensor:
        """Mean, shape ``(*B, *event_shape)``."""
        return self._from_vector(self._mean())

    @abstractmethod
    def _mean(self) -> Tensor:
        """Return the mean, shape ``(*B, D)``."""

    def _to_vector(self, value: Tensor) -> Tensor:
        """Check a value and give it the shape ``(*S, *B, D)``."""
        check_value(value, self.batch_shape, self.event_shape, no_nan=bool(self._validate_args))
        return self._vector(value)

    def _vector(self, x: Tensor) -> Tensor:
        return x if self.event_shape else x.unsqueeze(-1)

    def _from_vector(self, x: Tensor) -> Tensor:
        return x if self.event_shape else x.squeeze(-1)
