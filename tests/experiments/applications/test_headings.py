"""The bandit with two best headings: its best policy and its scores against scipy, and what one Gaussian can reach."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, optimize, stats

from mixtura.distributions import GaussianMixture, Isotropic
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

SIGMA = math.sqrt(TEMPERATURE / 2)
X = torch.tensor([[0.4, 0.9]]).double()


def gaussian(mean: float, scale: float, x: torch.Tensor = X) -> GaussianMixture:
    """Return one normal for each context, its mean relative to the goal."""
    loc = (x[:, :1] + mean).unsqueeze(-1)
    return GaussianMixture(torch.zeros(len(x), 1).double(), loc, Isotropic(scale**2))


def both_sides(x: torch.Tensor, share: float) -> GaussianMixture:
    loc = torch.stack([x[:, 0] - x[:, 1], x[:, 0] + x[:, 1]], 1).unsqueeze(-1)
    logits = torch.tensor([share, 1 - share]).double().log().expand(len(x), 2)
    return GaussianMixture(logits, loc, Isotropic(SIGMA**2))


@pytest.mark.parametrize("temperature", [0.02, 0.3, 2.0])
def test_the_best_policy_is_a_density_proportional_to_the_exponential_reward(temperature: float) -> None:
    def density(a: float) -> float:
        return math.exp(log_soft_optimal(X[0], torch.tensor(a, dtype=torch.float64), temperature).item())

    def boltzmann(a: float) -> float:
        return math.exp(reward(X[0], torch.tensor(a, dtype=torch.float64)).item() / temperature)

    total = integrate.quad(density, -12, 12, points=[-0.5, 0.4, 1.3], limit=500)[0]
    assert total == pytest.approx(1, abs=1e-8)
    assert density(1.2) / density(0.1) == pytest.approx(boltzmann(1.2) / boltzmann(0.1))
    assert reward(X[0], torch.tensor([-0.5, 1.3])).abs().max() < 1e-12


def test_demonstrations_are_drawn_from_the_best_policy() -> None:
    generator = torch.Generator().manual_seed(0)
    x = draw_contexts(4000, generator)
    assert bool((x[:, 0].abs() <= 1).all() & (x[:, 1] >= 0.6).all() & (x[:, 1] <= 1.2).all())
    offset = (demonstrate(x, generator) - x[:, 0]).double()
    z = (offset.abs() - x[:, 1]) / SIGMA
    assert stats.kstest(z.numpy(), "norm").pvalue > 1e-3
    assert abs((offset > 0).double().mean() - 0.5) < 4 * 0.5 / math.sqrt(4000)


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 0.9), (0.5, 0.3), (-0.85, 0.12)])
def test_scores_of_a_gaussian_against_closed_forms(mean: float, scale: float) -> None:
    found = score(gaussian(mean, scale), X)
    delta, p = X[0, 1].item(), stats.norm(mean, scale)
    folded = scale * math.sqrt(2 / math.pi) * math.exp(-(mean**2) / (2 * scale**2)) + mean * (
        1 - 2 * stats.norm.cdf(-mean / scale)
    )
    square = scale**2 + mean**2
    assert found["reward"] == pytest.approx(-(square - 2 * delta * folded + delta**2), abs=1e-4)
    left, right = (p.cdf(s * delta + 3 * SIGMA) - p.cdf(s * delta - 3 * SIGMA) for s in (1, -1))
    assert found["left"] == pytest.approx(left, abs=0.01)
    assert found["right"] == pytest.approx(right, abs=0.01)
    assert found["neither"] == pytest.approx(1 - found["left"] - found["right"])
    assert found["rarer side"] == pytest.approx(min(found["left"], found["right"]))
    assert found["best heading"] == pytest.approx(-((abs(mean) - delta) ** 2), abs=1e-3)
    passes = [1 - stats.binom.pmf(0, TRIES, s) for s in (found["left"], found["right"])]
    assert found["blocked"] == pytest.approx(np.mean(passes))
    cross = math.log(2 * SIGMA * math.sqrt(2 * math.pi)) - found["reward"] / TEMPERATURE
    assert found["KL(π|π*)"] == pytest.approx(cross - p.entropy(), abs=1e-4)
    own = -math.log(2) - 0.5 * math.log(2 * math.pi * math.e * SIGMA**2)
    forward = own + 0.5 * math.log(2 * math.pi * scale**2) + (delta**2 + SIGMA**2 + mean**2) / (2 * scale**2)
    assert found["KL(π*|π)"] == pytest.approx(forward, abs=1e-4)


def test_the_mixture_of_both_sides_is_the_best_policy() -> None:
    x = context_grid(4)
    even, uneven = score(both_sides(x, 0.5), x), score(both_sides(x, 0.2), x)
    assert even["KL(π|π*)"] == pytest.approx(0, abs=1e-6)
    assert even["KL(π*|π)"] == pytest.approx(0, abs=1e-6)
    assert even["reward"] == pytest.approx(limits(x)["reward"], abs=1e-6)
    assert uneven["reward"] == pytest.approx(even["reward"], abs=1e-6)  # a side is as good as the other
    assert uneven["KL(π|π*)"] == pytest.approx(math.log(2) - stats.entropy([0.2, 0.8]), abs=1e-5)
    assert uneven["rarer side"] == pytest.approx(0.2 * 0.9973, abs=0.002)


def test_no_gaussian_is_better_than_the_limits() -> None:
    theory = limits(X)
    for name in ("KL(π|π*)", "KL(π*|π)"):
        best = min(
            optimize.minimize(
                lambda t, name=name: score(gaussian(t[0], math.exp(t[1])), X)[name], start, method="Nelder-Mead"
            ).fun
            for start in ([0.1, -0.5], [0.8, -2.0])
        )
        assert best == pytest.approx(theory[name], abs=1e-4)
    widest = score(gaussian(0.0, math.hypot(0.9, SIGMA)), X)
    assert widest["reward"] == pytest.approx(theory["averaged"], abs=1e-4)
