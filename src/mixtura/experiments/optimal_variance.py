"""Which kernel variance is best, for which noise and which batch, and what the rule loses that chooses it?"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import make_moons
from torch import Tensor

from mixtura.datasets.densities import draw, grid, ring
from mixtura.distributions import GaussianMixture
from mixtura.estimators import MixtureDensityEstimator
from mixtura.experiments.record import Cell, Curves, Options, Picture, Record, Table
from mixtura.hilbert import effective_rank
from mixtura.metrics import precision_recall
from mixtura.training import kernel_variance, likelihood_variance

__all__ = ["optimal_variance"]

_ROWS, _CENTERS, _STEPS, _RATE, _HIDDEN = 2000, 1000, 500, 3e-3, (96, 96, 96)
_SHARE = 0.3
"""Effective rank over size that the rule asks of a step's Gram matrix."""
_FACTORS = (1 / 64, 1 / 16, 1 / 4, 1.0, 4.0, 16.0)
"""Variances that are tried, in units of the rule's."""
_NEAR = 0.05
"""Nats that make no difference."""

_LEARNT = 0.3
"""Nats behind real samples up to which a case says something about the variance."""


@dataclass(frozen=True)
class _Case:
    data: str
    noise: float
    batch: int = 512

    @property
    def centers(self) -> int:
        return self.batch // 4

    def draw(self, seed: int) -> Tensor:
        if self.data == "moons":
            return torch.as_tensor(make_moons(_ROWS, noise=self.noise, random_state=seed)[0])
        truth = ring(scale=self.noise) if self.data == "ring" else grid(scale=self.noise)
        return draw(truth, _ROWS, seed).double()


_CASES = (
    *(_Case("moons", noise) for noise in (0.02, 0.05, 0.1, 0.2)),
    *(_Case("moons", 0.05, batch) for batch in (64, 128, 256)),
    *(_Case("ring", noise) for noise in (0.02, 0.1)),
    *(_Case("grid", noise) for noise in (0.05, 0.2)),
)


@dataclass(frozen=True)
class _Sweep:
    """What one case gave, a number for each factor."""

    case: _Case
    rule: float
    lost: list[float]
    f1: list[float]
    rank: list[float]

    @property
    def best(self) -> int:
        return int(np.argmin(self.lost))

    @property
    def variance(self) -> float:
        return self.rule * _FACTORS[self.best]

    @property
    def at_rule(self) -> float:
        return self.lost[_FACTORS.index(1.0)]

    @property
    def loss_of_rule(self) -> float:
        return self.at_rule - self.lost[self.best]


def optimal_variance(options: Options) -> Record:
    """Return the best kernel variance against noise, batch size and effective rank, beside the one of the rule."""
    cases = (_CASES[0], _CASES[2]) if options.quick else _CASES
    steps = 50 if options.quick else _STEPS
    sweeps: list[_Sweep] = []
    for case in cases:
        runs = [_sweep(case, steps, seed) for seed in options.seeds]
        sweeps.append(s := _mean(runs))
        said = " ".join(f"{lost:.2f}" for lost in s.lost)
        options.say(f"{case.data:5} noise {case.noise:<4} batch {case.batch:3}: rule {s.rule:.3g}, nats lost {said}")
    return Record(
        "optimal-variance",
        "The best variance of the kernel",
        "The papers' third open question: is there a theory behind the best variance of the kernel? Too small, they "
        "saw, and samples lose diversity; too large, and they lose clarity. Two laws are compared: the best variance "
        "follows the noise of the data, or it follows the Gram matrix of a step: its effective rank over its size, "
        f"which is what the default chooses by ({_SHARE}). The SVD cost learns moons, a ring and a grid of known "
        "noise with batches of several sizes.",
        {
            "data": f"{_ROWS:,} samples each",
            "seeds": list(options.seeds),
            "steps": steps,
            "peak rate": _RATE,
            "hidden": list(_HIDDEN),
            "variances": f"{', '.join(f'{f:g}' for f in _FACTORS)} times the rule's, annealed from the data's scale",
            "rule": f"effective rank of the Gram matrix of a step's centers = {_SHARE} of their number",
            "score": f"nats lost: mean log-likelihood of {_ROWS:,} held-out samples under {_CENTERS:,} other samples, "
            f"less the same under {_CENTERS:,} fresh centers, both with the width that suits them best",
            "quick": options.quick,
        },
        _findings(sweeps),
        [_best_table(sweeps), _all_table(sweeps)],
        _pictures(sweeps),
    )


def _sweep(case: _Case, steps: int, seed: int) -> _Sweep:
    x, test = case.draw(seed), case.draw(seed + 10_000)
    rule = kernel_variance(x[: case.centers], _SHARE)
    real = case.draw(seed + 20_000)[:_CENTERS]
    attainable = _log_likelihood(real, x, test)
    lost, f1, rank = [], [], []
    for factor in _FACTORS:
        centers = _learn(x, case, factor * rule, steps, seed)
        lost.append(attainable - _log_likelihood(centers, x, test))
        found = precision_recall(test[:_CENTERS], centers)
        f1.append(2 * found.precision * found.recall / max(found.precision + found.recall, 1e-12))
        batch = GaussianMixture.from_samples(x[: case.centers], factor * rule)
        rank.append(effective_rank(batch).item() / case.centers)
    return _Sweep(case, rule, lost, f1, rank)


def _log_likelihood(centers: Tensor, x: Tensor, test: Tensor) -> float:
    """Return the mean log-likelihood of test under the centers, with the width that suits x."""
    return GaussianMixture.from_samples(centers, likelihood_variance(x, centers)).log_prob(test).mean().item()


def _learn(x: Tensor, case: _Case, v: float, steps: int, seed: int) -> Tensor:
    model = MixtureDensityEstimator(
        variance=v,
        components=100,
        reading="finite",
        hidden=_HIDDEN,
        standardize=False,
        steps=steps,
        batch_size=case.batch,
        learning_rate=_RATE,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no gradient reaches")  # the score says it
        model.fit(x.numpy())
    return torch.as_tensor(model.centers(_CENTERS))


def _mean(runs: Sequence[_Sweep]) -> _Sweep:
    lost, f1, rank = (np.mean([getattr(r, name) for r in runs], 0).tolist() for name in ("lost", "f1", "rank"))
    rule = math.exp(float(np.mean([math.log(r.rule) for r in runs])))
    return _Sweep(runs[0].case, rule, lost, f1, rank)


def _findings(sweeps: Sequence[_Sweep]) -> list[str]:
    learnt = [s for s in sweeps if s.lost[s.best] <= _LEARNT]
    others = ", ".join(f"{_label(s.case)}: {s.lost[s.best]:.2f}" for s in sweeps if s not in learnt)
    sentences = [
        f"The best variance loses at most {_LEARNT} nats against as many real samples in {len(learnt)} of "
        f"{len(sweeps)} cases; the others are not learnt in so few steps and tell of the training ({others or 'none'})."
    ]
    if not learnt:
        return sentences
    by_noise, by_rule = ([s.variance / base(s) for s in learnt] for base in (_noise, _rule))
    laws = [_law(learnt, base) for base in (_noise, _rule)]
    ranks = [s.rank[s.best] for s in learnt]
    lost = [s.loss_of_rule for s in learnt]
    worst = max(learnt, key=lambda s: s.loss_of_rule)
    edge = sum(s.best in (0, len(_FACTORS) - 1) for s in learnt)
    return [
        *sentences,
        f"Where it is learnt the best variance is {min(by_noise):.2g} to {max(by_noise):.2g} times that of the noise, "
        f"and {min(by_rule):.2g} to {max(by_rule):.2g} times the rule's, the end of the range that was tried in {edge} "
        f"cases; the effective rank of a step's Gram matrix is {min(ranks):.2f} to {max(ranks):.2f} of its size.",
        f"As a law with one constant for all, {laws[0][0]:.2g} times the variance of the noise loses {laws[0][1]:.3f} "
        f"nats on average, and {laws[1][0]:.2g} times the rule's {laws[1][1]:.3f} (read off between what was tried).",
        f"The rule as it is loses {np.mean(lost):.3f} nats on average against the best of {len(_FACTORS)} variances, "
        f"{np.median(lost):.3f} in the median and {max(lost):.3f} at most ({_label(worst.case)}).",
    ]


def _noise(s: _Sweep) -> float:
    return s.case.noise**2


def _rule(s: _Sweep) -> float:
    return s.rule


def _law(sweeps: Sequence[_Sweep], base: Callable[[_Sweep], float]) -> tuple[float, float]:
    """Return the c for which v = c base loses least on average against the best v of every case, and that loss."""

    def loses(c: float) -> float:
        v = np.log(_FACTORS)
        each = [np.interp(math.log(c * base(s) / s.rule), v, s.lost) - min(s.lost) for s in sweeps]
        return float(np.mean(each))

    return min(
        ((c, loses(c)) for c in np.geomspace(_FACTORS[0], _FACTORS[-1], 41).tolist()), key=lambda found: found[1]
    )


def _best_table(sweeps: Sequence[_Sweep]) -> Table:
    rows: list[list[Cell]] = []
    for s in sweeps:
        good = [f for f, lost in zip(_FACTORS, s.lost, strict=True) if lost <= s.lost[s.best] + _NEAR]
        best = [s.variance, s.variance / s.case.noise**2, s.rank[s.best], s.rule, s.loss_of_rule, s.lost[s.best]]
        rows.append([s.case.data, s.case.noise, s.case.batch, *best, max(good) / min(good)])
    columns = ("data", "noise", "batch", "best v", "over noise²", "rank", "rule", "rule loses", "best loses", "width")
    return Table(
        "The best variance and the rule's",
        columns,
        rows,
        "Noise: standard deviation. Rank: effective rank over size of a step's Gram matrix at the best variance. Rule "
        "loses: nats behind the best; best loses: nats behind as many real samples. Width: largest over smallest "
        f"variance that lose at most {_NEAR} nats. Means over the seeds.",
    )


def _all_table(sweeps: Sequence[_Sweep]) -> Table:
    rows: list[list[Cell]] = [
        [s.case.data, s.case.noise, s.case.batch, factor * s.rule, s.rank[k], s.lost[k], s.f1[k]]
        for s in sweeps
        for k, factor in enumerate(_FACTORS)
    ]
    columns = ("data", "noise", "batch", "v", "rank", "nats lost", "F1")
    return Table("Everything", columns, rows, "F1: of precision and recall, with 5 neighbours.")


def _pictures(sweeps: Sequence[_Sweep]) -> list[Picture]:
    moons = [s for s in sweeps if s.case.data == "moons"]
    by_noise = {f"noise {s.case.noise:g}": s for s in moons if s.case.batch == 512}
    by_batch = {f"batch {s.case.batch}": s for s in sorted(moons, key=lambda s: s.case.batch) if s.case.noise == 0.05}
    others = {f"{s.case.data}, {s.case.noise:g}": s for s in sweeps if s not in moons}
    groups = {"moons, by noise": by_noise, "moons of noise 0.05, by batch size": by_batch, "others, by noise": others}
    panels = [
        Curves(title, _FACTORS, {name: s.lost for name, s in group.items()}, "v over the rule's", "nats lost", True)
        for title, group in groups.items()
        if group
    ]
    laws = [
        Curves(
            title,
            x,
            {"best v": [s.variance for s in group], "the rule's": [s.rule for s in group], "noise²": noise},
            axis,
            "v",
            log_x=True,
            log_y=True,
        )
        for title, axis, group, x in (
            ("moons, by noise", "variance of the noise", by_noise.values(), [_noise(s) for s in by_noise.values()]),
            ("by batch size", "batch size", by_batch.values(), [float(s.case.batch) for s in by_batch.values()]),
        )
        if (noise := [_noise(s) for s in group])
    ]
    return [
        Picture("Nats lost against as many real samples, over the variance in units of the rule's.", panels),
        Picture("The best variance that was tried, and the rule's.", laws, columns=2),
    ]


def _label(case: _Case) -> str:
    return f"{case.data}, noise {case.noise:g}, batch {case.batch}"
