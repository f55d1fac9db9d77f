"""Policies that learn: gradients against quadrature, what a Gaussian and a mixture become, and a quick run."""

import importlib
import json
import math

import pytest
import torch

from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.experiments import EXPERIMENTS, Curves, Options
from mixtura.experiments.applications.headings import context_grid, limits, reward, score
from tests.helpers import global_state

POLICIES = importlib.import_module("mixtura.experiments.applications.policies")
X = torch.tensor([[0.2, 0.8]]).double()


@pytest.mark.parametrize("objective", ["score_function", "pathwise"])
def test_policy_gradients_are_those_of_the_expected_reward_with_entropy(objective: str) -> None:
    """Of logits, means and log-scales, against automatic differentiation of a sum over a grid."""
    n, temperature = 20_000, 0.3
    values = torch.tensor([[0.3, -0.2], [-0.6, 0.9], [-0.7, -1.1]]).double()

    def policy(t: torch.Tensor) -> GaussianMixture:
        return GaussianMixture(t[..., 0, :], t[..., 1, :].unsqueeze(-1), Isotropic((2 * t[..., 2, :]).exp()))

    leaf = values.clone().requires_grad_()
    a = torch.linspace(-8, 8, 8001).double().unsqueeze(-1)
    log_p = policy(leaf).log_prob(a)
    gain = reward(X, a).squeeze(-1) - temperature * log_p
    (exact,) = torch.autograd.grad(-(log_p.exp() * gain).sum() * 16 / 8000, leaf)
    rows = values.expand(n, 3, 2).clone().requires_grad_()
    torch.manual_seed(0)
    loss = getattr(POLICIES, objective)(policy(rows), (X.expand(n, 2),), temperature)
    (each,) = torch.autograd.grad(n * loss, rows)
    error = each.std(0) / math.sqrt(n)
    assert bool(((each.mean(0) - exact).abs() < 4.5 * error).all())
    assert bool((error < 0.2 * exact.abs().max()).all())


@pytest.mark.parametrize("name", ["imitation", "reward-weighted regression"])
def test_one_gaussian_averages_by_likelihood_and_a_mixture_does_not(name: str) -> None:
    x, before = context_grid(5), global_state()
    scores = {}
    for actor, components in POLICIES._ACTORS.items():
        model = POLICIES.learn_policy(POLICIES.METHODS[name], components, 0, 4).double()
        with torch.no_grad():
            scores[actor] = score(model(x), x)
    theory = limits(x)
    assert scores["Gaussian"]["reward"] == pytest.approx(theory["averaged"], abs=0.03)
    assert 0.999 * theory["KL(π*|π)"] < scores["Gaussian"]["KL(π*|π)"] < theory["KL(π*|π)"] + 0.05
    assert scores["mixture"]["KL(π*|π)"] < 0.1
    assert scores["mixture"]["reward"] > 2 * theory["reward"]
    assert scores["mixture"]["rarer side"] > 0.4
    assert global_state() == before


def test_by_a_policy_gradient_one_gaussian_takes_one_side_and_loses_no_reward() -> None:
    x = context_grid(5)
    model = POLICIES.learn_policy(POLICIES.METHODS["soft policy gradient"], 1, 0, 4).double()
    with torch.no_grad():
        found = score(model(x), x)
    assert found["reward"] > 2 * limits(x)["reward"]
    assert found["rarer side"] < 0.01
    assert math.log(2) - 1e-6 < found["KL(π|π*)"] < math.log(2) + 0.1
    assert found["blocked"] == pytest.approx(0.5, abs=0.01)


def test_quick_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(POLICIES, "_ROWS", 1024)
    record = EXPERIMENTS["mixture-policies"](Options(seeds=(0, 1), quick=True, say=lambda line: None))
    json.dumps(record.to_json(), allow_nan=False)
    means, errors, theory = record.tables
    assert len(means.rows) == len(errors.rows) == 2 * len(POLICIES.METHODS)
    averaged = means.rows[1]
    assert averaged[:2] == ["imitation", "Gaussian"]
    assert f"reward {averaged[2]:.3f}" in record.findings[0]
    assert f"{theory.rows[2][1]:.3f} for the best Gaussian" in record.findings[0]
    panel = record.pictures[0].panels[0]
    assert isinstance(panel, Curves)
    width = panel.x[1] - panel.x[0]
    assert width * sum(panel.lines["π*"]) == pytest.approx(1, abs=1e-3)
