"""Networks side by side against each network alone, and a network of one component against a Gaussian by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mixtura.distributions import LowRank
from mixtura.nn import MDN, MixtureHead
from mixtura.nn.heads import CovarianceKind
from mixtura.nn.stacked import StackedLayerNorm, StackedLinear
from tests.helpers import assert_close

E = 3
SETTINGS: dict[str, dict[str, Any]] = {
    "isotropic": {"covariance": "isotropic"},
    "diagonal": {"covariance": "diagonal"},
    "low_rank": {"covariance": "low_rank"},
    "full": {"covariance": "full"},
    "laplace": {"family": "laplace"},
    "cauchy": {"family": "cauchy"},
    "vonmises": {"family": "vonmises"},
    "separate": {"separate": True},
    "floor of weights": {"min_weight": 0.1},
    "atoms": {"atoms": torch.tensor([[0.0, 0.0], [1.0, 2.0]])},
    "atoms, separate": {"atoms": torch.tensor([[0.0, 0.0], [1.0, 2.0]]), "separate": True},
}


def scrambled(**settings: Any) -> MDN:
    """Return E networks with parameters that are nothing special."""
    torch.manual_seed(0)
    stack = MDN(4, 2, 3, (8, 6), members=E, **settings).double()
    with torch.no_grad():
        for p in stack.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return stack


def alone(stack: MDN, e: int, **settings: Any) -> MDN:
    """Return network e by itself."""
    single = MDN(4, 2, 3, (8, 6), **settings).double()
    own = {name for name, _ in stack.named_parameters()}
    single.load_state_dict({k: v[e] if k in own else v for k, v in stack.state_dict().items()})
    return single


@pytest.mark.parametrize("batch", [(), (5,), (2, 3)])
def test_layers_are_those_of_torch(batch: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    h = torch.randn(E, *batch, 4, dtype=torch.float64)
    linear, norm = StackedLinear(E, 4, 6).double(), StackedLayerNorm(E, 4).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    for e in range(E):
        assert_close(linear(h)[e], nn.functional.linear(h[e], linear.weight[e], linear.bias[e]), 1e-12, 1)
        assert_close(norm(h)[e], nn.functional.layer_norm(h[e], (4,), norm.weight[e], norm.bias[e]), 1e-12, 1)
    assert torch.autograd.gradcheck(linear, h.requires_grad_())
    assert torch.autograd.gradcheck(norm, h)


def test_linear_maps_start_as_torch_starts_them() -> None:
    torch.manual_seed(0)
    start = StackedLinear(400, 16, 2).weight.detach()
    assert float(start.abs().max()) <= 1 / 4  # uniform within 1 / sqrt(in_features)
    assert float(start.std()) == pytest.approx(0.25 / 3**0.5, rel=0.02)
    assert not torch.equal(start[0], start[1])


@pytest.mark.parametrize("name", SETTINGS)
def test_a_stack_is_its_networks(name: str) -> None:
    settings = SETTINGS[name]
    stack = scrambled(**settings)
    g = torch.Generator().manual_seed(1)
    x = torch.randn(E, 7, 4, generator=g, dtype=torch.float64)
    y = torch.randn(E, 7, 2, generator=g, dtype=torch.float64)
    y[:, 0] = 0  # an atom, where there are atoms
    log_prob = stack(x).log_prob(y)
    log_prob.sum().backward()
    for e in range(E):
        single = alone(stack, e, **settings)
        expected = single(x[e]).log_prob(y[e])
        assert_close(log_prob[e], expected, 1e-10, 1)
        expected.sum().backward()
        gradients = {k: p.grad for k, p in single.named_parameters()}
        for k, p in stack.named_parameters():
            expected_gradient = gradients[k]
            assert p.grad is not None
            assert expected_gradient is not None
            assert_close(p.grad[e], expected_gradient, 1e-8, 1)


@pytest.mark.parametrize("name", ["full", "isotropic", "separate", "atoms"])
def test_one_start_for_all_is_the_start_of_each(name: str) -> None:
    settings = SETTINGS[name]
    stack = scrambled(**settings)
    y = torch.randn(50, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    y[:20] = 0
    x = torch.zeros(E, 1, 4, dtype=torch.float64)
    singles = [alone(stack, e, **settings) for e in range(E)]
    stack.head.initialize(y)
    for e, single in enumerate(singles):
        single.head.initialize(y)
        assert_close(stack(x).log_prob(y.expand(E, -1, -1))[e], single(x[e]).log_prob(y), 1e-10, 1)


def test_separate_trunks_share_nothing() -> None:
    """Weights, locations and spreads depend on a trunk each, and on no other."""
    mdn = alone(scrambled(separate=True), 0, separate=True)
    x = torch.randn(5, 4, dtype=torch.float64)

    def outputs() -> list[Tensor]:
        q: Any = mdn(x)
        return [q.log_weights, q.loc, q.covariance.parameter]

    before = outputs()
    trunks: Any = mdn.trunks
    for i, trunk in enumerate(trunks):
        bias = trunk[-1].bias
        with torch.no_grad():
            bias.add_(1.0)
        changed = [not torch.equal(a, b) for a, b in zip(before, outputs(), strict=True)]
        assert changed == [i == j for j in range(3)]
        with torch.no_grad():
            bias.sub_(1.0)
        before = outputs()


def test_low_rank_covariance_is_a_factor_and_a_diagonal() -> None:
    torch.manual_seed(0)
    head = MixtureHead(4, 5, 3, "low_rank", min_scale=0.01).double()
    nn.init.normal_(head.linear.weight)
    h, y = torch.randn(6, 4, dtype=torch.float64), torch.randn(6, 5, dtype=torch.float64)
    q: Any = head(h)
    raw = head.linear(h)
    weights, loc, scale, factor = raw.split([3, 15, 15, 30], -1)
    F = factor.reshape(6, 3, 5, 2)
    S = F @ F.mT + torch.diag_embed((0.01 + nn.functional.softplus(scale).reshape(6, 3, 5)) ** 2)
    component = torch.distributions.MultivariateNormal(loc.reshape(6, 3, 5), S)
    expected = torch.logsumexp(weights.log_softmax(-1) + component.log_prob(y.unsqueeze(1)), -1)
    assert isinstance(q.covariance, LowRank)
    assert_close(q.log_prob(y), expected, 1e-9, 1)


@pytest.mark.parametrize("members", [None, 2])
def test_weights_have_an_exact_floor(members: int | None) -> None:
    head = MixtureHead(4, 1, 5, min_weight=0.04, members=members).double()
    raw = torch.tensor([800.0, 0.0, -3.0, -800.0, 1.0], dtype=torch.float64)
    with torch.no_grad():
        head.linear.weight.zero_()
        head._part(0).copy_(raw)
    weights = head(torch.zeros(2, 4, dtype=torch.float64)).weights
    assert_close(weights[0], 0.04 + 0.8 * torch.softmax(raw, -1), 1e-12)
    moderate = torch.tensor([0.5, 0.0, -3.0, 2.0, 1.0], dtype=torch.float64)
    with torch.no_grad():
        head._part(0).copy_(moderate)
    assert_close(
        head(torch.zeros(2, 4, dtype=torch.float64)).weights[1], 0.04 + 0.8 * torch.softmax(moderate, -1), 1e-12
    )
    with pytest.raises(ValueError, match=r"min_weight must be in \[0, 1/K\)"):
        MixtureHead(4, 1, 5, min_weight=0.2)


@pytest.mark.parametrize("covariance", ["isotropic", "diagonal", "full"])
def test_one_component_is_heteroscedastic_regression(covariance: CovarianceKind) -> None:
    """Value and gradients of ½ log 2πσ² + (y - m)²/2σ², m and log σ both functions of x."""
    torch.manual_seed(0)
    mdn = MDN(3, 1, components=1, hidden=(8,), covariance=covariance, min_scale=2**-7).double()
    x, y = torch.randn(20, 3, dtype=torch.float64), torch.randn(20, 1, dtype=torch.float64)
    parameters = list(mdn.parameters())
    loss = -mdn(x).log_prob(y).mean()
    raw = mdn.head.linear(mdn.trunks[0](x))
    mean, sigma = raw[:, 1:2], 2**-7 + nn.functional.softplus(raw[:, 2:3])
    by_hand = (0.5 * torch.log(2 * math.pi * sigma**2) + (y - mean) ** 2 / (2 * sigma**2)).mean()
    assert_close(loss, by_hand, 1e-12)
    got = torch.autograd.grad(loss, parameters)
    expected = torch.autograd.grad(by_hand, parameters)
    for a, b in zip(got, expected, strict=True):
        assert_close(a, b, 1e-10, 1e-3)


def test_members_must_be_positive() -> None:
    with pytest.raises(ValueError, match="members must be positive, or None"):
        MDN(3, 1, members=0)
