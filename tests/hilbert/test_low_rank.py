"""Inner products of low-rank covariances against the dense matrices that they stand for."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from mixtura.distributions import Full, GaussianMixture, LowRank
from mixtura.hilbert import cauchy_schwarz_divergence, log_gram, log_inner
from tests.helpers import KINDS, RTOL, Dense, assert_close, dense_covariance, random_case, random_parameter
from tests.hilbert.truth import dense_log_gram, dense_log_inner


def random_low_rank(seed: int, batch: tuple[int, ...], K: int, D: int, r: int, tied: bool) -> GaussianMixture:
    g = torch.Generator().manual_seed(seed)
    lead = () if tied else (*batch, K)
    F, v = (torch.randn(*lead, *e, generator=g, dtype=torch.float64) for e in ((D, r), (D,)))
    logits, loc = (torch.randn(*batch, K, *e, generator=g, dtype=torch.float64) for e in ((), (D,)))
    return GaussianMixture(logits, loc, LowRank(F, v.exp()))


def dense(p: GaussianMixture) -> Dense:
    """Return the matrices from the definition."""
    assert isinstance(p.covariance, LowRank)
    F, v = p.covariance.factor.double().numpy(), p.covariance.diagonal.double().numpy()
    S = F @ np.swapaxes(F, -1, -2) + v[..., None] * np.eye(F.shape[-2])
    shape = (*p.loc.shape, p.loc.shape[-1])
    return Dense(p.logits.double().softmax(-1).numpy(), p.loc.double().numpy(), np.broadcast_to(S, shape))


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
    for tied, batch in itertools.product((False, True), ((), (2,))):
        p, case = random_low_rank(0, (), 3, 4, 2, tied), random_case(kind, batch=batch, K=2, D=4, tied=not tied)
        expected = dense_log_gram(dense(p), case.dense)
        assert_close(log_gram(p, case.mixture), expected, 1e-10, 1)
        assert_close(log_gram(case.mixture, p), np.swapaxes(expected, -1, -2), 1e-10, 1)
        assert_close(log_inner(p, case.mixture), dense_log_inner(dense(p), case.dense), 1e-10, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_every_kind_in_256_dimensions(kind: str, scale: float, dtype: torch.dtype) -> None:
    """12,288 dimensions are for covariances without D x D matrices: one such matrix in float64 takes 1.2 GB there."""
    D = 256
    g = torch.Generator().manual_seed(0)
    F, v = scale * torch.randn(2, D, 3, generator=g).to(dtype), scale**2 * torch.rand(2, D, generator=g).to(dtype)
    p = GaussianMixture(torch.zeros(2, dtype=dtype), scale * torch.randn(2, D, generator=g).to(dtype), LowRank(F, v))
    # factors of D = 256 random columns are nearly singular; each of these has a dominant diagonal
    parameter = random_parameter(np.random.default_rng(1), kind, (2,), D, scale)
    if kind in ("full", "precision"):
        parameter = np.tril(parameter, -1) / D**0.5 + np.eye(D) * np.diagonal(parameter, 0, -2, -1)[..., None]
    narrow = torch.as_tensor(parameter, dtype=dtype)
    q = GaussianMixture(
        torch.zeros(2, dtype=dtype), scale * torch.randn(2, D, generator=g).to(dtype), KINDS[kind](narrow)
    )
    S = np.broadcast_to(dense_covariance(kind, narrow.double().numpy(), D), (2, D, D))
    reference = Dense(np.full(2, 0.5), q.loc.double().numpy(), S)
    rtol = 1e-5 if dtype == torch.float32 else 1e-11
    assert_close(log_gram(p, q), dense_log_gram(dense(p), reference), rtol, D)
    assert_close(log_gram(q, q), dense_log_gram(reference, reference), rtol, D)


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
