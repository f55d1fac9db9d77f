"""How networks side by side learn a conditional density from rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mixtura.costs import conditional
from mixtura.distributions import GaussianMixture
from mixtura.training.folds import Folds
from mixtura.training.history import History
from mixtura.training.loop import fit
from mixtura.training.progress import progress
from mixtura.training.revival import revival
from mixtura.training.threads import fitting_threads
from mixtura.training.variance import Annealing

__all__ = ["RegressionLoss", "RegressionPlan", "fit_networks"]

RegressionLoss = Literal["likelihood", "conditional"]

_EPOCHS = (20, 1100, 400)
"""The least, the number times the fourth root of the rows, and the most."""
_BATCH = (16, 4096)
_PATIENCE = 0.3
_HELD = (0.1, 400, 0.005)
"""The share of few rows that judge the epochs, the number where there are more, and the share of many."""
_VARIANCE = Annealing(start=0.3, target=1e-3, share=0.8)
"""Of the data in the conditional cost, in squared units of standardised targets."""


@dataclass(frozen=True)
class RegressionPlan:
    """Hold the settings of a training run."""

    loss: RegressionLoss
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int | None
    input_noise: float
    """Standard deviation of the noise that every step adds to standardised inputs."""
    target_noise: float
    """The same for standardised targets."""
    weight_prior: float
    """Strength of a Dirichlet prior on the weights of each row: ``Σ_k log w_k`` is added this many times."""

    @staticmethod
    def epochs_for(rows: int) -> int:
        """Return a number of epochs that many rows need: with :meth:`batch_for`, steps grow as their fourth root."""
        least, unit, most = _EPOCHS
        return int(min(max(unit / rows**0.25, least), most))

    @staticmethod
    def patience_for(epochs: int) -> int:
        """Return a number of epochs after which nothing better is to be expected."""
        return math.ceil(_PATIENCE * epochs)

    @staticmethod
    def batch_for(rows: int) -> int:
        """Return a number of rows per step."""
        return int(min(max(3 * rows**0.5, _BATCH[0]), _BATCH[1]))

    @staticmethod
    def held_for(rows: int) -> float:
        """Return the share of so many rows that is to choose the best epoch."""
        few, enough, many = _HELD
        return min(few, max(enough / rows, many))


def fit_networks(
    network: nn.Module,
    data: Sequence[Tensor],
    folds: Folds,
    plan: RegressionPlan,
    *,
    seed: int,
    checkpoint: str | Path | None = None,
    verbose: bool = False,
) -> History:
    """Train E networks side by side in place.

    Training by likelihood starts dead components again, see :func:`~mixtura.training.revival.revive`; training by the
    conditional cost does not, as they would go where the outliers are.

    Args:
        network: maps inputs (E, b, d) to mixtures of batch shape (E, b).
        data: inputs (N, d), targets (N, T) and weights (N,) of the rows, standardised.
        folds: which rows each network learns from and is judged by.
        plan: the settings.
        seed: of the order of the rows, of dropout and of noise.
        checkpoint: as in :func:`~mixtura.training.fit`.
        verbose: show a progress bar.

    Returns:
        The history of the run, in standardised units.

    Raises:
        FloatingPointError: where a whole epoch had no finite step.
    """
    loss = _Likelihood(plan) if plan.loss == "likelihood" else _Conditional(plan)
    work = plan.batch_size * sum(p.numel() for p in network.parameters())
    with fitting_threads(work), progress(plan.epochs, enabled=verbose) as on_epoch:
        return fit(
            network,
            loss,
            data,
            folds=folds,
            epochs=plan.epochs,
            batch_size=plan.batch_size,
            learning_rate=plan.learning_rate,
            weight_decay=plan.weight_decay,
            patience=plan.patience,
            seed=seed,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            before_step=loss.before_step,
            after_epoch=revival(data, folds, plan.epochs) if plan.loss == "likelihood" else None,
            settings=str(plan),
        )


class _Likelihood:
    """The mean negative log-likelihood of each network, shape (E,).

    Fresh noise on inputs and targets at every step smooths what is learnt over the rows that were seen (Rothfuss et al.
    2019, "Noise regularization for conditional density estimation"). Noise and prior are for training only.
    """

    def __init__(self, plan: RegressionPlan) -> None:
        self.plan = plan

    def __call__(self, model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        x, y, weight = batch
        if not model.training:
            return self.of(model(x), y, weight)
        q = model(_blurred(x, self.plan.input_noise))
        value = self.of(q, _blurred(y, self.plan.target_noise), weight)
        if self.plan.weight_prior:
            there = q.log_weights.masked_fill(q.log_weights == -math.inf, 0.0)  # a member may have fewer components
            value = value - self.plan.weight_prior * (weight * there.sum(-1)).mean(-1)
        return value

    def before_step(self, done: float) -> None:
        """Take note of the share of the training that is done."""

    def of(self, q: Any, y: Tensor, weight: Tensor) -> Tensor:
        return -(weight * q.log_prob(y)).mean(-1)


class _Conditional(_Likelihood):
    """The conditional cost of each network, shape (E,): each row is a Gaussian of a variance that falls."""

    def __init__(self, plan: RegressionPlan) -> None:
        super().__init__(plan)
        self.variance = _VARIANCE.start
        self.annealed = self.variance

    def before_step(self, done: float) -> None:
        self.annealed = _VARIANCE(done)

    def __call__(self, model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        self.variance = self.annealed if model.training else _VARIANCE.target  # epochs are judged by one measure
        return super().__call__(model, batch)

    def of(self, q: Any, y: Tensor, weight: Tensor) -> Tensor:
        p = GaussianMixture.from_samples(y.unsqueeze(-2), self.variance)
        return conditional(p, q, weight=weight, members=1).loss.to(y)


def _blurred(t: Tensor, scale: float) -> Tensor:
    return t + scale * torch.randn_like(t) if scale else t
