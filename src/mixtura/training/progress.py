"""Progress of a training run, as a bar with its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mixtura._optional import require
from mixtura.training.history import Epoch

__all__ = ["progress"]


@contextmanager
def progress(epochs: int, enabled: bool = True) -> Iterator[Callable[[Epoch], None] | None]:
    """Show a bar of ``epochs`` with the training and the validation loss; yields the ``on_epoch`` of :func:`fit`.

    Raises:
        ImportError: where tqdm is not installed.
    """
    if not enabled:
        yield None
        return
    with require("tqdm.auto", "A progress bar").tqdm(total=epochs, unit="epoch", desc="training", leave=True) as bar:
        best = float("inf")

        def on_epoch(epoch: Epoch) -> None:
            nonlocal best
            scores = {"loss": f"{epoch.loss:.4f}"}
            if epoch.validation is not None:
                best = min(best, epoch.validation)
                scores |= {"validation": f"{epoch.validation:.4f}", "best": f"{best:.4f}"}
            bar.set_postfix(scores, refresh=False)
            bar.update(epoch.epoch - bar.n)

        yield on_epoch
