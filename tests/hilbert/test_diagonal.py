"""Inner products of paired components are the diagonal of a Gram matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mixtura.distributions import GaussianMixture, Isotropic, LowRank
from mixtura.hilbert import log_diagonal, log_gram
from tests.costs.truth import FAMILIES, random_mixture
from tests.helpers import KINDS, RTOL, assert_close, random_case
from tests.hilbert.truth import dense_log_gram


@given(
    kinds=st.tuples(st.sampled_from(list(KINDS)), st.sampled_from(list(KINDS))),
    batch=st.lists(st.integers(1, 3), max_size=2),
    tied=st.tuples(st.booleans(), st.booleans()),
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 4)),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 999),
)
def test_diagonal_is_that_of_the_dense_gram_matrix(
    kinds: tuple[str, str],
    batch: list[int],
    tied: tuple[bool, bool],
    sizes: tuple[int, int],
    dtype: torch.dtype,
    seed: int,
) -> None:
    K, D = sizes
    p = random_case(kinds[0], batch=batch, K=K, D=D, tied=tied[0], dtype=dtype, seed=seed)
    q = random_case(kinds[1], batch=batch[1:], K=K, D=D, tied=tied[1], dtype=dtype, seed=seed + 1000)
    found = log_diagonal(p.mixture, q.mixture)
    assert found.dtype is torch.float64
    assert_close(found, np.einsum("...ii->...i", dense_log_gram(p.dense, q.dense)), 1e-10, 1)
    own = log_diagonal(p.mixture, p.mixture)
    assert_close(own, np.einsum("...ii->...i", dense_log_gram(p.dense, p.dense)), 1e-10, 1)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tied", [False, True])
def test_other_families(family: str, dtype: torch.dtype, tied: bool) -> None:
    p, q = (random_mixture(family, s, batch=(2,), K=4, D=3, dtype=dtype, tied=tied) for s in (0, 1))
    for other in (p, q):
        expected = log_gram(p, other).diagonal(dim1=-2, dim2=-1)
        assert_close(log_diagonal(p, other), expected, RTOL[dtype], 1)


@pytest.mark.parametrize("tied", [False, True])
def test_low_rank(tied: bool) -> None:
    g = torch.Generator().manual_seed(0)
    shape = () if tied else (5,)
    F, v = torch.randn(*shape, 4, 2, generator=g).double(), torch.rand(*shape, 4, generator=g).double() + 0.1
    p = GaussianMixture(torch.zeros(5).double(), torch.randn(5, 4, generator=g).double(), LowRank(F, v))
    S = F @ F.mT + torch.diag_embed(v)
    expected = -0.5 * torch.logdet(4 * torch.pi * S)
    assert_close(log_diagonal(p, p), expected.expand(5), 1e-10, 1)


def test_components_of_scalars() -> None:
    x, y = torch.tensor([0.0, 1.0]).double(), torch.tensor([2.0, 1.0]).double()
    p, q = (GaussianMixture.from_samples(t, 0.5) for t in (x, y))
    half = -0.5 * np.log(2 * np.pi)
    assert_close(log_diagonal(p, q), [half - 2, half], 1e-12)
    assert_close(log_diagonal(p, p), [half, half], 1e-12)


@pytest.mark.parametrize("kind", [*KINDS, *FAMILIES])
def test_derivatives(kind: str) -> None:
    p, q = (random_mixture(kind, s, K=3) for s in (0, 1))
    inputs = [t.detach().clone().requires_grad_() for m in (p, q) for t in (m.loc, m._spread.parameter)]

    def f(m: torch.Tensor, s: torch.Tensor, n: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        a, b = p._new(p.logits, m, p._spread, 1), q._new(q.logits, n, q._spread, 1)
        for mixture, spread in ((a, s), (b, t)):
            mixture._spread = type(mixture._spread)(spread)
        return log_diagonal(a, b) + log_diagonal(a, a)

    assert torch.autograd.gradcheck(f, inputs)


def test_self_products_do_not_know_locations() -> None:
    """Also where their differences would be lost, a million standard deviations from the origin."""
    x = torch.full((3, 12_288), 1e6, requires_grad=True)
    v = torch.tensor(1e-6, requires_grad=True)
    found = log_diagonal(p := GaussianMixture.from_samples(x, v), p)
    assert_close(found, np.full(3, -6144 * np.log(4 * np.pi * np.float64(np.float32(1e-6)))), 1e-12)
    gx, gv = torch.autograd.grad(found.sum(), [x, v], allow_unused=True)
    assert gx is None or not bool(gx.any())
    assert_close(gv, -3 * 6144 / np.float64(np.float32(1e-6)), 1e-6)


def test_errors() -> None:
    p, q = random_mixture("isotropic", 0, K=2), random_mixture("isotropic", 0, K=3)
    with pytest.raises(ValueError, match="p has 2 components and q has 3: to be paired"):
        log_diagonal(p, q)
    with pytest.raises(TypeError, match="no closed form"):
        log_diagonal(p, random_mixture("laplace", 0, K=2))
    with pytest.raises(ValueError, match="event_shape"):
        log_diagonal(p, GaussianMixture(torch.zeros(2), torch.zeros(2, 3), Isotropic(1.0)))
