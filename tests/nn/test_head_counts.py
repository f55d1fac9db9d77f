"""Members of one head with different numbers of components, against heads of their own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mixtura.distributions import GaussianMixture
from mixtura.nn import MDN, MixtureHead
from mixtura.training import RegressionLoss, RegressionPlan
from mixtura.training.regression import _Conditional, _Likelihood
from tests.helpers import assert_close

COUNTS = (2, 1, 4)
KINDS = [
    ("isotropic", "gaussian"),
    ("diagonal", "gaussian"),
    ("low_rank", "gaussian"),
    ("full", "gaussian"),
    ("full", "laplace"),
    ("full", "cauchy"),
    ("full", "vonmises"),
]


def _alone(head: MixtureHead, e: int, **settings: Any) -> MixtureHead:
    """Return a head of one network with the parameters that member e uses."""
    k = COUNTS[e]
    kinds: dict[str, Any] = {"covariance": head.covariance, "family": head.family}
    alone = MixtureHead(3, head.out_features, k, min_scale=head.min_scale.tolist(), **kinds, **settings).double()
    blocks = zip(
        head.linear.weight[e].split(head._sizes),
        head.linear.bias[e].split(head._sizes),
        alone.linear.weight.split(alone._sizes),
        alone.linear.bias.split(alone._sizes),
        strict=True,
    )
    with torch.no_grad():
        for weight, bias, own_weight, own_bias in blocks:
            own_weight.copy_(weight[: len(own_weight)])  # the components of a block lie one behind the other
            own_bias.copy_(bias[: len(own_bias)])
    return alone


@pytest.mark.parametrize(("covariance", "family"), KINDS)
@pytest.mark.parametrize("T", [1, 3])
@pytest.mark.parametrize("min_weight", [0.0, 0.1])
def test_a_member_is_a_head_with_its_number_of_components(
    covariance: Any, family: Any, T: int, min_weight: float
) -> None:
    torch.manual_seed(0)
    head = MixtureHead(3, T, COUNTS, covariance, 0.05, family, min_weight=min_weight, members=3).double()
    with torch.no_grad():
        for p in head.parameters():
            p.normal_()
    h, y = torch.randn(3, 2, 5, 3, dtype=torch.float64), torch.randn(3, 2, 5, T, dtype=torch.float64)
    q = head(h)
    for e in range(3):
        own = _alone(head, e, min_weight=min_weight)(h[e])
        assert_close(q.log_prob(y)[e], own.log_prob(y[e]), 1e-12, 1.0)
        if family == "gaussian":
            assert_close(q.mean[e], own.mean, 1e-12, 1.0)


@pytest.mark.parametrize("T", [1, 2])
def test_starts_as_heads_of_their_own_do(T: int) -> None:
    torch.manual_seed(0)
    y = torch.cat([torch.randn(50, T) - 4, 0.2 * torch.randn(80, T), torch.randn(50, T) + 4]).double()
    head = MixtureHead(3, T, COUNTS, "diagonal", members=3).double()
    head.initialize(y)
    zero = torch.zeros(3, 3, dtype=torch.float64)
    for e, k in enumerate(COUNTS):
        own = MixtureHead(3, T, k, "diagonal").double()
        own.initialize(y)
        point = torch.randn(7, 1, T, dtype=torch.float64)
        assert_close(head(zero).log_prob(point)[:, e], own(zero[0]).log_prob(point[:, 0]), 1e-12, 1.0)


def _gradients(model: torch.nn.Module, value: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(value.sum(), list(model.parameters())))


@pytest.mark.parametrize("loss", ["likelihood", "conditional"])
@pytest.mark.parametrize("min_weight", [0.0, 0.1])
def test_gradients_of_a_training_step_are_those_of_a_head_of_its_own(loss: RegressionLoss, min_weight: float) -> None:
    torch.manual_seed(0)
    plan = RegressionPlan(loss, 1, 8, 1e-3, 0.0, None, 0.0, 0.0, weight_prior=0.3)
    cost = _Likelihood(plan) if loss == "likelihood" else _Conditional(plan)
    head = MixtureHead(3, 2, COUNTS, "full", 0.05, min_weight=min_weight, members=3).double()
    h, y = torch.randn(3, 8, 3, dtype=torch.float64), torch.randn(3, 8, 2, dtype=torch.float64)
    weight = torch.rand(3, 8, dtype=torch.float64)
    together = _gradients(head, cost(head, (h, y, weight)))
    assert all(bool(torch.isfinite(g).all()) for g in together)
    for e, k in enumerate(COUNTS):
        own = _alone(head, e, min_weight=min_weight)
        alone = _gradients(own, cost(own, (h[e : e + 1], y[e : e + 1], weight[e : e + 1])))
        for g, g_own in zip(together, alone, strict=True):
            parts, own_parts = g[e].split(head._sizes), g_own.split(own._sizes)
            for part, own_part in zip(parts, own_parts, strict=True):
                assert_close(part[: len(own_part)], own_part, 1e-9, 1.0)
                assert not bool(part[len(own_part) :].any()), f"component beyond {k} of member {e} has a gradient"


def test_weights_of_missing_components_are_zero() -> None:
    torch.manual_seed(0)
    mdn = MDN(1, 1, (1, 3), (8,), members=2).double()
    q = mdn(torch.zeros(2, 1, 1, dtype=torch.float64))
    assert isinstance(q, GaussianMixture)
    assert_close(q.weights[0, 0], [1.0, 0.0, 0.0], 1e-12)
    normal = torch.distributions.Normal(q.loc[0, 0, 0], q.covariance.variances(1)[0, 0, 0].sqrt())
    level = torch.full((2, 1, 1), 0.3, dtype=torch.float64)
    assert_close(q.icdf(level)[0, 0], normal.icdf(level[0, 0]), 1e-9)


def test_numbers_that_do_not_fit_the_members_are_refused() -> None:
    with pytest.raises(ValueError, match="components names 2 numbers; there must be one for each of 3 members"):
        MDN(1, 1, (1, 2), members=3)
    with pytest.raises(ValueError, match="one for each of None members"):
        MixtureHead(1, 1, [1, 2])
    with pytest.raises(ValueError, match=r"must be positive, got 1, 1, \[1, 0\]"):
        MixtureHead(1, 1, [1, 0], members=2)
    with pytest.raises(ValueError, match="for K = 4 components"):
        MixtureHead(1, 1, COUNTS, min_weight=0.3, members=3)
