"""A head with point masses against the exact distribution of what it learns."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import nn

from mixtura.nn import AtomHead, MixtureHead
from mixtura.training import fit
from tests.helpers import assert_close


def rain(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return x, y and the exact log-probability: zero with probability sigmoid(3x), else N(5 + 2x, 0.5²)."""
    g = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(n, 1, generator=g) - 1
    dry = torch.rand(n, 1, generator=g) < torch.sigmoid(3 * x)
    amount = 5 + 2 * x + 0.5 * torch.randn(n, 1, generator=g)
    y = torch.where(dry, 0.0, amount)
    log_density = torch.distributions.Normal(5 + 2 * x, 0.5).log_prob(amount)
    log_p = torch.where(dry, nn.functional.logsigmoid(3 * x), nn.functional.logsigmoid(-3 * x) + log_density)
    return x, y, log_p.squeeze(-1)


def test_learns_when_it_rains_and_how_much() -> None:
    torch.manual_seed(0)
    x, y, _ = rain(3000, 0)
    head = AtomHead(MixtureHead(16, 1, components=2), torch.tensor([0.0]))
    head.initialize(y)
    network = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), head)

    def loss(model: nn.Module, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        return -model(batch[0]).log_prob(batch[1]).mean()

    fit(network, loss, (x, y), epochs=30, learning_rate=1e-2)
    x, y, exact = rain(3000, 1)
    with torch.no_grad():
        got = network(x).log_prob(y)
    assert float((exact - got).mean()) == pytest.approx(0, abs=0.03)
    with torch.no_grad():
        mass = network(torch.tensor([[0.5]])).log_prob(torch.zeros(1, 1)).exp()
    assert_close(mass, [1 / (1 + math.exp(-1.5))], 0.1)


def test_starts_at_the_shares() -> None:
    y = torch.cat([torch.zeros(60, 1), torch.ones(30, 1), 5 + torch.randn(110, 1)])
    head = AtomHead(MixtureHead(4, 1), torch.tensor([0.0, 1.0]))
    head.initialize(y)
    q = head(torch.zeros(4))
    assert_close(torch.softmax(q.logits, -1), [60.5 / 201.5, 30.5 / 201.5, 110.5 / 201.5], 1e-6)


def test_atoms_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"\(3, 1\); it must be \(A, 2\)"):
        AtomHead(MixtureHead(4, 2), torch.zeros(3, 1))
    with pytest.raises(ValueError, match="not finite"):
        AtomHead(MixtureHead(4, 1), torch.tensor([math.nan]))
    with pytest.raises(ValueError, match="every target is an atom"):
        AtomHead(MixtureHead(4, 1), torch.tensor([0.0])).initialize(torch.zeros(5, 1))
