"""Costs as modules, and the choice of a reading."""

from __future__ import annotations

import pytest
import torch

from mixtura.costs import COSTS, SAMPLED, Cost, choose_reading
from mixtura.costs.reading import SWITCH
from mixtura.distributions import GaussianMixture, Mixture
from mixtura.hilbert import effective_rank
from tests.costs.truth import random_mixture
from tests.helpers import assert_close, global_state

every_cost = pytest.mark.parametrize("name", COSTS)


def sparse(seed: int = 0) -> GaussianMixture:
    """Components that do not meet."""
    x = torch.randn(16, 784, generator=torch.Generator().manual_seed(seed))
    return GaussianMixture.from_samples(x, 1.0)


def dense(seed: int = 0) -> GaussianMixture:
    """Components that overlap much, in as many dimensions."""
    return GaussianMixture.from_samples(sparse(seed).loc, 1e4)


@every_cost
def test_loss_is_the_mean_over_the_batch(name: str) -> None:
    p, q = (random_mixture("isotropic", s, batch=(3,), K=4) for s in (0, 1))
    loss = Cost(name, "finite")(p, q)
    assert_close(loss, COSTS[name](p, q).loss.mean(), 0.0)
    assert_close(Cost(name, "finite").bound(p, q).log_value, COSTS[name](p, q).log_value, 0.0)


@every_cost
def test_auto_decides_once_and_says_so(name: str) -> None:
    cost = Cost(name)
    has = name in SAMPLED
    assert cost.reading == ("auto" if has else "finite")
    assert repr(cost) == f"Cost({name!r}, reading={cost.reading!r})"
    p, q = sparse(0), sparse(1)
    bound = cost.bound(p, q)
    assert bound.reading == cost.reading == ("sampled" if has else "finite")
    assert repr(cost) == f"Cost({name!r}, reading={cost.reading!r})"
    assert cost.bound(dense(0), dense(1)).reading == cost.reading
    other = Cost(name)
    assert other.bound(dense(0), dense(1)).reading == other.reading == "finite"
    assert other.bound(p, q).reading == "finite"


def test_reading_follows_the_effective_rank() -> None:
    assert choose_reading(sparse()) == "sampled"
    assert choose_reading(dense()) == "finite"
    x = sparse().loc
    for variance in torch.logspace(0, 4, 20).tolist():
        p = GaussianMixture.from_samples(x, variance)
        d2 = ((x[:, None].double() - x.double()) ** 2).sum(-1).numpy()
        s = torch.linalg.eigvalsh(torch.as_tensor(d2 / (-4 * variance)).exp() / len(x))
        rank = torch.special.entr(s.clamp_min(0)).sum().exp()
        assert_close(effective_rank(p), rank, 1e-6)
        if abs(rank / len(x) - SWITCH) > 1e-3:
            assert choose_reading(p) == ("sampled" if rank / len(x) > SWITCH else "finite")


def test_too_few_components_are_read_as_finite() -> None:
    for K in (1, 2, 3):
        assert choose_reading(sparse().subset(torch.arange(K))) == "finite"
    assert choose_reading(sparse().subset(torch.arange(4))) == "sampled"


@pytest.mark.parametrize("name", SAMPLED)
def test_sampled_is_one_argument_away(name: str) -> None:
    p, q = (random_mixture("isotropic", s, K=6) for s in (0, 1))
    a, b = Cost(name, "finite").bound(p, q), Cost(name, "sampled").bound(p, q)
    assert (a.reading, b.reading) == ("finite", "sampled")


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"name must be one of scalar, vector_matrix, .*, got 'svd'"):
        Cost("svd")
    with pytest.raises(ValueError, match="reading must be 'auto', 'finite' or 'sampled', got 'both'"):
        Cost("scalar", "both")  # pyright: ignore[reportArgumentType]
    for name in set(COSTS) - set(SAMPLED):
        with pytest.raises(ValueError, match=f"{name} has no sampled reading; scalar, nuclear_norm, conditional have"):
            Cost(name, "sampled")


@every_cost
def test_a_module_trains_and_touches_nothing(name: str) -> None:
    p = random_mixture("isotropic", 0, K=4)
    before = global_state()
    cost, y = Cost(name), torch.zeros(4, 2, dtype=torch.float64, requires_grad=True)
    q: Mixture = GaussianMixture.from_samples(y + torch.arange(4).unsqueeze(-1), 1.0)
    cost(p, q).backward()
    assert y.grad is not None
    assert bool(y.grad.isfinite().all())
    assert bool((y.grad != 0).any())
    assert global_state() == before
    assert not list(cost.parameters())
