"""Inner products of low-rank covariances against the dense matrices that they stand for."""

from __future__ import annotations

import math

import pytest
import torch

from mixtura.distributions import Full, GaussianMixture, LowRank
from mixtura.hilbert import cauchy_schwarz_divergence, log_gram, log_inner
from tests.helpers import KINDS, RTOL, assert_close, random_case
from tests.hilbert.truth import dense_log_inner


def random_low_rank(seed: int, batch: tuple[int, ...], K: int, D: int, r: int, tied: bool) -> GaussianMixture:
    g = torch.Generator().manual_seed(seed)
    lead = () if tied else (*batch, K)
    F, v = (torch.randn(*lead, *e, generator=g, dtype=torch.float64) for e in ((D, r), (D,)))
    logits, loc = (torch.randn(*batch, K, *e, generator=g, dtype=torch.float64) for e in ((), (D,)))
    return GaussianMixture(logits, loc, LowRank(F, v.exp()))


def as_full(p: GaussianMixture) -> GaussianMixture:
    L = torch.linalg.cholesky(p.covariance.dense(p.loc.shape[-1]))
    return GaussianMixture(p.logits, p.loc, Full(L))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_low_rank_with_low_rank(batch: tuple[int, ...], tied: bool, dtype: torch.dtype) -> None:
    p, q = random_low_rank(0, batch, 3, 4, 2, tied), random_low_rank(1, (), 2, 4, 1, False)
    narrow = [
        GaussianMixture(m.logits.to(dtype), m.loc.to(dtype), LowRank(m.covariance.factor, m.covariance.diagonal))
        for m in (p, q)
        if isinstance(m.covariance, LowRank)
    ]
    assert_close(log_gram(*narrow), log_gram(as_full(p), as_full(q)), RTOL[dtype], 1)
    assert_close(log_inner(*narrow), log_inner(as_full(p), as_full(q)), RTOL[dtype], 1)
    assert bool((cauchy_schwarz_divergence(*narrow) >= 0).all())


@pytest.mark.parametrize("kind", KINDS)
def test_low_rank_with_every_other_kind(kind: str) -> None:
    p, case = random_low_rank(0, (), 3, 4, 2, False), random_case(kind, K=2, D=4)
    assert_close(log_gram(p, case.mixture), log_gram(as_full(p), case.mixture), 1e-10, 1)
    assert_close(log_gram(case.mixture, p), log_gram(p, case.mixture).mT, 1e-12, 1)


def test_reference_is_independent() -> None:
    """The dense path that the other tests compare with agrees with scipy's."""
    case = random_case("full", K=2, D=3)
    assert_close(log_inner(case.mixture, case.mixture), dense_log_inner(case.dense, case.dense), 1e-10)


def test_derivatives() -> None:
    p, q = random_low_rank(0, (), 2, 3, 1, False), random_low_rank(1, (), 2, 3, 2, False)
    assert isinstance(p.covariance, LowRank)
    inputs = [t.detach().clone().requires_grad_() for t in (p.loc, p.covariance.factor, p.covariance.diagonal)]

    def f(loc: torch.Tensor, F: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return log_inner(GaussianMixture(p.logits, loc, LowRank(F, v), validate_args=False), q)

    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


def test_twelve_thousand_dimensions() -> None:
    """One direction of variance a² + v in each: the determinant and the distance are known."""
    D, v, a = 12_288, 1e-6, 1e3
    u = torch.zeros(D, 1)
    u[0] = a
    loc = torch.zeros(2, D)
    loc[1, 0], loc[1, 1] = 1e3, 1e-3
    p = GaussianMixture(torch.zeros(2), loc, LowRank(u, torch.full((D,), v)))
    s = 2 * v
    log_det = (D - 1) * math.log(s) + math.log(2 * a**2 + s)
    at_home = -0.5 * (D * math.log(2 * math.pi) + log_det)
    apart = at_home - 0.5 * (1e6 / (2 * a**2 + s) + 1e-6 / s)
    assert_close(log_gram(p, p), [[at_home, apart], [apart, at_home]], 1e-5)
