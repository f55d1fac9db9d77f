"""Simulation-based inference: the regressor as the posterior of a simulator, for every observation at once."""

from __future__ import annotations

import time

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura.datasets import inverse_two_moons, two_moons_log_prob, two_moons_posterior
from mixtura.estimators import MixtureDensityRegressor
from mixtura.experiments.record import Cell, Options, Picture, Record, Scatter, Table
from mixtura.metrics import TwoSampleTest, classifier_two_sample_test

__all__ = ["learn_moons", "perfect_accuracy", "simulation_based_inference"]

Array = NDArray[np.float64]

_ROWS, _OBSERVATIONS, _SAMPLES = 10_000, 10, 10_000
_QUICK = (500, 1, 100)


def simulation_based_inference(options: Options) -> Record:
    """Return how well a classifier tells the regressor's samples of the posterior of two moons from exact ones."""
    n, observations, samples = _QUICK if options.quick else (_ROWS, _OBSERVATIONS, _SAMPLES)
    x, _ = inverse_two_moons(observations, random_state=1_000)
    exact = [two_moons_posterior(o, 2 * samples, random_state=i) for i, o in enumerate(x)]
    rows: list[list[Cell]] = []
    panels: list[Scatter] = []
    models: list[MixtureDensityRegressor] = []
    for seed in options.seeds:
        start = time.perf_counter()
        models.append(learn_moons(n, seed, quick=options.quick))
        seconds = time.perf_counter() - start
        answers = models[-1].sample(x, samples)
        tests = [_test(a, e[:samples], seed) for a, e in zip(answers, exact, strict=True)]
        perfect = [
            perfect_accuracy(two_moons_log_prob(o, e), models[-1].log_prob(np.repeat(o[None], len(e), 0), e))
            for o, e in zip(x, exact, strict=True)
        ]
        rows.append(_row(f"mixtura, seed {seed}", tests, float(np.mean(perfect)), seconds))
        options.say(f"seed {seed}: C2ST {rows[-1][1]:.3f}, fit {seconds:.0f} s")
        if not panels:
            panels = [
                Scatter(f"observation {i + 1}: C2ST {tests[i].accuracy:.2f}", answers[i][:1_000], exact[i][:1_000])
                for i in range(min(3, observations))
            ]
    floor = [_test(e[samples:], e[:samples], 0) for e in exact]
    rows.append(_row("exact, another half of the samples", floor, 0.5, None))
    mean, perfect = (float(np.mean([float(r[i] or 0) for r in rows[:-1]])) for i in (1, 4))
    return Record(
        "simulation-based-inference",
        "The posterior of a simulator, learnt once",
        "Two moons: parameters in a square, one noisy observation in the plane, and two thin crescents of parameters "
        "that explain it. A mixture with full covariance learns the posterior of every observation from pairs of "
        "parameters and simulations; a classifier is asked to tell its samples from exact ones.",
        {
            "seeds": list(options.seeds),
            "simulations": n,
            "model": repr(models[0]),
            "observations": observations,
            "samples per observation": samples,
            "quick": options.quick,
        },
        [
            f"C2ST {mean:.3f} over {observations} observations, where .5 is exact and 1 is wrong; exact samples "
            f"against exact samples have {rows[-1][1]:.3f}.",
            f"The best of all classifiers, which knows both densities, would have {perfect:.3f}.",
        ],
        [
            Table(
                "How well a classifier tells samples from exact ones",
                ("samples", "mean C2ST", "smallest", "largest", "of a perfect classifier", "seconds to fit"),
                rows,
                f"C2ST: accuracy by five-fold cross-validation of a perceptron, {samples} samples of either kind. A "
                "perfect classifier has ½ + ½ TV of the two densities.",
            )
        ],
        [Picture("Samples of the mixture (blue) over exact ones (grey).", panels)],
    )


def learn_moons(n: int, seed: int = 0, quick: bool = False) -> MixtureDensityRegressor:
    """Return the regressor that has learnt parameters given the observation from n simulations."""
    x, theta = inverse_two_moons(n, random_state=seed)
    return MixtureDensityRegressor(
        components=24,
        ensemble=5,
        roughness=0.5,
        hidden=(64, 64),
        dropout=0.0,
        epochs=2 if quick else 90,
        batch_size=100,
        random_state=seed,
    ).fit(x, theta)


def perfect_accuracy(log_p: Array, log_q: Array) -> float:
    """Return ``½ + ½ TV(p, q)``, which no classifier exceeds, by ``TV = E_p max(0, 1 - q/p)`` over samples of p.

    Args:
        log_p: log-densities of p at its samples, shape (n,).
        log_q: those of q at the same points, shape (n,).
    """
    return float(0.5 + 0.5 * np.maximum(0, -np.expm1(log_q - log_p)).mean())


def _test(a: Array, b: Array, seed: int) -> TwoSampleTest:
    return classifier_two_sample_test(torch.as_tensor(b), torch.as_tensor(a), seed)


def _row(name: str, tests: list[TwoSampleTest], perfect: float, seconds: float | None) -> list[Cell]:
    accuracy = [t.accuracy for t in tests]
    return [name, float(np.mean(accuracy)), min(accuracy), max(accuracy), perfect, seconds]
