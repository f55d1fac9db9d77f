"""The one training loop of the library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mixtura.training.average import MovingAverage
from mixtura.training.best import Best
from mixtura.training.checkpoint import Checkpoint
from mixtura.training.folds import Folds
from mixtura.training.history import Epoch, History
from mixtura.training.randomness import isolated_seed
from mixtura.training.step import clip_gradients

__all__ = ["AfterEpoch", "Loss", "evaluate", "fit"]

Loss = Callable[[nn.Module, Sequence[Tensor]], Tensor]
"""``loss(model, batch)`` is the mean loss of the rows of ``batch``, one slice of every tensor of the data; E networks
side by side get slices with a first dimension E, and give a loss of shape (E,)."""

AfterEpoch = Callable[[nn.Module, nn.Module, torch.optim.Optimizer, int], int]
"""``after_epoch(model, average, optimizer, epoch)`` may change the weights, their average and what the optimiser
remembers after an epoch that was scored; it returns how many components it started afresh."""

_EVALUATION_ROWS = 8192


def fit(
    model: nn.Module,
    loss: Loss,
    data: Sequence[Tensor],
    *,
    validation: Sequence[Tensor] | None = None,
    folds: Folds | None = None,
    epochs: int = 100,
    batch_size: int = 256,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-2,
    average_decay: float = 0.999,
    warmup: float = 0.3,
    patience: int | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    before_step: Callable[[float], None] | None = None,
    after_epoch: AfterEpoch | None = None,
    notes: list[Any] | None = None,
    settings: str = "",
) -> History:
    """Train ``model`` in place and leave it with the moving average of its weights at the best epoch.

    AdamW with a one-cycle rate (Smith & Topin 2018) on slices of one permutation per epoch; gradients are clipped to
    norm 1; a step whose loss or gradient is not finite is skipped and counted. The weights that are scored and kept
    are the exponential moving average ``a <- d a + (1 - d) w`` with warm-up ``d = min(average_decay, (1 + t) / (10 +
    t))`` at step t.

    Args:
        model: any module.
        loss: ``loss(model, batch)``, the mean loss of the rows of a batch.
        data: tensors with the same number of rows, on the device of the model.
        validation: the same for rows that are not trained on; without it the last epoch is kept.
        folds: in place of ``validation``, for a model of E networks side by side: the rows that each trains on and is
            judged by. Each is clipped, judged and kept by itself.
        epochs: passes over the data, and the length of the rate's cycle.
        batch_size: rows per step.
        learning_rate: peak of the one-cycle rate.
        weight_decay: AdamW's, on matrices only.
        average_decay: d of the moving average.
        warmup: share of the steps in which the rate rises to its peak.
        patience: stop after this many epochs without a better validation loss of any network; None runs them all.
        seed: of the permutations and of dropout; torch's global generator is put back afterwards.
        checkpoint: file that is written while training goes on, resumed from if it is there, and deleted at the end.
        on_epoch: called after every epoch.
        before_step: called before every step with the share of the training that is behind it, in [0, 1), for
            schedules.
        after_epoch: called when an epoch was scored, inside the run's own random state.
        notes: list of plain numbers, or tuples of them, for ``after_epoch`` to write to; a run that goes on finds in it
            what was written before.
        settings: what else the run depends on, so that a checkpoint of another run is refused.

    Returns:
        The history of the run.

    Raises:
        ValueError: where the data has no rows, different numbers of rows, or ``checkpoint`` belongs to another run.
        FloatingPointError: where a whole epoch had no finite step, or the validation loss was never finite.

    Example:
        >>> import torch, mixtura as mx
        >>> from mixtura.training import fit
        >>> x = torch.linspace(-1, 1, 64).unsqueeze(-1)
        >>> mdn = mx.nn.MDN(1, 1, components=1, hidden=(8,))
        >>> history = fit(mdn, lambda model, batch: -model(batch[0]).log_prob(batch[1]).mean(), (x, 2 * x), epochs=30)
        >>> history.loss[-1] < history.loss[0]
        True
    """
    rows = _rows(data) if folds is None else folds.train.shape[1]
    if validation is not None:
        _rows(validation)
    if min(epochs, batch_size) < 1 or (patience is not None and patience < 1):
        raise ValueError(
            f"epochs, batch_size and patience must be at least 1, got {epochs}, {batch_size} and {patience}."
        )
    device = data[0].device
    members = () if folds is None else (len(folds.train),)
    steps = math.ceil(rows / batch_size)
    parameters = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in parameters if p.dim() > 1 + len(members)]
    others = [p for p in parameters if p.dim() <= 1 + len(members)]
    groups = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)
    total = epochs * steps
    rising = min(max(warmup, 1.5 / total), 0.9)  # no phase of a short run may be empty
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=total, pct_start=rising)
    average = MovingAverage(model, average_decay)
    best = Best(average.module, members)
    history = History([], best.epochs)
    notes = [] if notes is None else notes

    with isolated_seed(seed, device):
        run = (
            epochs,
            batch_size,
            learning_rate,
            weight_decay,
            average_decay,
            warmup,
            patience,
            seed,
            str(model),
            settings,
        )
        tensors = [*data, *(validation or ()), *(() if folds is None else (folds.train, folds.held))]
        saved = None if checkpoint is None else Checkpoint(Path(checkpoint), tensors, run)
        if saved is not None and saved.exists():
            history.epochs += saved.load(model, average, optimizer, schedule, best, notes)
        for epoch in range(len(history.epochs) + 1, epochs + 1):
            if patience is not None and epoch - 1 - history.best_epoch >= patience:
                break
            model.train()
            order = _order(rows, folds, device)
            losses = torch.zeros(members, device=device, dtype=torch.float64)
            taken = torch.zeros(members, device=device, dtype=torch.long)
            for start in range(0, rows, batch_size):
                if before_step is not None:
                    before_step((epoch - 1 + start / rows) / epochs)
                batch = order[..., start : start + batch_size]
                value = loss(model, [t[batch] for t in data])
                optimizer.zero_grad()
                value.sum().backward()
                finite = clip_gradients(parameters, value.detach())
                if bool(finite.any()):
                    optimizer.step()
                    average.update()
                    losses += torch.where(finite, value.detach(), 0.0)
                    taken += finite
                else:
                    optimizer.zero_grad()
                    optimizer.step()  # moves nothing without gradients; the schedule wants to follow a step
                schedule.step()
            if not bool(taken.all()):
                raise FloatingPointError(
                    f"no step of epoch {epoch} had a finite loss and gradient: look for extreme values in the data, "
                    f"or lower learning_rate = {learning_rate:g}."
                )
            score = _score(average.module, loss, data, validation, folds)
            best.offer(average.module, score, epoch)
            revived = 0 if after_epoch is None else after_epoch(model, average.module, optimizer, epoch)
            entry = Epoch(
                epoch,
                (losses / taken).mean().item(),
                None if score is None else score.mean().item(),
                float(schedule.get_last_lr()[0]),
                int((steps - taken).sum()),
                revived,
            )
            history.epochs.append(entry)
            if on_epoch is not None:
                on_epoch(entry)
            if saved is not None:
                saved.save_now_and_then(model, average, optimizer, schedule, history.epochs, best, notes)
    if 0 in best.epochs:
        raise FloatingPointError(
            "the validation loss was not finite after any epoch: look for extreme values in the validation data."
        )
    model.load_state_dict(best.weights)
    model.eval()
    if saved is not None:
        saved.delete()
    return history


def evaluate(model: nn.Module, loss: Loss, data: Sequence[Tensor], rows: Tensor | None = None) -> Tensor:
    """Return the mean loss over the rows of ``data`` in evaluation mode, in chunks, without gradients.

    Args:
        model: any module.
        loss: as in :func:`fit`.
        data: tensors with the same number of rows.
        rows: indices of the rows that judge each of E networks, shape ``(E, m)``.

    Returns:
        A number, or one for each network.
    """
    chosen = torch.arange(_rows(data), device=data[0].device) if rows is None else rows
    training = model.training
    model.eval()
    with torch.no_grad():
        total = torch.zeros(chosen.shape[:-1], dtype=torch.float64, device=chosen.device)
        for chunk in chosen.split(_EVALUATION_ROWS, -1):
            total += loss(model, [t[chunk] for t in data]) * chunk.shape[-1]
    model.train(training)
    return total / chosen.shape[-1]


def _order(rows: int, folds: Folds | None, device: torch.device) -> Tensor:
    """Return a permutation of the rows, or of those of each network."""
    if folds is None:
        return torch.randperm(rows, device=device)
    return folds.train.gather(1, torch.rand(folds.train.shape, device=device).argsort(1))


def _score(
    model: nn.Module, loss: Loss, data: Sequence[Tensor], validation: Sequence[Tensor] | None, folds: Folds | None
) -> Tensor | None:
    if folds is not None:
        return evaluate(model, loss, data, folds.held) if folds.held.numel() else None
    return None if validation is None else evaluate(model, loss, validation)


def _rows(data: Sequence[Tensor]) -> int:
    rows = {len(t) for t in data}
    if len(rows) != 1 or rows == {0}:
        raise ValueError(
            "data must be tensors with the same number of rows, at least one; "
            f"got shapes {[tuple(t.shape) for t in data]}."
        )
    return rows.pop()
