"""Training a network that draws."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mixtura.distributions import StrokePoint
from mixtura.nn import Drawings, StrokeRNN
from mixtura.training.history import History
from mixtura.training.loop import fit
from mixtura.training.progress import progress

__all__ = ["fit_strokes", "stroke_nll"]

_SPREAD = 0.1
"""Of the log of a length, before drawings of similar length are taken together: each epoch takes others."""
_EVALUATION_ROWS = 256


def fit_strokes(
    model: StrokeRNN,
    drawings: Drawings,
    *,
    validation: Drawings | None = None,
    epochs: int = 20,
    batch_size: int = 32,
    learning_rate: float = 1e-2,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    verbose: bool = False,
) -> History:
    """Train a network that draws in place, by the likelihood of every point given those before it.

    A batch holds drawings of similar length, others in every epoch. The rest is as in :func:`fit`: AdamW with a rate
    that rises and falls, gradients clipped to norm 1, and a moving average of the weights, of which the best is kept.

    Args:
        model: on any device; its components start where the drawings are.
        drawings: to learn from, with texts where the model has characters.
        validation: drawings that choose the epoch to keep; without them the last is kept.
        epochs: passes over the drawings, and the length of the rate's cycle.
        batch_size: drawings per step.
        learning_rate: peak of the rate.
        seed: of the order of the drawings; torch's global generator is put back afterwards.
        checkpoint: file that is written while training goes on, resumed from if it is there, and deleted at the end.
        verbose: show a progress bar with the losses.

    Returns:
        The history of the run; losses are nats per point.

    Raises:
        ValueError: where a number is not positive, texts are missing or not wanted, or ``checkpoint`` belongs to
            another run.
        FloatingPointError: where a whole epoch had no finite step.

    Example:
        >>> import numpy as np, mixtura as mx
        >>> square = np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 1]])
        >>> drawings = mx.nn.Drawings([square] * 8)
        >>> rnn = mx.nn.StrokeRNN(hidden=16, components=2)
        >>> history = mx.training.fit_strokes(rnn, drawings, epochs=20, batch_size=4)
        >>> history.loss[-1] < history.loss[0]
        True
    """
    if min(epochs, batch_size) < 1 or not 0 < learning_rate < math.inf:
        raise ValueError(
            f"epochs, batch_size and learning_rate must be positive, got {epochs}, {batch_size} and {learning_rate}."
        )
    device = model.pen.weight.device
    held = [] if validation is None else validation.batches(_EVALUATION_ROWS)
    groups = drawings.batches(batch_size)
    n, epoch = len(groups), -1

    def before_step(done: float) -> None:
        nonlocal groups, epoch
        now = round(done * epochs * n) // n
        if now != epoch:
            random = torch.Generator().manual_seed(seed * epochs + now)
            spread = _SPREAD * torch.randn(len(drawings), generator=random, dtype=torch.float64)
            groups, epoch = drawings.batches(batch_size, spread), now

    def loss(network: nn.Module, numbers: Sequence[Tensor]) -> Tensor:
        """Return the loss of the batches of some numbers; those of the validation follow the others."""
        total, points = torch.zeros((), device=device), 0
        for k in numbers[0].tolist():
            if k < n:
                b = drawings.batch(groups[k], device)
            else:
                assert validation is not None
                b = validation.batch(held[k - n], device)
            count = int(b.mask.sum())
            total = total - b.mean(network(b.points, b.text).log_prob(b.points)) * count
            points += count
        return total / points

    model.initialize(drawings)
    with progress(epochs, enabled=verbose) as on_epoch:
        return fit(
            model,
            loss,
            [torch.arange(n, device=device)],
            validation=[torch.arange(n, n + len(held), device=device)] if held else None,
            epochs=epochs,
            batch_size=1,
            learning_rate=learning_rate,
            weight_decay=0.0,
            average_decay=0.99,
            seed=seed,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            before_step=before_step,
            settings=f"{batch_size} drawings, {_fingerprint(drawings)}, {_fingerprint(validation)}",
        )


def stroke_nll(
    model: Callable[[Tensor, Tensor | None], StrokePoint], drawings: Drawings, device: torch.device | str = "cpu"
) -> NDArray[np.float64]:
    """Return the negative log-likelihood of each drawing and its number of points, shape ``(n, 2)``, in nats.

    The sum of the first column over that of the second is the mean per point, in units of the model's offsets.

    Args:
        model: a :class:`~mixtura.nn.StrokeRNN`, or anything that returns what that does for points and text.
        drawings: to judge by, with texts where the model has characters.
        device: of the model.
    """
    found = np.zeros((len(drawings), 2))
    with torch.no_grad():
        for rows in drawings.batches(_EVALUATION_ROWS):
            b = drawings.batch(rows, device)
            log_prob = torch.where(b.mask, model(b.points, b.text).log_prob(b.points).double(), 0.0)
            found[rows.numpy(), 0] = -log_prob.sum(-1).cpu().numpy()
    found[:, 1] = drawings.length.numpy()
    return found


def _fingerprint(drawings: Drawings | None) -> str:
    if drawings is None:
        return "none"
    parts = [drawings.points, drawings.length, *([] if drawings.text is None else [drawings.text])]
    crc = 0
    for t in parts:
        crc = zlib.crc32(t.numpy().tobytes(), crc)
    return f"{crc:08x}"
