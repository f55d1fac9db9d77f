"""Training an encoder-mixture-decoder by a cost, with nothing to tune."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from mixtura import costs
from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.nn import EncoderMixtureDecoder
from mixtura.training.history import History
from mixtura.training.loop import fit
from mixtura.training.progress import progress
from mixtura.training.threads import fitting_threads
from mixtura.training.tracker import BoundTracker, TrackedBound
from mixtura.training.variance import Annealing, kernel_variance

__all__ = ["AutoencoderPlan", "CodeCost", "fit_autoencoder", "fit_by_cost", "plan_autoencoder", "rows_of"]

CodeCost = Literal["conditional", "trace", "nuclear_norm", "likelihood", "squared_error"]
"""What an autoencoder can be trained by."""

_BATCH = 256
_STEPS = 1500
_RATE, _IMAGE_RATE = 5e-3, 1e-2
_SHARE = 0.2
"""Effective rank over size of the Gram matrix of a batch at the kernel's last variance."""
_FALL = 0.7
"""Share of the training in which the variance falls."""
_LOOKS = 10
"""How often a tracker looks at a training."""


@dataclass(frozen=True)
class AutoencoderPlan:
    """Hold what was chosen for the training of an autoencoder."""

    cost: CodeCost
    """Name of the cost."""
    batch_size: int
    """Rows per step."""
    annealing: Annealing
    """Variance of the kernel during the training."""

    def __str__(self) -> str:
        v = self.annealing
        return f"{self.cost}, batches of {self.batch_size} rows, variance {v.start:.3g} to {v.target:.3g}"


def plan_autoencoder(
    x: Tensor,
    cost: CodeCost = "conditional",
    *,
    variance: float | Literal["auto"] = "auto",
    batch_size: int | None = None,
    anneal: bool = True,
) -> AutoencoderPlan:
    """Choose how to train an encoder-mixture-decoder of data like x.

    The kernel's variance starts at the data's total variance, half of the mean squared distance of two rows. It ends
    where the effective rank of 256 rows is a fifth of their number: see :func:`kernel_variance`.

    Args:
        x: rows in random order, shape ``(N, D)``, N >= 4.
        cost: ``"conditional"``, the normalised inner product of :func:`~mixtura.costs.conditional`, in which each row
            stands for its code; ``"trace"`` of one center of every code, drawn by its weight, against its row;
            ``"nuclear_norm"`` of all centers of a batch against its rows, without pairs; ``"likelihood"`` of the row;
            ``"squared_error"``, the mean of the centers'.
        variance: where the kernel's ends, in squared units of x, or ``"auto"``.
        batch_size: rows per step; None takes 256.
        anneal: whether the variance starts at the scale of the data; else it is its last value from the beginning.

    Raises:
        ValueError: where a value is out of range, or x has fewer than two different rows.

    Example:
        >>> import torch
        >>> from mixtura.training import plan_autoencoder
        >>> print(plan_autoencoder(torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))))
        conditional, batches of 256 rows, variance 2.09 to 0.0545
    """
    if cost not in get_args(CodeCost):
        raise ValueError(f"cost must be one of {', '.join(get_args(CodeCost))}, got {cost!r}.")
    if variance != "auto" and (isinstance(variance, str) or not 0 < variance < math.inf):
        raise ValueError(f"variance must be 'auto' or positive and finite, got {variance!r}.")
    if len(x) < 4:
        raise ValueError(f"x needs at least 4 rows, got {len(x)}.")
    if batch_size is not None and batch_size < 2:
        raise ValueError(f"the rows of a batch are compared with each other: batch_size must be > 1, got {batch_size}.")
    if variance == "auto":
        variance = kernel_variance(x[:_BATCH], _SHARE)
    start = x.double().var(0).sum().item() if anneal else variance
    return AutoencoderPlan(cost, min(batch_size or _BATCH, len(x)), Annealing(start, variance, _FALL))


def fit_autoencoder(
    model: EncoderMixtureDecoder,
    x: Tensor,
    plan: AutoencoderPlan,
    *,
    labels: Tensor | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    tracker: BoundTracker | None = None,
    verbose: bool = False,
) -> History:
    """Train an encoder-mixture-decoder in place.

    Encoder and decoder maximise the same value. For a given encoder no decoder lifts it above the bound; the encoder
    lifts the bound, by codes that say more. So the loss is minus the log of the value, and not the gap, which an
    encoder that says nothing could close.

    With ``"conditional"`` a batch estimates ``E <p, q>``, for which a pair of a row and its noisy code is enough, and
    ``E <q, q>`` without bias; the log of their ratio, which is minimised, is only consistent in the batch size. The
    bound itself is not estimated from a batch, as it needs all rows at every code: that is what a tracker does.

    Where the decoder has noise, its K centers are a sample, and ``E <q, q>`` counts each center's meeting with itself.
    It is left so: counting the meetings, centers learn to spread as evenly as K can.

    Args:
        model: on the device of x; its variance ends as the plan's.
        x: rows, shape ``(N, D)``.
        plan: from :func:`plan_autoencoder`.
        labels: classes of the rows, where the model has classes.
        steps: of the optimiser, rounded up to whole passes over the data; None takes 1,500.
        learning_rate: peak of the one-cycle rate; None takes 5e-3, or 1e-2 for images, as convolutions
            want large steps.
        seed: of the order of the rows and of the noise; torch's global generator is put back afterwards.
        checkpoint: file that is written while training goes on, resumed from if it is there, and deleted at the end.
        tracker: looks at the model up to ten times, evenly, the last time at the end.
        verbose: show a progress bar with the loss.

    Returns:
        The history of the run, with the loss of the plan's cost.

    Raises:
        ValueError: where ``steps`` is not positive, labels are missing or not wanted, or ``checkpoint`` belongs to
            another run.
        FloatingPointError: where a whole epoch had no finite step.

    Example:
        >>> import torch, mixtura as mx
        >>> from mixtura.training import BoundTracker, fit_autoencoder, plan_autoencoder
        >>> x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> emd = mx.nn.EncoderMixtureDecoder(2, code_features=1, centers=10, hidden=(32, 32))
        >>> plan = plan_autoencoder(x)
        >>> tracker = BoundTracker(x, plan.annealing.target)
        >>> history = fit_autoencoder(emd, x, plan, steps=100, tracker=tracker)
        >>> tracker.history[-1].ratio > tracker.history[0].ratio
        True
    """
    return fit_by_cost(
        model,
        x,
        plan,
        _COSTS[plan.cost],
        labels=labels,
        steps=steps,
        learning_rate=learning_rate,
        seed=seed,
        checkpoint=checkpoint,
        tracker=tracker,
        verbose=verbose,
    )


def fit_by_cost(
    model: EncoderMixtureDecoder,
    x: Tensor,
    plan: AutoencoderPlan,
    cost: Callable[[Tensor, GaussianMixture], Tensor],
    *,
    labels: Tensor | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    tracker: BoundTracker | None = None,
    verbose: bool = False,
) -> History:
    """Train as :func:`fit_autoencoder` does, by any loss ``cost(x, q)`` of rows (B, D) and what answers them."""
    steps = _STEPS if steps is None else steps
    if learning_rate is None:
        learning_rate = _RATE if len(model.shape) == 1 else _IMAGE_RATE
    if steps < 1 or not 0 < learning_rate < math.inf:
        raise ValueError(f"steps and learning_rate must be positive, got {steps} and {learning_rate}.")
    B = plan.batch_size
    batches = math.ceil(len(x) / B)
    whole = torch.arange(batches * B, device=x.device) % len(x)  # no batch is smaller than the others
    epochs = math.ceil(steps / batches)
    every = math.ceil(epochs / _LOOKS)

    def loss(_: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        return cost(batch[0].flatten(1), model(*batch))

    def before_step(done: float) -> None:
        model.variance = plan.annealing(done)

    looks: list[Any] = []
    before = [] if tracker is None else list(tracker.history)

    def after_epoch(_: nn.Module, average: nn.Module, __: torch.optim.Optimizer, epoch: int) -> int:
        if tracker is not None and (epoch == epochs or (epochs - epoch) % every == 0):
            looks.append(astuple(tracker(average, epoch)))
        return 0

    data = [t[whole] for t in (x, labels) if t is not None]
    work = B * sum(p.numel() for p in model.parameters())
    with fitting_threads(work), progress(epochs, enabled=verbose) as on_epoch:
        history = fit(
            model,
            loss,
            data,
            epochs=epochs,
            batch_size=B,
            learning_rate=learning_rate,
            weight_decay=0.0,
            average_decay=0.99,
            seed=seed,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            before_step=before_step,
            after_epoch=after_epoch,
            notes=looks,
            settings=str(plan),
        )
    if tracker is not None:  # a run that went on has looked before
        tracker.history[:] = [*before, *(TrackedBound(*look) for look in looks)]
    model.variance = plan.annealing.target
    return history


def rows_of(x: Tensor, q: GaussianMixture) -> GaussianMixture:
    """Return each row as the one component of a mixture, with the variance of q; batch shape ``(B,)``."""
    return GaussianMixture(x.new_zeros(len(x), 1), x.unsqueeze(1), q.covariance, validate_args=False)


def _conditional(x: Tensor, q: GaussianMixture) -> Tensor:
    return costs.conditional(rows_of(x, q), q).loss


def _likelihood(x: Tensor, q: GaussianMixture) -> Tensor:
    return costs.likelihood(rows_of(x, q), q).loss.mean()


def _squared_error(x: Tensor, q: GaussianMixture) -> Tensor:
    return (q.log_weights.exp() * (q.loc - x.unsqueeze(1)).square().sum(-1)).sum(-1).mean()


def _trace(x: Tensor, q: GaussianMixture) -> Tensor:
    drawn = torch.multinomial(q.log_weights.detach().exp(), 1)
    return costs.trace(_one(x, q), _one(q.loc[torch.arange(len(x), device=x.device), drawn.squeeze(-1)], q)).loss


def _nuclear_norm(x: Tensor, q: GaussianMixture) -> Tensor:
    centers = GaussianMixture(q.log_weights.flatten(), q.loc.flatten(0, 1), q.covariance, validate_args=False)
    return costs.nuclear_norm(_one(x, q), centers).loss


def _one(x: Tensor, q: GaussianMixture) -> GaussianMixture:
    """Return all rows as one mixture, with the variance of q."""
    assert isinstance(q.covariance, Isotropic)
    return GaussianMixture(x.new_zeros(len(x)), x, q.covariance, validate_args=False)


_COSTS: dict[CodeCost, Callable[[Tensor, GaussianMixture], Tensor]] = {
    "conditional": _conditional,
    "trace": _trace,
    "nuclear_norm": _nuclear_norm,
    "likelihood": _likelihood,
    "squared_error": _squared_error,
}
