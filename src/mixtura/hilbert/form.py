"""A closed form of ``log <p_i, q_j>``: the tensors that it needs of each side and the formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mixtura.distributions import Mixture

__all__ = ["Form", "Parts", "full_rank", "log_weights", "vectors"]

Parts = tuple[Tensor, ...]


@dataclass(frozen=True)
class Form:
    """Hold the closed form of one pair of mixtures.

    A part is a tensor of shape ``(*B, N, *e)``: every batch dimension is there and may be 1, and so may N where the
    components share the value. So any block of pairs is a slice of the parts, here or on another process.
    """

    kernel: Callable[[Parts, Parts], Tensor]
    """``(P, Q) -> log <p_i, q_j>`` of shape ``(*B, N, M)``, by torch operations that can be differentiated twice."""
    P: Parts
    Q: Parts
    batch_shape: torch.Size
    """B, the batch shape of the result."""
    N: int
    M: int
    width: int = 1
    """Numbers that the kernel holds for one pair: 1, D or D²."""
    isotropic: bool = False
    """Whether the parts are ``(x, v)`` and ``(y, v')``, for which there is a sweep of its own."""

    @property
    def size(self) -> int:
        """Numbers that the kernel holds for all pairs."""
        return self.batch_shape.numel() * self.N * self.M * self.width

    def log_gram(self) -> Tensor:
        """Return ``log <p_i, q_j>`` of all pairs at once, shape ``(*B, N, M)``."""
        return self.kernel(self.P, self.Q).expand(*self.batch_shape, self.N, self.M)


def vectors(p: Mixture[Any]) -> Tensor:
    """Return the locations with an event dimension, shape ``(*B, N, D)``."""
    return p.loc if p.event_shape else p.loc.unsqueeze(-1)


def log_weights(p: Any) -> Tensor:
    """Return log-weights in float64, finite also where a weight is zero: a block of nothing but those has a gradient,
    too."""
    return torch.log_softmax(p.logits.double(), -1).clamp_min(-1e300)


def full_rank(x: Tensor, batch_dims: int, own: int) -> Tensor:
    """Give ``x`` with ``own`` dimensions of its own (component and event) every batch dimension, of size 1 if new."""
    missing = batch_dims + own - x.dim()
    return x.reshape(*(1,) * missing, *x.shape) if missing > 0 else x
