"""Training a generator by a cost, with nothing to tune: which reading, which batch, which variances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from mixtura.costs import SAMPLED, Cost, Reading, choose_reading
from mixtura.distributions import GaussianMixture
from mixtura.hilbert import effective_rank
from mixtura.nn import MixtureGenerator
from mixtura.training.history import History
from mixtura.training.loop import fit
from mixtura.training.progress import progress
from mixtura.training.threads import fitting_threads
from mixtura.training.variance import Annealing, kernel_variance, likelihood_variance

__all__ = ["GeneratorPlan", "fit_generator", "plan_generator"]

_BATCH = 512
_ROWS_PER_CENTER: dict[Reading, int] = {"finite": 4, "sampled": 1}
_STEPS: dict[Reading, int] = {"finite": 16_000, "sampled": 3_000}
_SHARE: dict[Reading, float] = {"finite": 0.3, "sampled": 0.68}
"""Effective rank over size of a batch's Gram matrix at the kernel's last variance."""
_RATE: dict[Reading, float] = {"finite": 4.8, "sampled": 7.0}
"""Peak of the learning rate times the number of steps."""
_WARMUP: dict[Reading, float] = {"finite": 0.4, "sampled": 0.02}
"""Share of the steps in which the rate rises: it is still low where modes part, and their shares are decided there."""
_PROBE = 2048


@dataclass(frozen=True)
class GeneratorPlan:
    """Hold what was chosen for the training of a generator, and from what."""

    cost: str
    """Name of the cost."""
    reading: Reading
    """How batches of centers are read."""
    effective_rank: float
    """Of a batch of the data over its size, at the variance of its leave-one-out likelihood; it chose the reading."""
    batch_size: int
    """Rows per step."""
    centers: int
    """Centers per step; the sampled reading takes rows and centers as two halves."""
    annealing: Annealing
    """Variance of the kernel during the training."""

    def __str__(self) -> str:
        v = self.annealing
        return (
            f"{self.cost}, read as {self.reading} (effective rank of the data {self.effective_rank:.2f}), batches of "
            f"{self.batch_size} rows and {self.centers} centers, variance {v.start:.3g} to {v.target:.3g}"
        )


def plan_generator(
    x: Tensor,
    cost: str = "nuclear_norm",
    *,
    reading: Reading | Literal["auto"] = "auto",
    variance: float | Literal["auto"] = "auto",
    batch_size: int | None = None,
    anneal: bool = True,
) -> GeneratorPlan:
    """Choose how to train a generator of data like x.

    The reading follows the effective rank of a batch of 256 rows at the variance that their leave-one-out likelihood
    prefers: where it is nearly full, samples hardly meet, and batches are read as samples. The kernel's variance starts
    at the data's total variance, half of the mean squared distance of two rows. It ends where the effective rank of so
    many rows as there are centers is .3 of their number (finite), or that of a half of them .68 (sampled): see
    :func:`kernel_variance`.

    Args:
        x: rows in random order, shape ``(N, D)``, N >= 4.
        cost: name of the cost.
        reading: ``"finite"``, ``"sampled"``, or ``"auto"``.
        variance: where the kernel's ends, in squared units of x, or ``"auto"``.
        batch_size: rows per step; None takes 512. The finite reading makes a quarter as many centers, the sampled
            reading as many.
        anneal: whether the variance starts at the scale of the data; else it is its last value from the beginning.

    Raises:
        ValueError: where a value is out of range, or x has fewer than two different rows.

    Example:
        >>> import torch
        >>> from mixtura.training import plan_generator
        >>> x = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
        >>> print(plan_generator(x))
        nuclear_norm, read as finite (effective rank of the data 0.08), batches of 512 rows and 128 centers, variance
        2.09 to 0.0551
    """
    if variance != "auto" and (isinstance(variance, str) or not 0 < variance < math.inf):
        raise ValueError(f"variance must be 'auto' or positive and finite, got {variance!r}.")
    if len(x) < 4 or (batch_size is not None and batch_size < 4):
        raise ValueError(f"x needs at least 4 rows and batch_size must be at least 4, got {len(x)} and {batch_size}.")
    probe = GaussianMixture.from_samples(x[: _BATCH // 2], likelihood_variance(x[:_PROBE]))
    rank = effective_rank(probe)
    if reading == "auto":
        reading = choose_reading(probe, rank) if cost in SAMPLED else "finite"
    Cost(cost, reading)  # says what is wrong with them
    batch_size = batch_size or _BATCH
    centers = max(4, batch_size // _ROWS_PER_CENTER[reading])
    if variance == "auto":
        variance = kernel_variance(x[: centers if reading == "finite" else centers // 2], _SHARE[reading])
    start = x.double().var(0).sum().item() if anneal else variance
    share = rank.item() / probe.components
    return GeneratorPlan(cost, reading, share, min(batch_size, len(x)), centers, Annealing(start, variance))


def fit_generator(
    generator: MixtureGenerator,
    x: Tensor,
    plan: GeneratorPlan,
    *,
    weight: Tensor | None = None,
    steps: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    verbose: bool = False,
) -> History:
    """Train a generator in place, so that the mixture of its centers becomes that of the data.

    Every step compares a batch of rows with fresh centers, both with the variance that the plan has come to.

    Args:
        generator: on the device of x; its variance ends as the plan's.
        x: rows, shape ``(N, D)``.
        plan: from :func:`plan_generator`.
        weight: of the rows, positive, shape ``(N,)``.
        steps: of the optimiser, rounded up to whole passes over the data; None takes 16,000, or 3,000 where the reading
            is sampled and a step takes longer.
        learning_rate: peak of the one-cycle rate; None takes 4.8 (finite) or 7 (sampled) over the number of steps, 2e-3
            at most: small steps keep the shares of the modes, and a short run cannot afford them.
        seed: of the order of the rows and of the noise; torch's global generator is put back afterwards.
        checkpoint: file that is written while training goes on, resumed from if it is there, and deleted at the end.
        verbose: show a progress bar with the loss.

    Returns:
        The history of the run, with the loss of the plan's cost.

    Raises:
        ValueError: where ``steps`` is not positive, or ``checkpoint`` belongs to another run.
        FloatingPointError: where a whole epoch had no finite step.

    Example:
        >>> import torch, mixtura as mx
        >>> from mixtura.training import fit_generator, plan_generator
        >>> x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> gen = mx.nn.MixtureGenerator(2, hidden=(32, 32))
        >>> history = fit_generator(gen, x, plan_generator(x), steps=20)
        >>> print(f"{gen.variance:.3f}")
        0.055
    """
    steps = _STEPS[plan.reading] if steps is None else steps
    if steps < 1 or not (learning_rate is None or 0 < learning_rate < math.inf):
        raise ValueError(f"steps and learning_rate must be positive, got {steps} and {learning_rate}.")
    cost, B = Cost(plan.cost, plan.reading), plan.batch_size
    batches = math.ceil(len(x) / B)
    whole = torch.arange(batches * B, device=x.device) % len(x)  # no batch is smaller than the others
    weight = torch.ones_like(x[:, 0]) if weight is None else weight

    def loss(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        rows, w = batch
        q = model(plan.centers, even=plan.reading == "finite")
        return cost(GaussianMixture.from_samples(rows, generator.variance, w), q)

    def before_step(done: float) -> None:
        generator.variance = plan.annealing(done)

    epochs = math.ceil(steps / batches)
    work = plan.centers * (sum(p.numel() for p in generator.parameters()) + B * (x.shape[1] + plan.centers))
    with fitting_threads(work), progress(epochs, enabled=verbose) as on_epoch:
        history = fit(
            generator,
            loss,
            [x[whole], weight[whole]],
            epochs=epochs,
            batch_size=B,
            learning_rate=learning_rate or min(_RATE[plan.reading] / steps, 2e-3),
            weight_decay=0.0,
            warmup=_WARMUP[plan.reading],
            seed=seed,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            before_step=before_step,
            settings=str(plan),
        )
    generator.variance = plan.annealing.target
    return history
