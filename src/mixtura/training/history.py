"""What happened while a model was trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

__all__ = ["Epoch", "History"]


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data."""

    epoch: int
    """Number of the epoch, from 1."""
    loss: float
    """Mean loss of the steps that were taken, and of the networks."""
    validation: float | None
    """Loss of the averaged weights on the validation data, mean of the networks, or None without any."""
    rate: float
    """Learning rate at the end of the epoch."""
    skipped: int
    """Steps that a network did not take because its loss or gradient was not finite."""
    revived: int = 0
    """Components that explained nothing and were started afresh after the epoch, of all networks."""


@dataclass
class History:
    """The epochs of one training run and which of them was kept.

    Example:
        >>> from mixtura.training import Epoch, History
        >>> h = History([Epoch(1, 2.0, 1.5, 1e-3, 0), Epoch(2, 1.0, 1.2, 1e-3, 1)], best_epochs=[2])
        >>> h.validation, h.skipped
        ([1.5, 1.2], 1)
    """

    epochs: list[Epoch] = field(default_factory=list)
    best_epochs: list[int] = field(default_factory=lambda: [0])
    """For each network, the epoch whose weights it has now."""

    @property
    def best_epoch(self) -> int:
        """The last epoch that a network kept."""
        return max(self.best_epochs)

    def shifted(self, nats: float) -> History:
        """Return the history with every loss larger by so many nats, as a change of units makes it."""
        epochs = [
            replace(e, loss=e.loss + nats, validation=None if e.validation is None else e.validation + nats)
            for e in self.epochs
        ]
        return History(epochs, self.best_epochs)

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

    @property
    def revived(self) -> int:
        """Components started afresh in the whole run."""
        return sum(e.revived for e in self.epochs)
