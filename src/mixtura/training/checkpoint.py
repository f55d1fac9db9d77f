"""Checkpoints: a killed run goes on where it was, to the same result."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mixtura.training.average import MovingAverage
from mixtura.training.best import Best
from mixtura.training.history import Epoch

__all__ = ["Checkpoint"]

_SECONDS = 5.0


class Checkpoint:
    """A file that holds all that a run needs to go on: weights, averages, optimiser, rate, random state, history and
    notes.

    It is tied to its run by a fingerprint of the data and the settings, written whole or not at all, and read without
    executing anything that it contains.

    Args:
        path: the file.
        data: tensors of the run.
        settings: numbers of the run.
    """

    def __init__(self, path: Path, data: Sequence[Tensor], settings: tuple[Any, ...]) -> None:
        if not path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {path.parent} to write the checkpoint {path.name} to.")
        self.path = path
        self._part = path.with_name(path.name + ".part")
        crc = 0
        for t in data:
            crc = zlib.crc32(t.detach().cpu().contiguous().numpy().tobytes(), crc)
        self.fingerprint = f"{crc:08x} {[tuple(t.shape) for t in data]} {settings}"
        self._written = time.monotonic()

    def exists(self) -> bool:
        """Return whether there is a run to go on with."""
        return self.path.exists()

    def delete(self) -> None:
        """Remove the file: the run is over."""
        self.path.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)  # a run that was killed while it wrote leaves one

    def save_now_and_then(
        self,
        model: nn.Module,
        average: MovingAverage,
        optimizer: Optimizer,
        schedule: LRScheduler,
        epochs: list[Epoch],
        best: Best,
        notes: list[Any],
    ) -> None:
        """Write the state after an epoch, if the last time was long enough ago."""
        if time.monotonic() - self._written < _SECONDS:
            return
        state = {
            "fingerprint": self.fingerprint,
            "model": model.state_dict(),
            "average": average.state(),
            "optimizer": optimizer.state_dict(),
            "schedule": {
                k: v for k, v in schedule.state_dict().items() if isinstance(v, int | float | str | list | bool)
            },
            "best": best.state(),
            "epochs": [asdict(e) for e in epochs],
            "notes": notes,
            "random": torch.get_rng_state(),
        }
        if next(model.parameters()).is_cuda:
            state["random_cuda"] = torch.cuda.get_rng_state(next(model.parameters()).device)
        torch.save(state, self._part)
        os.replace(self._part, self.path)
        self._written = time.monotonic()

    def load(
        self,
        model: nn.Module,
        average: MovingAverage,
        optimizer: Optimizer,
        schedule: LRScheduler,
        best: Best,
        notes: list[Any],
    ) -> list[Epoch]:
        """Put a run's state and notes back and return the epochs behind it.

        Raises:
            ValueError: where the file is broken or belongs to another run.
        """
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            fingerprint = state["fingerprint"]
        except Exception as error:
            raise ValueError(f"{self.path} is not a checkpoint, or a broken one: delete it to start afresh.") from error
        if fingerprint != self.fingerprint:
            raise ValueError(
                f"{self.path} is the checkpoint of a run with other data or settings: delete it or name another file."
            )
        model.load_state_dict(state["model"])
        average.restore(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        if "random_cuda" in state:
            torch.cuda.set_rng_state(state["random_cuda"], next(model.parameters()).device)
        best.restore(state["best"])
        notes[:] = state["notes"]
        return [Epoch(**e) for e in state["epochs"]]
