"""Where a pen goes next, and whether it leaves the paper there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, constraints

from mixtura.distributions.gaussian import GaussianMixture

__all__ = ["StrokePoint"]


class StrokePoint(Distribution):
    r"""Hold the distribution of a point of a drawing, ``p(dx, dy, pen) = q(dx, dy) · P(pen)``, for a mixture q of the
    offset and three states of the pen.

    A value is ``(dx, dy, pen)``: the offset from the point before, and what the pen does after the point: 0 it stays on
    the paper, 1 it leaves it, 2 it leaves it and the drawing ends. The density is with respect to area times the
    counting measure, in nats.

    Args:
        offset: q, batch shape ``B``, event shape ``(2,)``.
        pen_logits: unnormalised log-probabilities of the three states, shape ``(*B, 3)``.

    Raises:
        ValueError: where the shapes do not fit.

    Source:
        Graves 2013, "Generating sequences with recurrent neural networks", section 4; Ha & Eck 2018, "A neural
        representation of sketch drawings" (the end as a state of the pen, and the temperature).

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(1), torch.zeros(1, 2), mx.Isotropic(1.0))
        >>> p = StrokePoint(q, torch.tensor([0.5, 0.25, 0.25]).log())
        >>> p
        StrokePoint(batch_shape=(), components=1)
        >>> p.log_prob(torch.tensor([0.0, 0.0, 2.0])) - q.log_prob(torch.zeros(2)) - torch.tensor(0.25).log()
        tensor(0.)
    """

    def __init__(self, offset: GaussianMixture, pen_logits: Tensor) -> None:
        if offset.event_shape != (2,) or pen_logits.shape != (*offset.batch_shape, 3):
            raise ValueError(
                f"offset has event shape {tuple(offset.event_shape)} and batch shape {tuple(offset.batch_shape)}, "
                f"pen_logits has shape {tuple(pen_logits.shape)}; they must be (2,), *B and (*B, 3)."
            )
        self.offset, self.pen_logits = offset, pen_logits
        super().__init__(offset.batch_shape, torch.Size((3,)), validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """Nothing for torch to check: the constructor does, and says what is wrong."""
        return {}

    @property
    def pen(self) -> Categorical:
        """Distribution of the state of the pen."""
        return Categorical(logits=self.pen_logits, validate_args=False)

    @property
    def support(self) -> constraints.Constraint:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Real numbers; the third is 0, 1 or 2."""
        return constraints.real_vector

    def log_prob(self, value: Tensor) -> Tensor:
        """Return ``log q(dx, dy) + log P(pen)`` in nats, shape ``(*S, *B)``.

        Args:
            value: of shape ``(*S, *B, 3)``.
        """
        log_pen = torch.log_softmax(self.pen_logits, -1)
        state = value[..., 2:].long()
        log_pen = log_pen.expand(*state.shape[:-1], 3).gather(-1, state).squeeze(-1)
        return self.offset.log_prob(value[..., :2]) + log_pen

    def sample(self, sample_shape: Sequence[int] | torch.Size = (), temperature: float = 1.0) -> Tensor:
        """Draw points of shape ``(*sample_shape, *B, 3)``.

        Args:
            sample_shape: leading shape.
            temperature: probabilities of the components and of the pen become ``∝ p^(1/temperature)``, covariances
                ``temperature · S``: below one, the likely more often.

        Raises:
            ValueError: where the temperature is not positive.
        """
        with torch.no_grad():
            offset = self.offset.sample(sample_shape, temperature, temperature)
            tempered = Categorical(logits=self.pen_logits / temperature, validate_args=False)
            state = tempered.sample(torch.Size(sample_shape))
            return torch.cat([offset, state.to(offset).unsqueeze(-1)], -1)

    def expand(self, batch_shape: Sequence[int] | torch.Size, _instance: Any = None) -> StrokePoint:
        """Return the distribution with its batch dimensions expanded to ``batch_shape``."""
        return StrokePoint(self.offset.expand(batch_shape), self.pen_logits.expand(*batch_shape, 3))

    def __repr__(self) -> str:
        return f"StrokePoint(batch_shape={tuple(self.batch_shape)}, components={self.offset.components})"
