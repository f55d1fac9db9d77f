"""Training of autoencoders: what each cost is, what it learns, and what does not collapse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import make_moons
from torch import Tensor, nn

from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.hilbert import effective_rank
from mixtura.nn import EncoderMixtureDecoder
from mixtura.training import (
    Annealing,
    AutoencoderPlan,
    BoundTracker,
    code_bound,
    coding,
    fit,
    fit_autoencoder,
    isolated_seed,
    plan_autoencoder,
)
from tests.helpers import assert_close, global_state

V = 0.3


def moons(n: int = 400, seed: int = 0) -> Tensor:
    return torch.as_tensor(make_moons(n, noise=0.1, random_state=seed)[0], dtype=torch.float32)


def network(centers: int = 10, seed: int = 0, **kwargs: Any) -> EncoderMixtureDecoder:
    with isolated_seed(seed):
        return EncoderMixtureDecoder(2, centers=centers, **{"hidden": (64, 64), **kwargs})


def answers(K: int = 3, B: int = 6) -> tuple[Tensor, GaussianMixture]:
    g = torch.Generator().manual_seed(0)
    x, loc = (torch.randn(*s, generator=g, dtype=torch.float64) for s in ((B, 2), (B, K, 2)))
    return x, GaussianMixture(torch.randn(B, K, generator=g, dtype=torch.float64), loc, Isotropic(V))


def phi(a: np.ndarray, b: np.ndarray, variance: float) -> np.ndarray:
    return np.exp(-((a - b) ** 2).sum(-1) / (2 * variance)) / (2 * math.pi * variance)


def test_every_cost_is_what_it_says() -> None:
    x, q = answers()
    X, w, d = x.numpy(), q.log_weights.exp().numpy(), q.loc.numpy()
    pq = (w * phi(X[:, None], d, 2 * V)).sum(-1).mean()
    qq = (w[:, :, None] * w[:, None] * phi(d[:, :, None], d[:, None], 2 * V)).sum((1, 2)).mean()
    cross = np.sqrt(w[None] / 6 / 6) * phi(X[:, None, None], d[None], 2 * V)
    nuclear = np.linalg.svd(cross.reshape(6, -1), compute_uv=False).sum()
    scale = 1 / (4 * math.pi * V)  # trace of either operator
    truths: dict[Any, float] = {
        "conditional": -math.log(pq**2 / qq),
        "likelihood": -np.log((w * phi(X[:, None], d, V)).sum(-1)).mean(),
        "squared_error": (w * ((X[:, None] - d) ** 2).sum(-1)).sum(-1).mean(),
        "nuclear_norm": math.log(scale / nuclear),
    }
    for name, truth in truths.items():
        assert_close(coding._COSTS[name](x, q), truth, 1e-9, 1)


def test_trace_pairs_each_row_with_a_center_drawn_by_its_weight() -> None:
    x, q = answers(K=1)
    one = math.log(1 / (4 * math.pi * V) / phi(x.numpy(), q.loc[:, 0].numpy(), 2 * V).mean())
    assert_close(coding._COSTS["trace"](x, q), one, 1e-9, 1)
    x, q = answers()
    with isolated_seed(0):
        draws = torch.stack([(-coding._COSTS["trace"](x, q)).exp() for _ in range(400)])
    each = q.log_weights.exp().numpy() * phi(x.numpy()[:, None], q.loc.numpy(), 2 * V)
    expected = each.sum(-1).mean() * 4 * math.pi * V
    assert abs(draws.mean() - expected) < 4 * draws.std() / 400**0.5


def test_a_pair_estimates_the_numerator_without_bias() -> None:
    """Rows and their noisy codes against the whole p(X|Y) at independent noisy codes: one expectation."""
    x, model = moons(50), network(4).eval()
    with torch.no_grad(), isolated_seed(0):
        y = model.encode(x).repeat(400, 1)
        q = model.decode(model.add_noise(y))
        X = x.repeat(400, 1)
        pairs = (q.log_weights.exp() * (-(X.unsqueeze(1) - q.loc).square().sum(-1) / (4 * V)).exp()).sum(-1).double()
        draws = model.add_noise(y)
        q = model.decode(draws)
        alpha = torch.softmax(-(draws - y[:50].T).square() / (2 * model.code_variance), -1)
        kernel = (-(q.loc.unsqueeze(2) - x).square().sum(-1) / (4 * V)).exp()
        whole = torch.einsum("jn,jkn,jk->j", alpha, kernel, q.log_weights.exp()).double()
    error = ((pairs.var() + whole.var()) / len(X)).sqrt()
    assert error < 0.01 * whole.mean()
    assert abs(pairs.mean() - whole.mean()) < 4 * error


def test_the_last_variance_gives_a_batch_a_fifth_of_its_rank() -> None:
    x = moons()
    plan = plan_autoencoder(x)
    assert plan.batch_size == 256
    assert plan.annealing.start == pytest.approx(float(x.double().var(0).sum()))
    p = GaussianMixture.from_samples(x[:256].double(), plan.annealing.target)
    assert effective_rank(p).item() / 256 == pytest.approx(0.2, abs=0.01)
    assert plan_autoencoder(x, variance=0.1, anneal=False).annealing(0.0) == 0.1
    assert plan_autoencoder(x[:100]).batch_size == 100


def test_more_centers_come_nearer_to_what_a_code_stands_for() -> None:
    """And the value never exceeds the bound, from the first look to the last."""
    x = moons()
    plan = plan_autoencoder(x, variance=0.02)
    ratios = []
    for centers in (1, 8):
        model, tracker = network(centers), BoundTracker(x, 0.02, draws=100)
        fit_autoencoder(model, x, plan, steps=300, tracker=tracker)
        looks = [entry.ratio for entry in tracker.history]
        assert 5 <= len(looks) <= 10
        assert tracker.history[-1].epoch == 150
        assert tracker(model, 0).log_value == tracker.history[-2].log_value  # the model is the one last looked at
        assert max(looks) <= 1
        assert looks[-1] > looks[0]
        assert model.variance == pytest.approx(0.02)
        assert not model.training
        ratios.append(looks[-1])
    assert ratios[0] < 0.85
    assert ratios[1] > 0.92


def test_centers_of_images_part_before_one_has_all_the_weight() -> None:
    """One of eight bars is bright, and the code is mostly noise: many answers, of like weights, beat one."""
    g = torch.Generator().manual_seed(0)
    x = 0.1 * torch.rand(400, 8, 8, generator=g)
    x[torch.arange(400), torch.randint(0, 8, (400,), generator=g)] += 0.8
    x = x.flatten(1)
    plan = plan_autoencoder(x)
    ratios, effective = [], 0.0
    for centers in (1, 8):
        with isolated_seed(0):
            model = EncoderMixtureDecoder((1, 8, 8), centers=centers, hidden=(32, 16), code_variance=4.0)
        fit_autoencoder(model, x, plan, steps=60, learning_rate=1e-2)
        ratios.append(float((-code_bound(model, x, plan.annealing.target).gap).exp()))
        with torch.no_grad():
            w = model(x).log_weights
        effective = float((-(w.exp() * w).sum(-1)).exp().mean())
    assert ratios[1] > ratios[0] + 0.05
    assert effective > 3


def spread(model: EncoderMixtureDecoder, x: Tensor) -> float:
    """Variance of the answers to one code, by their weights."""
    with torch.no_grad():
        q = model.eval()(x)
    w = q.log_weights.exp().unsqueeze(-1)
    return float((w * (q.loc - (w * q.loc).sum(1, keepdim=True)).square()).sum((1, 2)).mean())


def numerator(model: nn.Module, batch: Any) -> Tensor:
    """E <p, q> alone, which nothing keeps from putting all weight on the densest answer."""
    q = model(batch[0])
    logs = q.log_weights - (batch[0].unsqueeze(1) - q.loc).square().sum(-1) / (4 * 0.1)
    return -torch.logsumexp(logs.flatten(), 0)


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 20))])
def test_answers_stay_many_and_without_the_norm_become_one(seed: int) -> None:
    x = moons()
    plan = AutoencoderPlan("conditional", 256, Annealing(0.1, 0.1))
    kept, lost = network(seed=seed, code_variance=1.0), network(seed=seed, code_variance=1.0)
    fit_autoencoder(kept, x, plan, steps=160, seed=seed)
    rate: dict[str, Any] = {"learning_rate": 5e-3, "weight_decay": 0.0, "average_decay": 0.99}
    fit(lost, numerator, [x], epochs=80, batch_size=256, seed=seed, **rate)
    assert spread(kept, x) > 0.1
    assert spread(lost, x) < 0.1 * spread(kept, x)


@pytest.mark.parametrize("cost", ["trace", "nuclear_norm", "likelihood", "squared_error"])
def test_other_costs_train_the_same_network(cost: Any) -> None:
    model, x = network(3), moons()
    history = fit_autoencoder(model, x, plan_autoencoder(x, cost, variance=0.1, batch_size=64, anneal=False), steps=60)
    assert history.loss[-1] < history.loss[0] - 0.05


def test_classes_carry_what_a_code_then_need_not() -> None:
    """Two classes that differ by 6 along one axis: given them, the code is about the other axis."""
    g = torch.Generator().manual_seed(0)
    labels = torch.arange(400) % 2
    x = torch.randn(400, 2, generator=g) + torch.stack([6.0 * labels, 0.0 * labels], -1)
    model = network(3, classes=2)
    fit_autoencoder(model, x, plan_autoencoder(x, variance=0.3), labels=labels, steps=200)
    with torch.no_grad():
        code = model.encode(x, labels)
        right = (model.decode(code, labels).mean[:, 0] > 3) == (labels == 1)
        other = (model.decode(code, 1 - labels).mean[:, 0] > 3) == (labels == 0)
    assert right.float().mean() > 0.97
    assert other.float().mean() > 0.97
    assert code_bound(model, x, 0.3, labels).gap < 0.2


def test_same_seed_same_network_whoever_watches() -> None:
    x, plan = moons(100), plan_autoencoder(moons(100), batch_size=50)
    state = global_state()
    one, two = network(3, noise_features=1), network(3, noise_features=1)
    fit_autoencoder(one, x, plan, steps=8, seed=3)
    fit_autoencoder(two, x, plan, steps=8, seed=3, tracker=BoundTracker(x, 0.1))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert global_state() == state


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"cost": "svd"}, "cost must be one of conditional, trace"),
        ({"variance": -1.0}, "variance must be 'auto' or positive"),
        ({"batch_size": 1}, "batch_size must be > 1"),
        ({"x": torch.randn(3, 2)}, "at least 4 rows"),
        ({"x": torch.ones(9, 2)}, "two different rows"),
    ],
)
def test_wrong_plans_are_refused(change: dict[str, Any], word: str) -> None:
    settings: dict[str, Any] = {"x": moons(50)} | change
    with pytest.raises(ValueError, match=word):
        plan_autoencoder(**settings)


def test_wrong_runs_are_refused() -> None:
    x = moons(50)
    plan = plan_autoencoder(x)
    with pytest.raises(ValueError, match="steps and learning_rate must be positive"):
        fit_autoencoder(network(), x, plan, steps=0)
    with pytest.raises(ValueError, match="no labels were given"):
        fit_autoencoder(network(classes=2), x, plan, steps=1)
