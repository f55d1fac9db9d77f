"""A mixture as a policy where two actions are equally good: when a Gaussian one averages, and when it forgets one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mixtura.distributions import GaussianMixture
from mixtura.experiments.applications.headings import (
    TEMPERATURE,
    TRIES,
    context_grid,
    demonstrate,
    draw_contexts,
    limits,
    log_soft_optimal,
    reward,
    score,
)
from mixtura.experiments.record import Cell, Curves, Options, Picture, Record, Table
from mixtura.nn import MDN
from mixtura.training import fit, isolated_seed

__all__ = ["METHODS", "Method", "learn_policy", "mixture_policies"]

_ROWS, _EPOCHS, _BATCH, _DRAWS = 8192, 20, 256, 8
_COMPONENTS, _MIN_SCALE = 4, 0.02
_START, _COOLED = 1.0, 0.6
"""First temperature, and the share of the training after which the last one is reached."""
_BEHAVIOUR = 2.0
"""Logged headings are uniform within so much of the goal, in radians."""
_SHOWN = torch.tensor([[0.3, 0.9]], dtype=torch.float64)
"""The context of the picture."""
_ACTORS = {"mixture": _COMPONENTS, "Gaussian": 1}
_MEASURES = {
    "reward": "reward",
    "best heading": "reward of the densest heading",
    "rarer side": "on the rarer side",
    "neither": "on neither",
    "blocked": "passes if blocked",
    "KL(π|π*)": "KL(π|π*)",
    "KL(π*|π)": "KL(π*|π)",
}

Objective = Callable[[GaussianMixture, Sequence[Tensor], float], Tensor]
"""The loss of the policy of a batch ``(contexts, headings, weights)`` at a temperature."""
Found = dict[tuple[str, str], list[dict[str, float]]]
"""Scores by method and actor, one for each seed."""


def likelihood(q: GaussianMixture, batch: Sequence[Tensor], temperature: float) -> Tensor:
    """Return ``-E w log π(a|x)`` of given headings, smallest at the nearest π by KL(w|π): it covers all of them."""
    return -(batch[2] * q.log_prob(batch[1].unsqueeze(-1))).mean()


def score_function(q: GaussianMixture, batch: Sequence[Tensor], temperature: float) -> Tensor:
    """Return a loss with the gradient of ``-E_π [r - T log π]`` by REINFORCE, other draws being the baseline."""
    a = q.sample((_DRAWS,))
    log_p = q.log_prob(a)
    gain = reward(batch[0], a.squeeze(-1)) - temperature * log_p.detach()
    return -((gain - gain.mean(0)) * log_p).mean() * _DRAWS / (_DRAWS - 1)


def pathwise(q: GaussianMixture, batch: Sequence[Tensor], temperature: float) -> Tensor:
    """Return ``-E_π [r - T log π]`` from reparametrised draws, whose gradients are implicit, the weights' too."""
    a = q.rsample((_DRAWS,))
    return -(reward(batch[0], a.squeeze(-1)) - temperature * q.log_prob(a)).mean()


@dataclass(frozen=True)
class Method:
    """How a policy is learnt."""

    objective: Objective
    start: float = TEMPERATURE
    """Temperature at the start."""
    end: float = TEMPERATURE
    """Temperature at the end."""
    demonstrations: bool = False
    """Whether headings are those of people who pass, instead of a uniform policy's."""


METHODS: Mapping[str, Method] = {
    "imitation": Method(likelihood, demonstrations=True),
    "reward-weighted regression": Method(likelihood),
    "soft policy gradient": Method(score_function, _START),
    "soft policy gradient, not cooled": Method(score_function),
    "soft policy gradient, rsample": Method(pathwise, _START),
    "soft policy gradient, rsample, not cooled": Method(pathwise),
    "policy gradient without entropy": Method(score_function, 0.0, 0.0),
}
"""By name. Cooled: from a temperature of 1."""


def mixture_policies(options: Options) -> Record:
    """Return what mixtures and Gaussians of the same network learn from a bandit with two best headings."""
    epochs = 1 if options.quick else _EPOCHS
    x = context_grid(6 if options.quick else 12)
    found: Found = {}
    shown: dict[tuple[str, str], GaussianMixture] = {}
    for seed in options.seeds:
        for name, method in METHODS.items():
            for actor, components in _ACTORS.items():
                model = learn_policy(method, components, seed, epochs).double()
                with torch.no_grad():
                    found.setdefault((name, actor), []).append(score(_policy(model, x), x))
                    shown.setdefault((name, actor), _policy(model, _SHOWN))
                options.say(f"seed {seed}, {name}, {actor}: reward {found[name, actor][-1]['reward']:.3f}")
    theory = limits(x)
    return Record(
        "mixture-policies",
        "Two ways round: a mixture as a policy",
        "The papers wish for mixtures in reinforcement learning. A goal lies ahead, an obstacle before it, and either "
        "way round is as good as the other. A policy of one Gaussian and one of several, on the same network, learn "
        "from demonstrations, from logged rewards, and by policy gradients. Which of them average the two ways, which "
        "forget one, and what does it cost?",
        {
            "seeds": list(options.seeds),
            "contexts": _ROWS,
            "network": repr(MDN(2, 1, _COMPONENTS, (32, 32), min_scale=_MIN_SCALE)),
            "components": f"{_COMPONENTS} or 1",
            "temperature": TEMPERATURE,
            "steps": epochs * math.ceil(_ROWS / _BATCH),
            "rows of a step": _BATCH,
            "headings of a policy gradient for each context": _DRAWS,
            "test contexts": len(x),
            "quick": options.quick,
        },
        _findings(found, theory),
        [*_tables(found), _limits_table(theory)],
        [
            Picture(
                "Densities of headings relative to the goal for one obstacle, from the first seed; π* is the policy "
                "of the largest reward plus temperature times entropy.",
                [_densities(name, shown) for name in ("reward-weighted regression", "soft policy gradient")],
                columns=2,
            )
        ],
    )


def learn_policy(method: Method, components: int, seed: int, epochs: int = _EPOCHS) -> MDN:
    """Return a network that maps contexts to mixtures of headings, learnt by a method."""
    generator = torch.Generator().manual_seed(seed)
    x = draw_contexts(_ROWS, generator)
    if method.demonstrations:
        a, weight = demonstrate(x, generator), torch.ones(_ROWS)
    else:
        a = x[:, 0] + _BEHAVIOUR * (2 * torch.rand(_ROWS, generator=generator) - 1)
        weight = (reward(x, a) / TEMPERATURE).exp()
    with isolated_seed(seed):
        model = MDN(2, 1, components, (32, 32), min_scale=_MIN_SCALE)
    temperature = method.start

    def cool(done: float) -> None:
        nonlocal temperature
        share = min(1.0, done / _COOLED)
        temperature = method.start ** (1 - share) * method.end**share if method.end else 0.0

    def loss(module: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        return method.objective(_policy(module, batch[0]), batch, temperature)

    data = x, a, weight / weight.mean()
    fit(
        model,
        loss,
        data,
        epochs=epochs,
        batch_size=_BATCH,
        learning_rate=5e-3,
        weight_decay=0.0,
        seed=seed,
        before_step=cool,
    )
    return model


def _policy(model: nn.Module, x: Tensor) -> GaussianMixture:
    policy = model(x)
    assert isinstance(policy, GaussianMixture)
    return policy


def _mean(found: Found, name: str, actor: str, measure: str) -> float:
    return float(np.mean([f[measure] for f in found[name, actor]]))


def _findings(found: Found, theory: Mapping[str, float]) -> list[str]:
    def of(name: str, measure: str) -> tuple[float, float]:
        mixture, gaussian = (_mean(found, name, actor, measure) for actor in _ACTORS)
        return mixture, gaussian

    said: list[str] = []
    for name in ("imitation", "reward-weighted regression"):
        (m, g), (own, other), (best, worst) = (of(name, k) for k in ("reward", "KL(π*|π)", "best heading"))
        said.append(
            f"{name.capitalize()}: the Gaussian {'averages' if g < 2 * m else 'does not average'}, reward {g:.3f} "
            f"against {m:.3f} of the mixture and {theory['reward']:.3f} of π*; its densest heading alone, {worst:.3f} "
            f"against {best:.3f}. KL(π*|π) is {other:.3f} against {own:.3f} nats, and "
            f"{theory['KL(π*|π)']:.3f} for the best Gaussian."
        )
    name = "soft policy gradient"
    (m, g), (own, other), (rare, rarer), (passes, stuck) = (
        of(name, k) for k in ("reward", "KL(π|π*)", "rarer side", "blocked")
    )
    verdict = "averages, too" if g < 2 * m else "takes one side" if rarer < 0.1 else "keeps both sides"
    said.append(
        f"{name.capitalize()}: the Gaussian {verdict}: reward {g:.3f} against {m:.3f}, {rarer:.0%} of its headings on "
        f"the rarer side against {rare:.0%}. KL(π|π*) is {other:.3f} against {own:.3f} nats, and log 2 = "
        f"{math.log(2):.3f} for the best Gaussian. Where one side is blocked, one of {TRIES} draws passes in "
        f"{stuck:.0%} against {passes:.0%} of cases."
    )
    others = [n for n in METHODS if METHODS[n].objective is not likelihood]
    shares = {n: [f["rarer side"] for f in found[n, "mixture"]] for n in others}
    rewards = [_mean(found, n, actor, "reward") for n in others for actor in _ACTORS]
    said.append(
        "Policy gradients may forget a side with a mixture, too. On the rarer side, of .5, stay "
        + ", ".join(f"{np.mean(s):.3f}{_plus_minus(s)} ({n})" for n, s in shares.items())
        + f". The reward does not show it: all of these policies have between {min(rewards):.4f} and "
        f"{max(rewards):.4f}."
    )
    return said


def _error(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1) / math.sqrt(len(values)))


def _plus_minus(values: Sequence[float]) -> str:
    return f" ± {_error(values):.3f}" if len(values) > 1 else ""


def _tables(found: Found) -> list[Table]:
    columns = ("method", "policy", *_MEASURES.values())
    seeds = len(next(iter(found.values())))

    def rows(of: Callable[[list[float]], float]) -> list[list[Cell]]:
        return [[*names, *(of([s[m] for s in scores]) for m in _MEASURES)] for names, scores in found.items()]

    means = Table(
        "What the policies are worth",
        columns,
        rows(lambda values: float(np.mean(values))),
        f"Means over {seeds} seeds, by quadrature over headings. Reward: minus the squared distance from the nearer of "
        "the best headings; 0 is the best. Rarer side: share of headings within 3 σ = .3 of the best one on the side "
        f"that gets fewer, neither: elsewhere. Passes if blocked: at least one of {TRIES} draws is near the best one "
        "of the side that is open. KL in nats; π* is the best policy at the temperature.",
    )
    if seeds == 1:
        return [means]
    return [means, Table("Standard errors over the seeds", columns, rows(_error))]


def _limits_table(theory: Mapping[str, float]) -> Table:
    return Table(
        "What theory says",
        ("what", "value"),
        [
            ["reward of π*", theory["reward"]],
            ["reward of the Gaussian with the moments of π*", theory["averaged"]],
            ["smallest KL(π*|π) of a Gaussian: that one", theory["KL(π*|π)"]],
            ["smallest KL(π|π*) of a Gaussian: one side", theory["KL(π|π*)"]],
        ],
        "In closed form, averaged over the test contexts.",
    )


def _densities(name: str, shown: Mapping[tuple[str, str], GaussianMixture]) -> Curves:
    offsets = torch.linspace(-1.8, 1.8, 145, dtype=torch.float64)
    a = (_SHOWN[:, 0] + offsets).unsqueeze(-1)
    lines = {"π*": log_soft_optimal(_SHOWN, a).squeeze(-1).exp().tolist()}
    for actor in _ACTORS:
        lines[actor] = shown[name, actor].log_prob(a.unsqueeze(-1)).squeeze(-1).exp().tolist()
    return Curves(name, offsets.tolist(), lines, "heading relative to the goal, radians", "density")
