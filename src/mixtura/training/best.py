"""The best weights so far, of one network or of each of several side by side."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Best"]


class Best:
    """Keep the weights with the lowest score.

    Args:
        model: whose weights are kept.
        members: ``()`` for one network, ``(E,)`` for E networks side by side, of which each is kept by itself.
    """

    def __init__(self, model: nn.Module, members: tuple[int, ...]) -> None:
        self.weights = copy.deepcopy(model.state_dict())
        self.scores = torch.full(members, math.inf, dtype=torch.float64)
        self.epochs = [0] * (members[0] if members else 1)
        self._own = {name for name, _ in model.named_parameters()}

    def offer(self, model: nn.Module, score: Tensor | None, epoch: int) -> None:
        """Take the weights of the networks whose score is lower than before; without a score, of all."""
        score = torch.full_like(self.scores, -math.inf) if score is None else score.cpu()
        better = (score < self.scores) | (score == -math.inf)
        if not bool(better.any()):
            return
        for name, now in model.state_dict().items():
            if better.dim() and name in self._own:
                self.weights[name][better.to(now.device)] = now[better.to(now.device)]
            else:
                self.weights[name].copy_(now)
        self.scores = torch.where(better, score, self.scores)
        self.epochs[:] = [epoch if b else e for b, e in zip(better.reshape(-1).tolist(), self.epochs, strict=True)]

    def state(self) -> dict[str, Any]:
        """Return what :meth:`restore` needs."""
        return {"weights": self.weights, "scores": self.scores, "epochs": self.epochs}

    def restore(self, state: dict[str, Any]) -> None:
        """Put the state back in place."""
        for name, kept in self.weights.items():
            kept.copy_(state["weights"][name])
        self.scores, self.epochs[:] = state["scores"], state["epochs"]
