"""What happened while a model was trained."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Epoch", "History"]


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data."""

    epoch: int
    """Number of the epoch, from 1."""
    loss: float
    """Mean loss of the steps that were taken; NaN if all were skipped."""
    validation: float | None
    """Loss of the averaged weights on the validation data, or None without any."""
    rate: float
    """Learning rate at the end of the epoch."""
    skipped: int
    """Steps that were not taken because the loss or its gradient was not finite."""


@dataclass
class History:
    """The epochs of one training run and which of them was kept.

    Example:
        >>> from mixtura.training import Epoch, History
        >>> h = History([Epoch(1, 2.0, 1.5, 1e-3, 0), Epoch(2, 1.0, 1.2, 1e-3, 1)], best_epoch=2)
        >>> h.validation, h.skipped
        ([1.5, 1.2], 1)
    """

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    """Epoch whose weights the model has now."""

    @property
    def loss(self) -> list[float]:
        """Training loss of each epoch."""
        return [e.loss for e in self.epochs]

    @property
    def validation(self) -> list[float | None]:
        """Validation loss of each epoch."""
        return [e.validation for e in self.epochs]

    @property
    def skipped(self) -> int:
        """Steps skipped in the whole run."""
        return sum(e.skipped for e in self.epochs)
