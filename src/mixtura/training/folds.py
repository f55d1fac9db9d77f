"""Which rows a network trains on, and which it is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Folds"]


@dataclass(frozen=True)
class Folds:
    """Hold the rows of each of E networks that train side by side."""

    train: Tensor
    """Indices of the rows that each trains on, shape ``(E, n)``."""
    held: Tensor
    """Indices of the rows that judge each, shape ``(E, m)``; ``m = 0`` for none."""

    @classmethod
    def draw(cls, rows: int, members: int, share: float) -> Folds:
        """Hold back ``share`` of the rows from each network: parts of one permutation that do not meet, as far as they
        suffice, then of another.

        Args:
            rows: number of rows.
            members: number of networks E.
            share: in [0, 1).
        """
        m = int(share * rows)
        per_round = max(1, rows // max(m, 1)) if m else members
        train, held, order = [], [], torch.randperm(rows)
        for e in range(members):
            if e and e % per_round == 0:
                order = torch.randperm(rows)
            mine = order.roll(-m * (e % per_round))
            held.append(mine[:m])
            train.append(mine[m:])
        return cls(torch.stack(train), torch.stack(held))

    def to(self, device: torch.device | str) -> Folds:
        """Return the same on a device."""
        return Folds(self.train.to(device), self.held.to(device))
