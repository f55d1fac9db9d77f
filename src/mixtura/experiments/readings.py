"""Plain and debiased training of the same generator, on points and on digits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from sklearn.datasets import load_digits, make_moons
from torch import Tensor

from mixtura.costs import Reading
from mixtura.datasets.densities import draw, grid, separated_gaussians
from mixtura.experiments.digits import Digits, learn_images
from mixtura.metrics import kernel_mmd, mode_coverage, precision_recall
from mixtura.nn import MixtureGenerator
from mixtura.training import fit_generator, isolated_seed, median_variance, plan_generator

__all__ = [
    "DATA",
    "IMAGE_RATE",
    "RATE",
    "READINGS",
    "ROWS",
    "SCORED",
    "Run",
    "fresh_sample",
    "learn_digits",
    "learn_points",
    "mean_of",
    "sample",
    "word",
]

READINGS: tuple[Reading, Reading] = ("finite", "sampled")
"""Plain and debiased."""
RATE, IMAGE_RATE = 2e-3, 1e-2
"""Peak rates, of points and of images."""
ROWS, SCORED = 8192, 2000
"""Samples that are learnt, and those that centers are compared with."""
_FRESH = 10_000
"""Added to a seed for samples that were not learnt."""
_GRID_SCALE = 0.05


@dataclass(frozen=True)
class Run:
    """What a training came to."""

    data: str
    cost: str
    reading: Reading
    size: int
    """Rows of a step."""
    variance: float
    """Where the kernel's ends."""
    rank: float
    """Effective rank of a batch of the data over its size, at the variance of its leave-one-out likelihood."""
    score: float
    """Lesser of precision and recall; of the grid the quality; of images the Fréchet distance."""
    balance: float
    """Share of the data that is not covered; of the grid the reverse KL; of images how far off uniform."""
    mmd: float
    seconds: float
    centers: Tensor


def _moons(rows: int, seed: int) -> Tensor:
    return torch.as_tensor(make_moons(rows, noise=0.05, random_state=seed)[0]).float()


def _gaussians(d: int) -> Callable[[int, int], Tensor]:
    return lambda rows, seed: draw(separated_gaussians(8, d, 6.0), rows, seed)


def _digits(rows: int, seed: int) -> Tensor:
    x = torch.as_tensor(load_digits(return_X_y=True)[0]).float() / 16
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return x[order[:1000] if seed < _FRESH else order[1000:]][:rows]


DATA: dict[str, Callable[[int, int], Tensor]] = {
    "moons": _moons,
    "grid": lambda rows, seed: draw(grid(scale=_GRID_SCALE), rows, seed),
    "8 Gaussians, d = 3": _gaussians(3),
    "8 Gaussians, d = 5": _gaussians(5),
    "8 Gaussians, d = 7": _gaussians(7),
    "8 Gaussians, d = 10": _gaussians(10),
    "8 Gaussians, d = 16": _gaussians(16),
    "digits, d = 64": _digits,
}


def sample(name: str, seed: int) -> Tensor:
    """Return the rows that are learnt."""
    return DATA[name](ROWS, seed)


def fresh_sample(name: str, seed: int) -> Tensor:
    """Return other rows of the same kind, to compare with."""
    return DATA[name](SCORED, seed + _FRESH)


def learn_points(name: str, cost: str, reading: Reading, size: int, steps: int, seed: int) -> Run:
    """Return how well a small network learns points by a cost in a reading."""
    x, fresh = sample(name, seed), fresh_sample(name, seed)
    plan = plan_generator(x, cost, reading=reading, batch_size=size)
    D = x.shape[1]
    start = time.process_time()
    with isolated_seed(seed, x.device):
        generator = MixtureGenerator(D, noise_features=min(D, 16), hidden=(128, 128))
    fit_generator(generator, x, plan, steps=steps, learning_rate=RATE, seed=seed)
    seconds = time.process_time() - start
    with torch.no_grad(), isolated_seed(seed + _FRESH, x.device):
        y = generator(len(fresh)).loc
    if name == "grid":
        found = mode_coverage(y, grid().loc, _GRID_SCALE)
        score, balance = found.quality, found.reverse_kl
    else:
        pr = precision_recall(fresh, y)
        score, balance = min(pr.precision, pr.recall), 1 - pr.coverage
    mmd = math.sqrt(max(kernel_mmd(fresh, y, median_variance(fresh)).square, 0.0))
    v = plan.annealing.target
    return Run(name, cost, reading, size, v, plan.effective_rank, score, balance, mmd, seconds, y)


def learn_digits(digits: Digits, cost: str, reading: Reading, size: int, steps: int, seed: int) -> Run:
    """Return the same for a convolutional network and images."""
    plan = plan_generator(digits.rows, cost, reading=reading, batch_size=size)
    images, seconds = learn_images(digits, plan, steps=steps, learning_rate=IMAGE_RATE, seed=seed)
    q = digits.judge(images)
    v = plan.annealing.target
    return Run("images", cost, reading, size, v, plan.effective_rank, q.frechet, q.off, math.nan, seconds, images[:, 0])


def mean_of(runs: list[Run], what: str = "score", **wanted: object) -> float:
    """Return the mean of a number over the runs that have the wanted attributes, NaN if none has."""
    found = [getattr(r, what) for r in runs if all(getattr(r, k) == v for k, v in wanted.items())]
    return sum(found) / len(found) if found else math.nan


def word(reading: Reading) -> str:
    """Return what a reading is called in tables."""
    return "plain" if reading == "finite" else "debiased"
