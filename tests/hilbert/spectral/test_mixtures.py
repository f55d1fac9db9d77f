"""Nuclear norms and spectra of mixtures against dense float64 decompositions and bounds."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from mixtura.distributions import CauchyMixture, GaussianMixture, Isotropic, LaplaceMixture, VonMisesMixture
from mixtura.hilbert import log_diagonal
from mixtura.hilbert.inner import log_gram
from mixtura.hilbert.spectral import Method, effective_rank, log_nuclear_norm, log_singular_values
from tests.helpers import Case, assert_close, random_case
from tests.hilbert.truth import dense_log_gram, pairs

METHODS: list[Any] = ["dense", "tall", "decaying", "polar"]
BELOW = {"dense": 1e-5, "tall": 1e-4, "decaying": 2e-3, "polar": 1e-4}
LIMIT = {torch.float32: 1e-4, torch.float64: 1e-9}


def dense_log_values(p: Case, q: Case) -> np.ndarray[Any, Any]:
    """Return the logs of the singular values of the weighted Gram matrix, shape (*B, min(N, M))."""
    with np.errstate(divide="ignore"):
        logs = dense_log_gram(p.dense, q.dense)
        logs = logs + 0.5 * (np.log(p.dense.weights)[..., :, None] + np.log(q.dense.weights)[..., None, :])
        unit = logs.max((-2, -1), keepdims=True)
        return unit[..., 0] + np.log(np.linalg.svd(np.exp(logs - unit), compute_uv=False))


def log_trace(p: Any) -> Tensor:
    return torch.logsumexp(torch.log_softmax(p.logits.double(), -1) + log_diagonal(p, p), -1)


def log_bound(p: Any, q: Any) -> Tensor:
    return 0.5 * (log_trace(p) + log_trace(q))


def parameters(N: int, D: int, dtype: torch.dtype, tied: bool = False) -> list[Tensor]:
    v = torch.rand(() if tied else (N,), dtype=torch.float64) + 0.3
    tensors = (torch.randn(N, dtype=torch.float64), torch.randn(N, D, dtype=torch.float64), v)
    return [t.to(dtype).requires_grad_() for t in tensors]


def mixture(tensors: list[Tensor]) -> GaussianMixture:
    logits, loc, v = tensors
    return GaussianMixture(logits, loc, Isotropic(v))


def by_autograd(p: GaussianMixture, q: GaussianMixture) -> Tensor:
    logs = 0.5 * (p.log_weights.unsqueeze(-1) + q.log_weights.unsqueeze(-2)) + log_gram(p, q)
    unit = logs.detach().amax()
    return unit + torch.linalg.svdvals((logs - unit).exp()).sum().log()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_logs_are_those_of_the_dense_reference(case: tuple[Case, Case]) -> None:
    p, q = case
    values = dense_log_values(p, q)
    expected = np.logaddexp.reduce(values, -1)
    # what cannot be seen beside the largest entry of the batch entry's matrix is rounding
    unit = np.maximum(1, np.abs(expected))
    tolerance = 1e-4 if torch.float32 in (p.dtype, q.dtype) else 1e-9
    assert_close(log_nuclear_norm(p.mixture, q.mixture, "dense"), expected, tolerance, unit=unit)
    found = log_singular_values(p.mixture, q.mixture)
    assert_close(found[..., 0], values[..., 0], tolerance, unit=1)
    assert bool((found[..., 1:] <= found[..., :-1]).all())


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_the_norm_never_exceeds_its_bound(case: tuple[Case, Case]) -> None:
    p, q = (c.mixture for c in case)
    limit = LIMIT[torch.float32 if torch.float32 in (case[0].dtype, case[1].dtype) else torch.float64]
    for method in METHODS:
        assert bool((log_nuclear_norm(p, q, method) <= log_bound(p, q) + limit).all())
        own = log_nuclear_norm(p, p, method)
        assert bool((own <= log_trace(p) + limit).all())
        assert bool((own >= log_trace(p) - BELOW[method]).all())


def test_the_trace_never_exceeds_the_norm() -> None:
    for seed in range(20):
        p, q = (random_case("diagonal", K=12, D=3, seed=2 * seed + k).mixture for k in range(2))
        log_w, log_u = p.log_weights, q.log_weights
        trace = torch.logsumexp(0.5 * (log_w + log_u) + log_diagonal(p, q), -1)
        assert trace - 1e-12 <= log_nuclear_norm(p, q) <= log_bound(p, q) + 1e-12


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("N", "M"), [(60, 10), (10, 60), (30, 30), (1, 5), (5, 1), (1, 1)])
def test_gradients_are_those_of_a_dense_decomposition(method: Method, dtype: torch.dtype, N: int, M: int) -> None:
    P, Q = parameters(N, 2, dtype), parameters(M, 2, dtype)
    value = log_nuclear_norm(mixture(P), mixture(Q), method)
    exact = [t.detach().double().requires_grad_() for t in P + Q]
    expected = by_autograd(mixture(exact[:3]), mixture(exact[3:]))
    assert value.dtype == torch.float64
    assert math.isclose(value.item(), expected.item(), abs_tol=1e-5 if dtype == torch.float32 else 1e-12)
    unit = max(t.abs().max().item() for t in torch.autograd.grad(expected, exact, retain_graph=True))
    for got, wanted in zip(torch.autograd.grad(value, P + Q), torch.autograd.grad(expected, exact), strict=True):
        torch.testing.assert_close(got.double(), wanted, rtol=0, atol=unit * (2e-4 if dtype == torch.float32 else 1e-7))


@pytest.mark.parametrize("D", [2, 12])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("N", "M"), [(3000, 100), (60, 5000), (550, 500)])
def test_blocks_of_isotropic_gaussians_give_what_automatic_differentiation_gives(
    D: int, tied: bool, dtype: torch.dtype, N: int, M: int
) -> None:
    P, Q = parameters(N, D, dtype, tied), parameters(M, D, dtype, tied)
    exact = [t.detach().double().requires_grad_() for t in P + Q]
    expected = by_autograd(mixture(exact[:3]), mixture(exact[3:]))
    wanted = torch.autograd.grad(expected, exact)
    tolerance = 1e-3 if dtype == torch.float32 else 2e-5  # float32 kernels lose their smallest singular values
    for chosen in (range(6), [4], [1], [5], [2], [0, 3]):
        value = log_nuclear_norm(mixture(P), mixture(Q), "tall")
        assert math.isclose(value.item(), expected.item(), abs_tol=2e-5 if dtype == torch.float32 else 1e-10)
        for i, got in zip(chosen, torch.autograd.grad(value, [(P + Q)[i] for i in chosen]), strict=True):
            torch.testing.assert_close(got.double(), wanted[i], rtol=0, atol=tolerance * wanted[i].abs().max().item())


def test_gradients_of_batches_are_those_of_their_entries() -> None:
    p, q = random_case("full", batch=(2, 3), K=6, D=2, seed=1), random_case("diagonal", batch=(3,), K=4, D=2, seed=2)
    for method in METHODS:
        loc = q.mixture.loc.clone().requires_grad_()
        moved = GaussianMixture(q.mixture.logits, loc, q.mixture.covariance)
        value = log_nuclear_norm(p.mixture, moved, method)
        (gradient,) = torch.autograd.grad(value.sum(), loc)
        assert_close(value, np.logaddexp.reduce(dense_log_values(p, q), -1), 1e-9, unit=1)
        h, e = 1e-6, torch.randn_like(loc)
        ends = [
            log_nuclear_norm(
                p.mixture, GaussianMixture(q.mixture.logits, loc.detach() + s * h * e, q.mixture.covariance), "dense"
            ).sum()
            for s in (1, -1)
        ]
        assert math.isclose((gradient * e).sum().item(), ((ends[0] - ends[1]) / (2 * h)).item(), rel_tol=1e-6)


@pytest.mark.parametrize("family", [LaplaceMixture, CauchyMixture, VonMisesMixture])
def test_other_families_have_their_norm_and_bound(family: Any) -> None:
    def draw(K: int) -> Any:
        spread = torch.rand(K if family is CauchyMixture else (K, 2), dtype=torch.float64) + 0.2
        return family(torch.zeros(K, dtype=torch.float64), torch.randn(K, 2, dtype=torch.float64), spread)

    p, q = draw(7), draw(5)
    C = (log_gram(p, q) - 0.5 * math.log(35)).exp()
    assert math.isclose(log_nuclear_norm(p, q).item(), torch.linalg.svdvals(C).sum().log().item(), rel_tol=1e-12)
    assert math.isclose(log_nuclear_norm(p, p).item(), log_trace(p).item(), rel_tol=1e-12)
    assert log_nuclear_norm(p, q) <= log_bound(p, q)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("D", [784, 12_288])
@pytest.mark.parametrize("v", [1e-12, 1.0, 1e12])
def test_many_dimensions_keep_their_digits(dtype: torch.dtype, D: int, v: float) -> None:
    x = math.sqrt(v) * torch.rand(20, D, dtype=dtype)
    p = GaussianMixture.from_samples(x, variance=v)
    q = GaussianMixture.from_samples((x + 0.01 * math.sqrt(v) * torch.rand(20, D, dtype=dtype))[:15], variance=v)
    assert abs(log_nuclear_norm(p, p) - log_trace(p)) < LIMIT[dtype]
    d2 = torch.cdist(p.loc.double(), q.loc.double(), compute_mode="donot_use_mm_for_euclid_dist").square()
    v = torch.tensor(v, dtype=dtype).item()
    expected = torch.linalg.svdvals((-d2 / (4 * v)).exp()).sum().log().item() - 0.5 * (
        D * math.log(4 * math.pi * v) + math.log(300)
    )
    assert math.isclose(log_nuclear_norm(p, q).item(), expected, abs_tol=LIMIT[dtype])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_entries_that_underflow_contribute_nothing(method: Method, dtype: torch.dtype) -> None:
    x = torch.tensor([[0.0], [1.0], [30.0], [500.0]], dtype=dtype)  # the last meets nobody: e^-50,000 and less
    p, q = (GaussianMixture.from_samples(c.requires_grad_(), variance=0.5) for c in (x, x[:3].detach()))
    value = log_nuclear_norm(p, q, method)
    with mpmath.workdps(50):
        C = mpmath.matrix(4, 3)
        for i in range(4):
            for j in range(3):
                C[i, j] = mpmath.exp(-((mpmath.mpf(x[i].item()) - mpmath.mpf(x[j].item())) ** 2) / 2)
        expected = mpmath.log(sum(mpmath.svd_r(C, compute_uv=False)) / mpmath.sqrt(12 * 2 * mpmath.pi))
    assert math.isclose(value.item(), float(expected), abs_tol=1e-5 if dtype == torch.float32 else 1e-12)
    (gradient,) = torch.autograd.grad(value, x)
    assert gradient[3] == 0
    assert bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize("method", METHODS)
def test_a_component_of_weight_zero_changes_nothing(method: Method) -> None:
    logits, loc = torch.tensor([0.0, 0.5, -math.inf]).requires_grad_(), torch.tensor([[0.0], [1.0], [2.0]])
    p = GaussianMixture(logits, loc, Isotropic(0.5))
    alone = GaussianMixture(logits[:2].detach(), loc[:2], Isotropic(0.5))
    value = log_nuclear_norm(p, p, method)
    assert math.isclose(value.item(), log_nuclear_norm(alone, alone, method).item(), abs_tol=1e-6)
    (gradient,) = torch.autograd.grad(value, logits)
    assert bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize(("N", "M"), [(40, 30), (6000, 200)])
def test_spectra_are_those_of_a_dense_decomposition(N: int, M: int) -> None:
    P, Q = parameters(N, 2, torch.float64), parameters(M, 2, torch.float64)
    p, q = mixture(P), mixture(Q)
    logs = 0.5 * (p.log_weights.unsqueeze(-1) + q.log_weights.unsqueeze(-2)) + log_gram(p, q)
    expected = torch.linalg.svdvals(logs.exp())
    for found in (log_singular_values(p, q), log_singular_values(q, p)):
        torch.testing.assert_close(found.exp(), expected.detach(), rtol=1e-10, atol=1e-15)


def test_the_effective_rank_counts_what_is_different() -> None:
    far = 100 * torch.arange(4.0, dtype=torch.float64).unsqueeze(-1)
    assert math.isclose(effective_rank(GaussianMixture.from_samples(far, 0.5)).item(), 4, rel_tol=1e-12)
    same = GaussianMixture.from_samples(torch.zeros(5, 3), 0.5)
    assert math.isclose(effective_rank(same).item(), 1, rel_tol=1e-9)
    case = random_case("full", batch=(2,), K=6, D=3, seed=3)
    values = np.exp(dense_log_values(case, case))
    share = values / values.sum(-1, keepdims=True)
    assert_close(effective_rank(case.mixture), np.exp(-(share * np.log(share)).sum(-1)), 1e-10)


def test_the_effective_rank_of_a_grid_is_the_published_one() -> None:
    grid = torch.cartesian_prod(*(torch.arange(-4.0, 5.0, 2.0),) * 2)
    x = grid[torch.randint(25, (256,))] + 0.05 * torch.randn(256, 2)
    share = effective_rank(GaussianMixture.from_samples(x, variance=0.0025)).item() / 256
    assert abs(share - 0.31) < 0.03


def test_numbers_that_are_not_finite_are_named() -> None:
    p = GaussianMixture(torch.zeros(2), torch.tensor([[0.0], [math.nan]]), Isotropic(0.5), validate_args=False)
    for f in (log_nuclear_norm, log_singular_values):
        with pytest.raises(ValueError, match="not finite"):
            f(p, p)
    with pytest.raises(ValueError, match="not finite"):
        effective_rank(p)


def test_spaces_must_agree_and_methods_exist() -> None:
    p, q = (GaussianMixture.from_samples(torch.zeros(2, D), 0.5) for D in (1, 2))
    with pytest.raises(ValueError, match="event_shape"):
        log_nuclear_norm(p, q)
    with pytest.raises(ValueError, match="method must be one of"):
        log_nuclear_norm(p, p, "svd")  # pyright: ignore[reportArgumentType]


def test_a_second_derivative_says_that_there_is_none() -> None:
    P = parameters(3, 2, torch.float64)
    (gradient,) = torch.autograd.grad(log_nuclear_norm(mixture(P), mixture(P)), P[1], create_graph=True)
    with pytest.raises(NotImplementedError, match="differentiated once"):
        gradient.sum().backward()


MEMORY = """
import torch
torch.set_num_threads(1)
from mixtura.distributions import GaussianMixture
from mixtura.hilbert.spectral import log_nuclear_norm
def job(p, y):
    log_nuclear_norm(p, GaussianMixture.from_samples(y, 0.05), "tall").backward()
def points(N):
    return GaussianMixture.from_samples(torch.randn(N, 2), 0.05), torch.randn(256, 2, requires_grad=True)
job(*points(2000))
p, y = points({N})
def status(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
job(p, y)
print((status("VmHWM") - before) / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_million_rows_need_no_matrix_of_them() -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    code = [sys.executable, "-c", MEMORY.format(N=1_000_000)]
    extra = float(subprocess.run(code, capture_output=True, text=True, check=True, env=environment).stdout)
    assert extra < 64  # MB; the matrix has a thousand
