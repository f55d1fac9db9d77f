"""Heads whose components are not Gaussian learn the distribution of their targets."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mixtura.distributions import CauchyMixture, LaplaceMixture, Mixture, VonMisesMixture
from mixtura.nn import MixtureHead
from mixtura.nn.heads import Family

TRUTH: dict[Family, type[Mixture]] = {"laplace": LaplaceMixture, "cauchy": CauchyMixture, "vonmises": VonMisesMixture}
every_family = pytest.mark.parametrize("family", list(TRUTH))


def _targets(family: Family) -> tuple[Mixture, Tensor]:
    """Two components, one of them across the cut at π, and samples."""
    loc = torch.tensor([[3.0, 0.0], [-1.0, 2.0]])
    spread = torch.full((2, 2), 8.0) if family == "vonmises" else torch.tensor([0.2, 0.5])
    spread = spread.unsqueeze(-1).expand(2, 2) if family == "laplace" else spread
    p = TRUTH[family](torch.tensor([0.0, 0.5]), loc, spread)
    return p, p.sample((2000,))


@every_family
def test_likelihood_reaches_that_of_the_truth(family: Family) -> None:
    torch.manual_seed(0)
    p, y = _targets(family)
    head = MixtureHead(1, 2, components=2, family=family)
    head.initialize(y if family != "cauchy" else y.clamp(-10, 10))
    h, optimizer = torch.zeros(1, 1), torch.optim.Adam(head.parameters(), lr=0.03)
    for _ in range(300):
        optimizer.zero_grad()
        loss = -head(h).log_prob(y.unsqueeze(1)).mean()
        loss.backward()
        optimizer.step()
    learnt, best = head(h).log_prob(y.unsqueeze(1)).mean(), p.log_prob(y).mean()
    assert abs(float(learnt.detach() - best)) < 0.01  # nats


@every_family
def test_parameters_reach_their_own_components(family: Family) -> None:
    torch.manual_seed(1)
    head = MixtureHead(4, 3, components=5, family=family, min_scale=0.1).double()
    h = torch.randn(2, 7, 4, dtype=torch.float64)
    q = head(h)
    assert isinstance(q, TRUTH[family])
    assert (q.batch_shape, q.event_shape, q.components) == (torch.Size((2, 7)), torch.Size((3,)), 5)
    raw = head.linear(h)
    torch.testing.assert_close(q.loc, raw[..., 5:20].unflatten(-1, (5, 3)))
    scale = 0.1 + torch.nn.functional.softplus(raw[..., 20:])
    if isinstance(q, VonMisesMixture):
        torch.testing.assert_close(q.concentration, scale.unflatten(-1, (5, 3)) ** -2)
    elif isinstance(q, LaplaceMixture):
        torch.testing.assert_close(q.scale, scale.unflatten(-1, (5, 3)))
    else:
        assert isinstance(q, CauchyMixture)
        torch.testing.assert_close(q.scale, scale)


@every_family
def test_density_stays_below_what_the_smallest_scale_allows(family: Family) -> None:
    head = MixtureHead(1, 1, components=1, family=family, min_scale=0.01)
    with torch.no_grad():
        head._part(2).fill_(-100.0)
        q = head(torch.zeros(1, 1))
        peak = float(q.log_prob(q.loc[:, 0]).exp())
    density = {"laplace": 1 / 0.02, "cauchy": 1 / (math.pi * 0.01), "vonmises": 1 / (0.01 * math.sqrt(2 * math.pi))}
    assert peak == pytest.approx(density[family], rel=1e-3)


def test_unknown_family_is_refused() -> None:
    with pytest.raises(ValueError, match=r"family must be one of 'gaussian', .*, got 'normal'"):
        MixtureHead(1, 1, family="normal")  # pyright: ignore[reportArgumentType]


def test_repr_names_the_family() -> None:
    assert "family='laplace'" in repr(MixtureHead(1, 1, family="laplace"))
    assert "covariance='full'" in repr(MixtureHead(1, 1))
