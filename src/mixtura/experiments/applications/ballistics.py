"""Inverse ballistics: all the shots that land at one point, whose speed is a whole number."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.datasets import ballistics, ballistics_prior, inverse_ballistics, rejection_posterior
from mixtura.estimators import MixtureDensityRegressor
from mixtura.experiments.applications.posteriors import posterior_errors
from mixtura.experiments.record import Cell, Options, Picture, Record, Scatter, Table
from mixtura.training import isolated_seed

__all__ = ["ShotModel", "learn_shots", "rarity", "shots"]

Array = NDArray[np.float64]

_ROWS, _OBSERVATIONS, _SAMPLES = 100_000, 1_000, 500
_QUICK = (3_000, 50, 100)
_LIGHT = 0.01
"""Components that weigh less are left out: they may lie anywhere."""
_PUBLISHED: list[list[Cell]] = [
    ["MDN, full covariance", "published", 0.0071, None, None, None],
    ["the same, speed rounded", "published", 0.0012, None, None, None],
]


@dataclass(frozen=True)
class ShotModel:
    """The posterior of a shot in two steps: the speed, then the rest given the speed."""

    speed: MixtureDensityRegressor
    """Of the speed given the landing, learnt from speeds with noise of ±½ that rounding takes away again."""
    rest: MixtureDensityRegressor
    """Of start and angle given the landing and the speed."""

    def sample(self, y: Array, n: int) -> Array:
        """Draw n shots for every landing, shape (rows, n, 4)."""
        speed = np.maximum(self.speed.sample(y, n).round(), 0)
        given = np.column_stack([np.repeat(y, n, 0), speed.ravel()])
        with isolated_seed(0):
            rest = self.rest.predict_dist(given).pruned(_LIGHT).sample().numpy()
        return np.concatenate([rest.reshape(len(y), n, 3), speed[..., None]], -1)


def shots(options: Options) -> Record:
    """Return how near the regressor's answers for the shot are to the exact posterior, with and without rounding."""
    n, observations, samples = _QUICK if options.quick else (_ROWS, _OBSERVATIONS, _SAMPLES)
    rng = np.random.default_rng(1_000)
    y = ballistics(ballistics_prior(observations, rng))
    draws = 10**6 if options.quick else 10**8
    exact = rejection_posterior(_prior, ballistics, y, 2 * samples, random_state=1, draws=draws)
    options.say(f"exact samples of {observations} posteriors; the fewest: {min(map(len, exact))} of {2 * samples}")
    halves = [e[::2] for e in exact], [e[1::2] for e in exact]
    rows: list[list[Cell]] = []

    def score(name: str, answers: list[Array], seconds: float | None = None) -> None:
        found = posterior_errors(answers, halves[0], ballistics, y)
        rows.append([name, "measured", found.posterior, found.standard_error, found.resimulation, seconds])
        options.say(f"{name}: Err_post {found.posterior:.2e}, Err_resim {found.resimulation:.2e}")

    best: list[float] = []
    drawn: Array = np.empty(0)
    settings: list[str] = []
    for seed in options.seeds:
        joint, steps = learn_shots(n, seed, quick=options.quick)
        answers = joint.sample(y, samples)
        score(f"mixtura, seed {seed}", list(answers))
        score(f"mixtura, speed rounded, seed {seed}", list(_rounded(answers)))
        start = time.perf_counter()
        answers = steps.sample(y, samples)
        score(f"mixtura, first the speed, seed {seed}", list(answers), time.perf_counter() - start)
        best.append(float(rows[-1][2] or 0))
        if not settings:
            drawn, settings = answers[0], [repr(joint), repr(steps.rest)]
    score("exact, another half of the samples", halves[1])
    score("prior", [_prior(samples, rng) for _ in y])
    plain, rounded = (float(np.mean([float(r[2] or 0) for r in rows[i : 3 * len(best) : 3]])) for i in (0, 1))
    return Record(
        "inverse-ballistics",
        "All the shots that land at one point",
        "A shot from a random start, at a random angle and with a speed that is a whole number, falls through air: "
        "which shot was it, given where it landed? The speed takes few values, so a density over it is wrong between "
        "them: rounding it mends most, and learning it first, then the rest given it, more. Rare "
        "landings weigh more in the training, which leaves every posterior what it is.",
        {
            "seeds": list(options.seeds),
            "simulations": n,
            "joint model": settings[0],
            "model of the rest": settings[1],
            "observations": observations,
            "samples per observation": samples,
            "quick": options.quick,
        },
        [
            f"Err_post {plain:.2e} as sampled, {rounded:.2e} with the speed rounded (published: .0071 and .0012), "
            f"{np.mean(best):.2e} where the speed comes first; the exact samples' own is {rows[-2][2]:.1e}.",
        ],
        [
            Table(
                "Errors of the answers",
                ("model", "where from", "Err_post", "standard error", "Err_resim", "seconds"),
                [*rows, *_PUBLISHED],
                "Err_post: unbiased MMD² with Σ_h 1/(1 + d²/h²), h = .05, .2, .9, against samples of the prior that "
                f"land within .01 m. Err_resim: mean squared distance of the landing in m². Seconds: for {samples} "
                f"answers to each of {observations} landings.",
            )
        ],
        [
            Picture(
                f"Angle (rad) across and speed (m/s) up of shots that land at {y[0, 0]:.1f} m: the mixture's (blue) "
                "over exact ones (grey); the speed is divided by ten.",
                [Scatter("first the speed", _angle_and_speed(drawn), _angle_and_speed(exact[0]))],
            )
        ],
    )


def learn_shots(n: int, seed: int = 0, quick: bool = False) -> tuple[MixtureDensityRegressor, ShotModel]:
    """Return what n simulations teach: one mixture of all four unknowns, and the model in two steps."""
    landing, shot = inverse_ballistics(n, random_state=seed)
    weight = rarity(landing[:, 0])
    dithered = shot + np.random.default_rng(seed).uniform(-0.5, 0.5, n)[:, None] * [0, 0, 0, 1]

    def learnt(
        X: Array, y: Array, components: int = 24, hidden: tuple[int, int] = (128, 128), epochs: int = 20
    ) -> MixtureDensityRegressor:
        return MixtureDensityRegressor(
            components,
            ensemble=1,
            roughness=0.25,
            hidden=hidden,
            dropout=0.0,
            epochs=2 if quick else epochs,
            batch_size=64 if quick else 256,
            validation_fraction=0.0,  # a few rows of a density this narrow would choose the epoch by chance
            random_state=seed,
        ).fit(X, y, weight)

    speed = learnt(landing, dithered[:, 3], 20, (64, 64), 30)
    rest = learnt(np.column_stack([landing, shot[:, 3]]), shot[:, :3])
    return learnt(landing, dithered), ShotModel(speed, rest)


def rarity(x: Array, bins: int = 200) -> Array:
    """Return weights of rows that grow with the square root of how rare x is, shape (n,), of mean one.

    A posterior p(θ|x) is the same however often each x is seen, so rare x may be learnt as well as common ones.

    Args:
        x: shape (n,).
        bins: of the histogram that says how rare.
    """
    counts, edges = np.histogram(x, bins)
    weight = counts[np.clip(np.digitize(x, edges) - 1, 0, bins - 1)] ** -0.5
    return weight / weight.mean()


def _rounded(answers: Array) -> Array:
    """Return the shots at the nearest whole speed."""
    return np.concatenate([answers[..., :3], answers[..., 3:].round()], -1)


def _angle_and_speed(x: Array) -> Array:
    return x[:, 2:] / [1, 10]


def _prior(n: int, rng: np.random.Generator) -> Array:
    return ballistics_prior(n, rng)
