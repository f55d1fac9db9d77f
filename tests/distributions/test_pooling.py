"""Pools against averages of their members."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mixtura.distributions import (
    AtomMixture,
    CauchyMixture,
    Diagonal,
    Full,
    GaussianMixture,
    Isotropic,
    LaplaceMixture,
    LowRank,
    Precision,
    VonMisesMixture,
    pool,
)
from tests.helpers import assert_close

E, N, K, D = 3, 4, 2, 2


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def lower(*shape: int, seed: int) -> Tensor:
    return torch.tril(randn(*shape, D, D, seed=seed), -1) + torch.diag_embed(randn(*shape, D, seed=seed + 1).exp())


LOGITS, LOC = randn(E, N, K, seed=0), 2 * randn(E, N, K, D, seed=1)
ALL = (E, N, K)
SPREADS: dict[str, Any] = {
    "isotropic": Isotropic(randn(*ALL, seed=2).exp()),
    "diagonal": Diagonal(randn(*ALL, D, seed=2).exp()),
    "full": Full(lower(*ALL, seed=2)),
    "precision": Precision(lower(*ALL, seed=2)),
    "low rank": LowRank(randn(*ALL, D, 1, seed=2), randn(*ALL, D, seed=3).exp()),
    "isotropic, tied": Isotropic(torch.tensor(0.7, dtype=torch.float64)),
    "isotropic, of the member": Isotropic(randn(E, 1, 1, seed=2).exp()),
    "diagonal, tied": Diagonal(randn(D, seed=2).exp()),
    "full, tied": Full(lower(seed=2)),
    "full, of the row": Full(lower(N, 1, seed=2)),
    "precision, tied": Precision(lower(seed=2)),
    "low rank, tied": LowRank(randn(D, 1, seed=2), randn(D, seed=3).exp()),
    "low rank, of the component": LowRank(randn(K, D, 1, seed=2), randn(K, D, seed=3).exp()),
}
MEMBERS: dict[str, Any] = {name: GaussianMixture(LOGITS, LOC, spread) for name, spread in SPREADS.items()} | {
    "laplace": LaplaceMixture(LOGITS, LOC, randn(*ALL, D, seed=2).exp()),
    "laplace, tied": LaplaceMixture(LOGITS, LOC, 0.5),
    "cauchy": CauchyMixture(LOGITS, LOC, randn(*ALL, seed=2).exp()),
    "von mises": VonMisesMixture(LOGITS, LOC, randn(*ALL, D, seed=2).exp()),
}
ATOMS = torch.tensor([[0.0, 0.0], [1.0, -1.0]], dtype=torch.float64)
MEMBERS |= {
    f"atoms and {name}": AtomMixture(randn(E, N, 3, seed=4), ATOMS, MEMBERS[name])
    for name in ("isotropic", "full, tied", "low rank", "laplace", "cauchy")
}
LINEAR = [name for name in MEMBERS if "cauchy" not in name and "von" not in name]


def values(name: str) -> Tensor:
    """Return values for N rows, the atoms among them, and angles inside a turn."""
    x = torch.cat([2 * randn(20, N, D, seed=9), ATOMS[:, None].expand(2, N, D)])
    return x.clamp(-3.14, 3.14) if name == "von mises" else x


@pytest.mark.parametrize("name", MEMBERS)
def test_densities_and_distribution_functions_are_averages(name: str) -> None:
    members, x = MEMBERS[name], values(name)
    assert tuple(pool(members).batch_shape) == (N,)
    assert_close(pool(members).log_prob(x), members.log_prob(x.unsqueeze(1)).exp().mean(1).log(), 1e-10, 1)
    assert_close(pool(members).cdf(x), members.cdf(x.unsqueeze(1)).mean(1), 1e-10, 1)


@pytest.mark.parametrize("name", MEMBERS)
def test_any_batch_dimension_is_pooled(name: str) -> None:
    members, x = MEMBERS[name], values(name)[:, :E]
    assert_close(pool(members, 1).log_prob(x), members.log_prob(x.unsqueeze(2)).exp().mean(2).log(), 1e-10, 1)


@pytest.mark.parametrize("name", LINEAR)
def test_mean_and_variance_follow_the_laws_of_total_mean_and_variance(name: str) -> None:
    members = MEMBERS[name]
    assert_close(pool(members).mean, members.mean.mean(0), 1e-10, 1)
    total = members.variance.mean(0) + members.mean.var(0, correction=0)
    assert_close(pool(members).variance, total, 1e-10, 1)


def test_directions_are_averaged_as_vectors() -> None:
    members = MEMBERS["von mises"]
    vectors = torch.polar(1 - members.variance, members.mean).mean(0)
    assert_close(pool(members).mean, vectors.angle(), 1e-10, 1)
    assert_close(pool(members).variance, 1 - vectors.abs(), 1e-9, 1)


@pytest.mark.parametrize("name", ["isotropic", "full, tied", "laplace", "atoms and isotropic"])
def test_marginals_of_the_pool_are_pools_of_marginals(name: str) -> None:
    members = MEMBERS[name]
    x = torch.cat([randn(5, N, seed=3), torch.zeros(1, N, dtype=torch.float64)])
    assert_close(pool(members.marginal(0)).log_prob(x), pool(members).marginal(0).log_prob(x), 1e-10, 1)
    assert pool(members.marginal(0)).event_shape == ()


def test_a_weight_of_zero_stays_zero() -> None:
    logits = LOGITS.clone()
    logits[0, :, 0] = -torch.inf
    q = pool(GaussianMixture(logits, LOC, SPREADS["full"]))
    assert_close(q.weights[:, 0], torch.zeros(N), 0)
    assert_close(q.weights.sum(-1), torch.ones(N), 1e-12)
    dry = AtomMixture(torch.tensor([[0.0, -torch.inf], [0.0, 0.0]]), torch.zeros(1), MEMBERS_1D)
    assert_close(pool(dry).cdf(torch.tensor(0.0)), 0.75 + 0.25 * MEMBERS_1D.cdf(torch.tensor(0.0))[1].double(), 1e-6)


MEMBERS_1D = GaussianMixture(torch.zeros(2, 1), torch.tensor([[0.0], [1.0]]), Isotropic(1.0), event_dim=0)


def test_gradients_reach_every_member() -> None:
    loc = LOC.clone().requires_grad_()
    x = randn(N, D, seed=5)
    pool(GaussianMixture(LOGITS, loc, SPREADS["diagonal"])).log_prob(x).sum().backward()
    got = loc.grad
    loc = LOC.clone().requires_grad_()
    GaussianMixture(LOGITS, loc, SPREADS["diagonal"]).log_prob(x).exp().mean(0).log().sum().backward()
    assert got is not None
    assert_close(got, loc.grad if loc.grad is not None else torch.zeros(0), 1e-9, 1e-3)


@pytest.mark.parametrize("dim", [-1, 2])
def test_a_missing_batch_dimension_is_refused(dim: int) -> None:
    with pytest.raises(IndexError, match="dim must name one of the 2 batch dimensions"):
        pool(MEMBERS["full"], dim)
    with pytest.raises(IndexError, match="one of the 0 batch dimensions"):
        pool(GaussianMixture(torch.zeros(1), torch.zeros(1, 1), Isotropic(1.0)))
