"""The moving average of a network's weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["MovingAverage"]


class MovingAverage:
    """Follow a model: ``a <- d a + (1 - d) w`` with ``d = min(decay, (1 + t) / (10 + t))`` at step t, and ``a = w``
    first.

    Args:
        model: whose weights are averaged; buffers are copied.
        decay: d in the long run.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model)
        self.decay, self.steps = decay, 0
        # The lists once, not a walk through the modules at every step.
        self._current: list[Tensor] = [p.detach() for p in model.parameters()]
        self._average: list[Tensor] = [p.detach() for p in self.module.parameters()]
        self._buffers = list(zip(self.module.buffers(), model.buffers(), strict=True))

    def update(self) -> None:
        """Take in the model's weights as they are now."""
        t = self.steps
        d = min(self.decay, (1 + t) / (10 + t)) if t else 0.0
        torch._foreach_lerp_(self._average, self._current, 1 - d)  # pyright: ignore[reportPrivateImportUsage]
        for mine, theirs in self._buffers:
            mine.copy_(theirs)
        self.steps += 1

    def state(self) -> dict[str, Any]:
        """Return what :meth:`restore` needs."""
        return {"steps": self.steps, "module": self.module.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Put the state back."""
        self.steps = state["steps"]
        self.module.load_state_dict(state["module"])
