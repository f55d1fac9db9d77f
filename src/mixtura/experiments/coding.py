"""Encoder-mixture-decoders for the experiments: their data, and one way to train them with the bound watched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from sklearn.datasets import make_moons
from torch import Tensor, nn

from mixtura.nn import EncoderMixtureDecoder
from mixtura.training import (
    AutoencoderPlan,
    BoundTracker,
    CodeCost,
    TrackedBound,
    fit_autoencoder,
    isolated_seed,
    plan_autoencoder,
)

__all__ = ["CODE_VARIANCE", "NOISELESS", "Coded", "autoencoder_for", "learn_code", "moons"]

CODE_VARIANCE = 0.01
"""Of the noise on codes whose variance is one."""
NOISELESS = 1e-8
"""Variance of the codes' noise of a standard autoencoder, as good as none."""
_DRAWS = 100
"""Codes in a look of the tracker."""


@dataclass(frozen=True)
class Coded:
    """Hold a trained autoencoder and what its training took."""

    model: EncoderMixtureDecoder
    plan: AutoencoderPlan
    history: Sequence[TrackedBound]
    """What the tracker saw, the last entry at the end."""
    seconds: float
    """Of training, on the processor, without the tracker."""
    looking: float
    """Seconds of the tracker."""

    @property
    def variance(self) -> float:
        """Variance of the components, where the training ended."""
        return self.plan.annealing.target


@dataclass
class _TimedTracker(BoundTracker):
    seconds: float = field(default=0.0, init=False)

    def __call__(self, model: nn.Module, epoch: int) -> TrackedBound:
        start = time.process_time()
        entry = super().__call__(model, epoch)
        self.seconds += time.process_time() - start
        return entry


def moons(rows: int, seed: int) -> Tensor:
    """Return samples of two moons with noise of standard deviation 0.1, shape ``(rows, 2)``."""
    return torch.as_tensor(make_moons(rows, noise=0.1, random_state=seed)[0]).float()


def autoencoder_for(
    x: Tensor,
    *,
    centers: int,
    code_features: int = 1,
    hidden: Sequence[int] = (128, 128),
    code_variance: float = CODE_VARIANCE,
    classes: int = 0,
    seed: int = 0,
) -> EncoderMixtureDecoder:
    """Return a network for rows ``(N, D)`` or images ``(N, C, H, W)``, started from the seed."""
    features = x.shape[1] if x.dim() == 2 else x.shape[1:]
    with isolated_seed(seed, x.device):
        return EncoderMixtureDecoder(
            features, code_features, centers, hidden, code_variance=code_variance, classes=classes
        )


def learn_code(
    model: EncoderMixtureDecoder,
    x: Tensor,
    cost: CodeCost = "conditional",
    *,
    steps: int,
    labels: Tensor | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> Coded:
    """Train a network by a cost and watch its bound.

    Args:
        model: in training afterwards as before.
        x: rows or images in random order.
        cost: of :func:`~mixtura.training.plan_autoencoder`, whose variances are taken.
        steps: of the optimiser, rounded up to whole passes.
        labels: classes of the rows, where the model has classes.
        batch_size: rows per step.
        seed: of the order of the rows and of the noise.
    """
    rows = x.flatten(1)
    plan = plan_autoencoder(rows, cost, batch_size=batch_size)
    tracker = _TimedTracker(rows, plan.annealing.target, labels, draws=_DRAWS)
    start = time.process_time()
    fit_autoencoder(model, rows, plan, labels=labels, steps=steps, seed=seed, tracker=tracker)
    seconds = time.process_time() - start - tracker.seconds
    return Coded(model, plan, tracker.history, seconds, tracker.seconds)
