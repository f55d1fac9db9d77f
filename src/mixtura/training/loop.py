"""The one training loop of the library."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from mixtura.training.checkpoint import Checkpoint
from mixtura.training.history import Epoch, History
from mixtura.training.randomness import isolated_seed

__all__ = ["Loss", "evaluate", "fit"]

Loss = Callable[[nn.Module, Sequence[Tensor]], Tensor]
"""``loss(model, batch) -> scalar``: the mean loss of the rows of ``batch``, one slice of every tensor of the data."""

_EVALUATION_ROWS = 8192


def fit(
    model: nn.Module,
    loss: Loss,
    data: Sequence[Tensor],
    *,
    validation: Sequence[Tensor] | None = None,
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
        epochs: passes over the data, and the length of the rate's cycle.
        batch_size: rows per step.
        learning_rate: peak of the one-cycle rate.
        weight_decay: AdamW's, on matrices only.
        average_decay: d of the moving average.
        warmup: share of the steps in which the rate rises to its peak.
        patience: stop after this many epochs without a better validation loss; None runs them all.
        seed: of the permutations and of dropout; torch's global generator is put back afterwards.
        checkpoint: file that is written while training goes on, resumed from if it is there, and deleted at the end.
        on_epoch: called after every epoch.
        before_step: called before every step with the share of the training that is behind it, in [0, 1), for
            schedules.
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
    rows = _rows(data)
    if validation is not None:
        _rows(validation)
    if min(epochs, batch_size) < 1 or (patience is not None and patience < 1):
        raise ValueError(
            f"epochs, batch_size and patience must be at least 1, got {epochs}, {batch_size} and {patience}."
        )
    device = data[0].device
    steps = math.ceil(rows / batch_size)
    matrices = [p for p in model.parameters() if p.requires_grad and p.dim() > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.dim() <= 1]
    groups = [{"params": matrices}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay, fused=True)
    total = epochs * steps
    rising = min(max(warmup, 1.5 / total), 0.9)  # no phase of a short run may be empty
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=total, pct_start=rising)
    average = AveragedModel(model, multi_avg_fn=_moving_average(average_decay))
    history, best, best_score = History(), copy.deepcopy(average.module.state_dict()), math.inf

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
        saved = None if checkpoint is None else Checkpoint(Path(checkpoint), [*data, *(validation or ())], run)
        if saved is not None and saved.exists():
            history, best, best_score = saved.load(model, average, optimizer, schedule, device)
        for epoch in range(len(history.epochs) + 1, epochs + 1):
            if patience is not None and epoch - 1 - history.best_epoch >= patience:
                break
            model.train()
            order = torch.randperm(rows, device=device)
            shuffled = [t[order] for t in data]
            total, skipped = 0.0, 0
            for start in range(0, rows, batch_size):
                if before_step is not None:
                    before_step((epoch - 1 + start / rows) / epochs)
                value = loss(model, [t[start : start + batch_size] for t in shuffled])
                optimizer.zero_grad()
                value.backward()
                norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                if bool(torch.isfinite(norm + value.detach())):
                    optimizer.step()
                    average.update_parameters(model)
                    total += value.item()
                else:
                    skipped += 1
                    optimizer.zero_grad()
                    optimizer.step()  # moves nothing without gradients; the schedule wants to follow a step
                schedule.step()
            if skipped == steps:
                raise FloatingPointError(
                    f"no step of epoch {epoch} had a finite loss and gradient: look for extreme values in the data, "
                    f"or lower learning_rate = {learning_rate:g}."
                )
            score = None if validation is None else evaluate(average.module, loss, validation)
            entry = Epoch(epoch, total / (steps - skipped), score, float(schedule.get_last_lr()[0]), skipped)
            history.epochs.append(entry)
            if score is None or score < best_score:
                best_score = math.inf if score is None else score
                best = copy.deepcopy(average.module.state_dict())
                history.best_epoch = epoch
            if on_epoch is not None:
                on_epoch(entry)
            if saved is not None:
                saved.save_now_and_then(model, average, optimizer, schedule, history, best, best_score)
    if history.best_epoch == 0:
        raise FloatingPointError(
            "the validation loss was not finite after any epoch: look for extreme values in the validation data."
        )
    model.load_state_dict(best)
    model.eval()
    if saved is not None:
        saved.delete()
    return history


def evaluate(model: nn.Module, loss: Loss, data: Sequence[Tensor]) -> float:
    """Return the mean loss over the rows of ``data`` in evaluation mode, in chunks, without gradients."""
    rows = _rows(data)
    training = model.training
    model.eval()
    total = 0.0
    with torch.no_grad():
        for start in range(0, rows, _EVALUATION_ROWS):
            chunk = [t[start : start + _EVALUATION_ROWS] for t in data]
            total += loss(model, chunk).item() * len(chunk[0])
    model.train(training)
    return total / rows


def _rows(data: Sequence[Tensor]) -> int:
    rows = {len(t) for t in data}
    if len(rows) != 1 or rows == {0}:
        raise ValueError(
            "data must be tensors with the same number of rows, at least one; "
            f"got shapes {[tuple(t.shape) for t in data]}."
        )
    return rows.pop()


def _moving_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        t = int(count)
        for a, w in zip(averaged, current, strict=True):
            a.lerp_(w, 1 - min(decay, (1 + t) / (10 + t)))

    return update
