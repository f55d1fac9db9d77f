"""Inverse kinematics: all the arms whose tip is at one point, each with its density."""

from __future__ import annotations

import time

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura.datasets import arm_joints, arm_prior, inverse_kinematics, rejection_posterior, robot_arm
from mixtura.estimators import MixtureDensityRegressor
from mixtura.experiments.applications.posteriors import posterior_errors, sampling_seconds
from mixtura.experiments.record import Cell, Options, Paths, Picture, Record, Table
from mixtura.training import isolated_seed

__all__ = ["arm_paths", "kinematics", "learn_arm"]

Array = NDArray[np.float64]

_ROWS, _OBSERVATIONS, _SAMPLES = 1_000_000, 1_000, 500
_QUICK = (3_000, 50, 100)
_LIGHT = 0.01
"""Components that weigh less hold few answers and most of the error of re-simulation."""
_TARGET = np.array([1.5, 0.5])
"""The point of the picture, which straight arms and bent ones reach."""
_PUBLISHED: list[list[Cell]] = [
    ["MDN, 16 components, full covariance", "published", 0.0031, None, 6.7e-4, 0.07],
    ["flow matching", "published", 0.0016, None, None, 414.0],
    ["diffusion", "published", 0.0018, None, None, 600.0],
]


def kinematics(options: Options) -> Record:
    """Return how near the regressor's answers for the robot arm are to the exact posterior, and to the target."""
    n, observations, samples = _QUICK if options.quick else (_ROWS, _OBSERVATIONS, _SAMPLES)
    rng = np.random.default_rng(1_000)
    y = robot_arm(arm_prior(observations, random_state=rng))
    draws = 10**6 if options.quick else 10**8
    exact = rejection_posterior(_prior, robot_arm, y, 2 * samples, random_state=1, draws=draws)
    options.say(f"exact samples of {observations} posteriors; the fewest: {min(map(len, exact))} of {2 * samples}")
    halves = [e[::2] for e in exact], [e[1::2] for e in exact]
    rows: list[list[Cell]] = []
    pruned: list[list[Cell]] = []
    models: list[MixtureDensityRegressor] = []
    for seed in options.seeds:
        start = time.perf_counter()
        models.append(learn_arm(n, seed, quick=options.quick))
        seconds = time.perf_counter() - start
        found = posterior_errors(list(models[-1].sample(y, samples)), halves[0], robot_arm, y)
        clock = sampling_seconds(models[-1], y, 1_000)
        rows.append(
            [f"mixtura, seed {seed}", "measured", found.posterior, found.standard_error, found.resimulation, clock]
        )
        with isolated_seed(seed):
            kept = models[-1].predict_dist(y).pruned(_LIGHT).sample((samples,)).movedim(0, 1).numpy()
        cut = posterior_errors(list(kept), halves[0], robot_arm, y)
        pruned.append(
            [
                f"without light components, seed {seed}",
                "measured",
                cut.posterior,
                cut.standard_error,
                cut.resimulation,
                clock,
            ]
        )
        options.say(
            f"seed {seed}: Err_post {found.posterior:.2e}, Err_resim {found.resimulation:.2e}, fit {seconds:.0f} s"
        )
    for name, answers in (
        ("exact, another half of the samples", halves[1]),
        ("prior", [_prior(samples, rng) for _ in y]),
    ):
        found = posterior_errors(answers, halves[0], robot_arm, y)
        rows.append([name, "measured", found.posterior, found.standard_error, found.resimulation, None])
    average = np.square(robot_arm(models[0].predict(y)) - y).sum(-1).mean()
    rows.append(["the average arm", "measured", None, None, float(average), None])
    post, resim, clock = (float(np.mean([float(r[i] or 0) for r in rows[: len(models)]])) for i in (2, 4, 5))
    post_cut, resim_cut = (float(np.mean([float(r[i] or 0) for r in pruned])) for i in (2, 4))
    return Record(
        "inverse-kinematics",
        "All the arms that reach one point",
        "An arm of three links on a sliding base has four joints and a tip in the plane: which joints put the tip at a "
        "given point? Infinitely many do. A mixture with full covariance learns all of them from simulations. Its "
        "answers are compared with exact ones (the error of the posterior), and simulated again (the error of "
        "re-simulation). The angles add up from joint to joint, as in Kruse, Ardizzone, Rother & Köthe 2021.",
        {
            "seeds": list(options.seeds),
            "simulations": n,
            "model": repr(models[0]),
            "observations": observations,
            "samples per observation": samples,
            "quick": options.quick,
        },
        [
            f"Err_post {post:.2e} against .0031 of the published mixture density network, .0016 of flow matching and "
            f".0018 of diffusion; the exact samples' own is {rows[len(models)][2]:.1e}.",
            f"Err_resim {resim:.2e} against 6.7e-4; without components that weigh less than {_LIGHT:g} it is "
            f"{resim_cut:.2e}, and Err_post {post_cut:.2e}; the average arm, which a regression would give, has "
            f"{average:.1e}.",
            f"A thousand answers for each of {observations} points take {clock:.2f} s.",
        ],
        [
            Table(
                "Errors of the answers",
                ("model", "where from", "Err_post", "standard error", "Err_resim", "seconds"),
                [*rows, *pruned, *_PUBLISHED],
                "Err_post: unbiased MMD² with Σ_h 1/(1 + d²/h²), h = .05, .2, .9, against samples of the prior whose "
                f"tip is within .01, mean over {found.observations} points. Err_resim: mean squared distance of the "
                "tip. Seconds: for 1,000 answers to each point, on the machine of each.",
            )
        ],
        [_picture(models[0])],
    )


def learn_arm(n: int, seed: int = 0, quick: bool = False) -> MixtureDensityRegressor:
    """Return the regressor that has learnt joints given the tip from n simulations."""
    tips, joints = inverse_kinematics(n, random_state=seed)
    return MixtureDensityRegressor(
        components=40,
        ensemble=1,
        roughness=0.5,
        hidden=(64, 64, 64),
        dropout=0.0,
        weight_decay=0.0,
        epochs=10 if quick else 30,
        batch_size=128 if quick else 1024,
        learning_rate=4e-3,
        validation_fraction=0.01,
        random_state=seed,
    ).fit(tips, joints)


def arm_paths(model: MixtureDensityRegressor, target: Array, n: int = 60) -> tuple[Array, Array]:
    """Return n arms that the model draws for a target, shape (n, 4 corners, 2), and the log-density of each."""
    joints = model.sample(target[None], n)[0]
    with torch.no_grad():
        density = model.predict_dist(np.repeat(target[None], n, 0)).log_prob(torch.as_tensor(joints)).numpy()
    return arm_joints(joints), density


def _picture(model: MixtureDensityRegressor) -> Picture:
    paths, density = arm_paths(model, _TARGET)
    average = arm_joints(model.predict(_TARGET[None]))
    corners = np.concatenate([paths, average]).reshape(-1, 2)
    frame = np.stack([corners.min(0) - 0.1, corners.max(0) + 0.1])
    rank = density.argsort().argsort()
    return Picture(
        "Left: answers for the cross, the darker the denser. Right: their average, which misses it.",
        [Paths("What the mixture says", paths, _TARGET, frame, rank), Paths("The average", average, _TARGET, frame)],
        columns=2,
    )


def _prior(n: int, rng: np.random.Generator) -> Array:
    return arm_prior(n, random_state=rng)
