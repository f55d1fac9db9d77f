"""Losses of networks side by side against their formulas, one network at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mixtura.costs import conditional
from mixtura.distributions import Diagonal, GaussianMixture
from mixtura.nn import MDN
from mixtura.training import Folds, RegressionPlan, fit_networks
from mixtura.training.regression import _Conditional, _Likelihood
from tests.helpers import assert_close

PLAN = RegressionPlan(
    loss="likelihood",
    epochs=10,
    batch_size=20,
    learning_rate=1e-2,
    weight_decay=1e-2,
    patience=None,
    input_noise=0.0,
    target_noise=0.0,
    weight_prior=0.0,
)
E, B = 3, 6


class Constant(nn.Module):
    """Networks that answer the same to everything, and remember what they were asked."""

    def __init__(self, mixture: Any) -> None:
        super().__init__()
        self.mixture, self.seen = mixture, torch.zeros(0)

    def forward(self, x: Tensor) -> Any:
        self.seen = x
        return self.mixture


def example() -> tuple[MDN, list[Tensor]]:
    torch.manual_seed(0)
    mdn = MDN(2, 2, 3, (8,), members=E).double()
    batch = [torch.randn(E, B, 2), torch.randn(E, B, 2), torch.rand(E, B)]
    return mdn, [t.double() for t in batch]


def alone(mdn: MDN, e: int) -> MDN:
    single = MDN(2, 2, 3, (8,)).double()
    single.load_state_dict({k: v[e] for k, v in mdn.state_dict().items()})
    return single


@pytest.mark.parametrize("training", [False, True])
def test_likelihood_is_a_weighted_mean_for_each_network(training: bool) -> None:
    mdn, (x, y, weight) = example()
    value = _Likelihood(PLAN)(mdn.train(training), (x, y, weight))
    for e in range(E):
        log_prob = alone(mdn, e)(x[e]).log_prob(y[e])
        assert_close(value[e], -(weight[e] * log_prob).sum() / B, 1e-12, 1)


def test_conditional_loss_is_the_cost_of_each_network_at_the_variance_of_the_moment() -> None:
    mdn, (x, y, weight) = example()
    loss = _Conditional(replace(PLAN, loss="conditional"))
    assert loss.before_step is not None
    # Half of the way down in logs is at half of the share .8 of the training; the end, and judging, is at 1e-3.
    for done, training, variance in (
        (0.0, True, 0.3),
        (0.4, True, (0.3e-3) ** 0.5),
        (0.9, True, 1e-3),
        (0.0, False, 1e-3),
    ):
        loss.before_step(done)
        value = loss(mdn.train(training), (x, y, weight))
        for e in range(E):
            p = GaussianMixture.from_samples(y[e].unsqueeze(-2), variance)
            expected = conditional(p, alone(mdn, e)(x[e]), weight=weight[e]).loss
            assert_close(value[e], expected, 1e-9, 1)


def test_noise_on_targets_adds_its_variance_in_training_only() -> None:
    """Of a Gaussian of deviation s, noise of deviation σ costs σ² / 2 s² on average."""
    g = torch.Generator().manual_seed(0)
    y = torch.randn(1, 40_000, 1, generator=g, dtype=torch.float64)
    model = Constant(GaussianMixture(torch.zeros(1), torch.zeros(1, 1), Diagonal(torch.tensor([0.25]))))
    x, weight = torch.zeros(1, 40_000, 1), torch.ones(1, 40_000)
    torch.manual_seed(1)
    noisy, quiet = (_Likelihood(replace(PLAN, target_noise=s)) for s in (0.3, 0.0))
    before = quiet(model, (x, y, weight))
    risen = noisy(model, (x, y, weight)) - before
    # (2 y ε + ε²) / 2 s² has deviation (4 σ² + 2 σ⁴)^½ / 2 s² at E y² = 1
    error = (4 * 0.09 + 2 * 0.0081) ** 0.5 / 0.5 / 200
    assert float(risen) == pytest.approx(0.09 / 0.5, abs=4 * error)
    assert not torch.equal(noisy(model, (x, y, weight)), noisy(model, (x, y, weight)))  # fresh at every step
    assert torch.equal(noisy(model.eval(), (x, y, weight)), before)


def test_noise_on_inputs_has_its_deviation_in_training_only() -> None:
    model = Constant(GaussianMixture(torch.zeros(1), torch.zeros(1, 1), Diagonal(torch.ones(1))))
    x, y, weight = torch.full((2, 20_000, 3), 5.0), torch.zeros(2, 20_000, 1), torch.ones(2, 20_000)
    torch.manual_seed(0)
    noisy = _Likelihood(replace(PLAN, input_noise=0.2))
    noisy(model, (x, y, weight))
    moved = model.seen - x
    assert float(moved.std()) == pytest.approx(0.2, rel=0.02)
    assert float(moved.mean()) == pytest.approx(0, abs=0.005)
    noisy(model.eval(), (x, y, weight))
    assert torch.equal(model.seen, x)


def test_prior_adds_log_weights_in_training_only() -> None:
    mdn, (x, y, weight) = example()
    with_prior, without = (_Likelihood(replace(PLAN, weight_prior=s)) for s in (0.7, 0.0))
    batch = (x, y, weight)
    difference = with_prior(mdn, batch) - without(mdn, batch)
    for e in range(E):
        log_w = alone(mdn, e)(x[e]).log_weights
        assert_close(difference[e], -0.7 * (weight[e] * log_w.sum(-1)).mean(), 1e-9)
    mdn.eval()
    assert torch.equal(with_prior(mdn, batch), without(mdn, batch))


def test_epochs_and_batches_grow_and_shrink_with_the_rows() -> None:
    assert [RegressionPlan.epochs_for(n) for n in (2, 10_000, 10**8)] == [400, 110, 20]
    assert [RegressionPlan.batch_for(n) for n in (2, 10_000, 10**9)] == [16, 300, 4096]
    assert [RegressionPlan.held_for(n) for n in (2, 4_000, 40_000, 10**6)] == [0.1, 0.1, 0.01, 0.005]


@pytest.mark.parametrize("loss", ["likelihood", "conditional"])
def test_networks_learn_their_own_rows(loss: Any) -> None:
    """One network sees only rows with y = x, the other only rows with y = -x."""
    g = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(400, 1, generator=g) - 1
    sign = torch.where(torch.arange(400) < 200, 1.0, -1.0).unsqueeze(-1)
    y = sign * x + 0.05 * torch.randn(400, 1, generator=g)
    folds = Folds(torch.arange(400).reshape(2, 200)[:, :180].contiguous(), torch.arange(400).reshape(2, 200)[:, 180:])
    torch.manual_seed(0)
    mdn = MDN(1, 1, 1, (16,), members=2)
    fit_networks(mdn, (x, y, torch.ones(400)), folds, replace(PLAN, loss=loss, epochs=25), seed=0)
    with torch.no_grad():
        mean = mdn(torch.tensor([[-0.5], [0.5]]).expand(2, 2, 1)).mean.squeeze(-1)
    assert_close(mean, [[-0.5, 0.5], [0.5, -0.5]], 0.1, 1)
