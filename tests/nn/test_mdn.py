"""The mixture density network: its trunk by hand, its gradients, what it can learn to say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from mixtura.nn import MDN, ResidualBlock
from mixtura.nn.heads import CovarianceKind
from mixtura.training import fit
from mixtura.training.health import mixture_head
from tests.helpers import assert_close

every_covariance = pytest.mark.parametrize("covariance", ["isotropic", "diagonal", "full"])


@pytest.mark.parametrize(("a", "b"), [(4, 4), (4, 6)])
def test_residual_block_is_its_formula(a: int, b: int) -> None:
    torch.manual_seed(0)
    block, h = ResidualBlock(a, b, expansion=3).double(), torch.randn(2, 5, a, dtype=torch.float64)
    norm, first, _, _, second = block.correction
    assert isinstance(norm, nn.LayerNorm)
    assert isinstance(first, nn.Linear)
    assert isinstance(second, nn.Linear)
    centred = h - h.mean(-1, keepdim=True)
    normal = centred / (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt() * norm.weight + norm.bias
    inner = normal @ first.weight.T + first.bias
    correction = (inner * torch.sigmoid(inner)) @ second.weight.T + second.bias
    skip = h if a == b else h @ block.skip.weight.T + block.skip.bias  # pyright: ignore
    assert_close(block(h), skip + correction, 1e-12, 1.0)
    assert first.out_features == 3 * b


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    mdn, x = MDN(3, 2, hidden=(16,), dropout=0.5), torch.randn(4, 3)
    assert not torch.equal(mdn(x).mean, mdn(x).mean)
    mdn.eval()
    assert torch.equal(mdn(x).mean, mdn(x).mean)


@every_covariance
def test_mixture_is_the_head_of_the_trunk(covariance: CovarianceKind) -> None:
    torch.manual_seed(0)
    mdn = MDN(3, 2, components=4, hidden=(8, 16), covariance=covariance, min_scale=0.05)
    x, y = torch.randn(2, 3, 3), torch.randn(2, 3, 2)
    q = mdn(x)
    assert (q.batch_shape, q.event_shape, q.components) == ((2, 3), (2,), 4)
    assert torch.equal(q.log_prob(y), mdn.head(mdn.features(x)).log_prob(y))
    assert mixture_head(mdn).min_scale.tolist() == pytest.approx([0.05, 0.05])
    assert mdn.head.covariance == covariance
    rows = torch.stack([mdn(a).log_prob(b) for a, b in zip(x.view(-1, 3), y.view(-1, 2), strict=True)])
    assert_close(q.log_prob(y), rows.view(2, 3), 1e-4, 1.0)


@every_covariance
def test_gradient_reaches_every_parameter(covariance: CovarianceKind) -> None:
    torch.manual_seed(0)
    mdn = MDN(3, 2, hidden=(8, 16, 16), covariance=covariance, dropout=0.1)
    (-mdn(torch.randn(64, 3)).log_prob(torch.randn(64, 2)).mean()).backward()
    for name, p in mdn.named_parameters():
        assert p.grad is not None, name
        assert bool(torch.isfinite(p.grad).all()), name
        assert float(p.grad.abs().sum()) > 0, name


@every_covariance
def test_state_dict_restores_the_network(covariance: CovarianceKind) -> None:
    torch.manual_seed(0)
    mdn, other = (MDN(3, 2, hidden=(8,), covariance=covariance).eval() for _ in range(2))
    x, y = torch.randn(5, 3), torch.randn(5, 2)
    assert not torch.equal(mdn(x).log_prob(y), other(x).log_prob(y))
    other.load_state_dict(mdn.state_dict())
    assert torch.equal(mdn(x).log_prob(y), other(x).log_prob(y))


def test_gradient_of_the_loss_is_right() -> None:
    torch.manual_seed(0)
    mdn = MDN(2, 2, components=2, hidden=(3,)).double()
    x, y = torch.randn(3, 2, dtype=torch.float64), torch.randn(3, 2, dtype=torch.float64)
    names, parameters = zip(*mdn.named_parameters(), strict=True)

    def loss(*values: torch.Tensor) -> torch.Tensor:
        state = dict(zip(names, values, strict=True))
        return -torch.func.functional_call(mdn, state, (x,)).log_prob(y).mean()

    assert torch.autograd.gradcheck(loss, [p.detach().clone().requires_grad_() for p in parameters])


def test_starts_near_a_mixture_that_does_not_depend_on_x() -> None:
    torch.manual_seed(0)
    y = torch.cat([torch.randn(200, 1) - 5, torch.randn(200, 1) + 5])
    mdn = MDN(3, 1, components=4)
    mdn.head.initialize(y)
    with torch.no_grad():
        q = mdn(torch.randn(400, 3))
    assert float(q.mean.std()) < 0.2 * float(y.std())
    marginal = -torch.distributions.Normal(y.mean(), y.std()).log_prob(y).mean()
    assert float(-q.log_prob(y).mean()) < float(marginal)


def test_bad_settings_are_refused_with_a_reason() -> None:
    for hidden, inputs, got in (((), 1, r"\(\) and 1"), ((0,), 1, r"\(0,\) and 1"), ((8,), 0, r"\(8,\) and 0")):
        with pytest.raises(ValueError, match=f"at least one positive width.*got {got}"):
            MDN(inputs, 1, hidden=hidden)
    with pytest.raises(ValueError, match=r"must be positive, got 64, 0, 5"):
        MDN(1, 0)


def test_laplace_noise_is_learnt_by_laplace_components() -> None:
    """The negative log-likelihood reaches the entropy 1 + log 2b of the noise."""
    torch.manual_seed(0)
    x = torch.rand(4000, 1) * 2 - 1
    y = 2 * x + torch.distributions.Laplace(0.0, 0.3).sample((4000, 1))
    mdn = MDN(1, 1, components=1, hidden=(16,), family="laplace")
    mdn.head.initialize(y)

    def loss(model: torch.nn.Module, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        return -model(batch[0]).log_prob(batch[1]).mean()

    fit(mdn, loss, (x[:3000], y[:3000]), epochs=20)
    exact = 1 + torch.tensor(0.6).log()
    nll = -mdn(x[3000:]).log_prob(y[3000:]).mean().item()
    assert nll == pytest.approx(float(exact), abs=0.08)
