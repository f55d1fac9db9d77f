"""Sums over components in blocks are the sums, and their memory does not grow with N."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.hilbert import (
    blocks,
    cauchy_schwarz_divergence,
    log_gram,
    log_inner,
    log_inner_components,
    log_norm,
    split,
    stream,
)
from mixtura.hilbert import table as form_table
from mixtura.hilbert.sweep import sweep
from tests.helpers import KINDS, RTOL, Case, assert_close, random_case
from tests.hilbert.truth import dense_log_columns, dense_log_gram, dense_log_inner, parameters

Inputs = list[Tensor]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows and columns, so that small mixtures are streamed."""
    monkeypatch.setattr(form_table, "_SMALL", 0)
    monkeypatch.setattr(stream, "_SWEEP", 0)
    monkeypatch.setattr(stream, "_SQUARE", 5)
    monkeypatch.setattr(split, "_DENSE", 16)
    monkeypatch.setattr(blocks, "_COLUMNS", 4)
    monkeypatch.setattr(blocks, "_PAIRS_CACHE", 12)
    monkeypatch.setattr(blocks, "_PAIRS_PRODUCT", 20)


def _rebuild(kind: str, parts: tuple[Tensor, ...] | Inputs) -> GaussianMixture:
    parameter = parts[2].tril() if kind in ("full", "precision") else parts[2]
    return GaussianMixture(parts[0], parts[1], KINDS[kind](parameter), validate_args=False)


def _covariances(kind: str, parameter: Tensor, D: int) -> Tensor:
    """Return S from the definition of each kind."""
    if kind == "isotropic":
        return parameter[..., None, None] * torch.eye(D)
    if kind == "diagonal":
        return torch.diag_embed(parameter)
    factor = parameter.tril()
    return factor @ factor.mT if kind == "full" else torch.linalg.inv(factor.mT @ factor)


def _dense(kinds: tuple[str, str], p: Inputs, q: Inputs) -> Tensor:
    """Return log h_j by torch.distributions, which shares no code with the library."""
    offset = p[1].unsqueeze(-2) - q[1].unsqueeze(-3)
    (N, D), M = p[1].shape, len(q[1])
    S = _covariances(kinds[0], p[2], D).expand(N, D, D)
    T = _covariances(kinds[1], q[2], D).expand(M, D, D)
    total = S.unsqueeze(-3) + T.unsqueeze(-4)
    logs = torch.distributions.MultivariateNormal(torch.zeros_like(offset), total).log_prob(offset)
    return torch.logsumexp(torch.log_softmax(p[0], -1).unsqueeze(-1) + logs, -2)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("N", "M"), [(1, 1), (2, 13), (23, 1), (12, 4), (41, 11)])
@pytest.mark.parametrize("kinds", list(itertools.product(KINDS, KINDS)))
def test_streamed_values_are_those_of_the_dense_reference(
    kinds: tuple[str, str], N: int, M: int, dtype: torch.dtype
) -> None:
    p = random_case(kinds[0], K=N, D=2, dtype=dtype, seed=1)
    q = random_case(kinds[1], K=M, D=2, dtype=dtype, seed=2)
    rtol = RTOL[dtype]
    assert_close(log_inner_components(p.mixture, q.mixture), dense_log_columns(p.dense, q.dense), rtol, unit=1)
    assert_close(log_gram(p.mixture, q.mixture), dense_log_gram(p.dense, q.dense), rtol, unit=1)
    assert_close(log_inner(p.mixture, q.mixture), dense_log_inner(p.dense, q.dense), rtol, unit=1)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("D", [1, 3, 12])
@pytest.mark.parametrize("tied", list(itertools.product([False, True], [False, True])))
@pytest.mark.parametrize("kinds", [("isotropic", "isotropic"), ("diagonal", "isotropic"), ("full", "precision")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_streamed_gradients_are_those_of_the_dense_reference(
    kinds: tuple[str, str], tied: tuple[bool, bool], D: int, dtype: torch.dtype
) -> None:
    p = random_case(kinds[0], K=29, D=D, dtype=dtype, tied=tied[0], seed=3, spread=1.0)
    q = random_case(kinds[1], K=7, D=D, dtype=dtype, tied=tied[1], seed=4, spread=1.0)
    direction = torch.randn(7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    P, Q = parameters(p), parameters(q)
    found = log_inner_components(_rebuild(kinds[0], P), _rebuild(kinds[1], Q))
    inputs = [*P, *Q[1:]]
    gradients = torch.autograd.grad((found * direction.to(dtype)).sum(), inputs)
    wide = [[t.detach().double().requires_grad_() for t in parts] for parts in (P, Q)]
    expected = torch.autograd.grad(
        (_dense(kinds, *wide) * direction.to(dtype).double()).sum(), [*wide[0], *wide[1][1:]]
    )
    for name, g, e in zip(("logits", "x", "v", "y", "u"), gradients, expected, strict=True):
        unit = max(1.0, float(e.abs().max()))
        assert g.shape == e.shape, name
        assert_close(g, e, 1e-4 if dtype == torch.float32 else 1e-10, unit=unit)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("D", [1, 12])
@pytest.mark.parametrize("tied", [(True, True), (False, True), (False, False)])
def test_streamed_first_and_second_derivatives_pass_gradcheck(tied: tuple[bool, bool], D: int) -> None:
    p = random_case("isotropic", K=5, D=D, tied=tied[0], seed=5, spread=0.5)
    q = random_case("isotropic", K=3, D=D, tied=tied[1], seed=6, spread=0.5)

    def f(*parts: Tensor) -> Tensor:
        return log_inner_components(_rebuild("isotropic", parts[:3]), _rebuild("isotropic", parts[3:]))

    inputs = (*parameters(p), *parameters(q))
    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("kinds", [("full", "diagonal"), ("diagonal", "diagonal")])
def test_recomputed_blocks_pass_gradcheck(kinds: tuple[str, str]) -> None:
    p = random_case(kinds[0], batch=(2,), K=4, D=2, seed=7, spread=0.5)
    q = random_case(kinds[1], K=3, D=2, seed=8, spread=0.5)

    def f(*parts: Tensor) -> Tensor:
        return log_inner_components(_rebuild(kinds[0], parts[:3]), _rebuild(kinds[1], parts[3:]))

    inputs = (*parameters(p), *parameters(q))
    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("kind", ["isotropic", "full"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_norm_from_half_of_its_pairs_passes_gradcheck(kind: str, tied: bool) -> None:
    p = random_case(kind, batch=(2,), K=11, D=2, seed=18, tied=tied)
    assert_close(log_norm(p.mixture), dense_log_inner(p.dense, p.dense), 1e-12, unit=1)

    def f(*parts: Tensor) -> Tensor:
        return log_norm(_rebuild(kind, parts))

    small = random_case(kind, K=5, D=1, seed=19, tied=tied, spread=0.5)
    assert torch.autograd.gradcheck(f, tuple(parameters(small)))
    assert torch.autograd.gradgradcheck(f, tuple(parameters(small)))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("batches", [((3,), ()), ((), (3,)), ((2, 1), (3,)), ((2, 3), (2, 3))])
@pytest.mark.parametrize("kind", ["isotropic", "full"])
def test_batches_are_streamed(kind: str, batches: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    p = random_case(kind, batch=batches[0], K=9, seed=9, tied=kind == "full")
    q = random_case("isotropic", batch=batches[1], K=5, seed=10)
    assert_close(log_inner_components(p.mixture, q.mixture), dense_log_columns(p.dense, q.dense), 1e-11, unit=1)
    assert_close(log_inner(p.mixture, q.mixture), dense_log_inner(p.dense, q.dense), 1e-11, unit=1)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("order", [1, -1])
def test_blocks_may_come_in_any_order_of_distance(order: int, dtype: torch.dtype) -> None:
    """The running maximum of a column moves by thousands of nats from block to block."""
    x = order * torch.linspace(-300, 300, 101, dtype=dtype).unsqueeze(-1)
    y = torch.tensor([[-300.0], [0.25], [250.0], [900.0]], dtype=dtype)
    logits = torch.linspace(-50, 50, 101, dtype=dtype)
    p, q = GaussianMixture(logits, x, Isotropic(0.5)), GaussianMixture.from_samples(y, 0.5)
    d = x.double() - y.double().T
    expected = torch.logsumexp(torch.log_softmax(logits.double(), -1)[:, None] - 0.5 * d**2, 0) - 0.91893853320467274
    assert_close(log_inner_components(p, q), expected, 1e-6 if dtype == torch.float32 else 1e-13)


class _Largest(TorchDispatchMode):
    """Remember the largest tensor that any operation made."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for t in found if isinstance(found, tuple | list) else (found,):
            if isinstance(t, Tensor) and not t._is_view():
                self.numel = max(self.numel, t.untyped_storage().nbytes() // t.element_size())
        return found


@pytest.mark.parametrize(
    ("kind", "N", "M", "D"),
    [("isotropic", 20_000, 300, 2), ("isotropic", 30_000, 200, 10), ("diagonal", 800, 200, 20), ("full", 400, 200, 6)],
)
def test_no_buffer_is_larger_than_a_block_or_the_inputs(kind: str, N: int, M: int, D: int) -> None:
    p = random_case(kind, K=N, D=D, dtype=torch.float32, seed=11)
    q = random_case(kind, K=M, D=D, dtype=torch.float32, seed=12)
    P, Q = parameters(p), parameters(q)
    with _Largest() as largest:
        log_inner(_rebuild(kind, P), _rebuild(kind, Q)).backward()
    inputs = max(t.numel() for t in (*P, *Q))
    block, width = {"isotropic": (2**21, 1), "diagonal": (2**18, D), "full": (2**18, D * D)}[kind]
    assert largest.numel <= block + 2 * inputs < N * M * width
    assert all(bool(torch.isfinite(t.grad).all()) for t in (*P, *Q) if t.grad is not None)


def test_sizes_at_which_the_method_changes_agree() -> None:
    """Dense float64, one sweep, and blocks of columns join without a step."""
    p = random_case("isotropic", K=255, D=2, dtype=torch.float32, tied=True, seed=13)
    for M in (250, 256, 260, 2048, 2049):
        q = random_case("isotropic", K=M, D=2, dtype=torch.float32, tied=True, seed=14)
        assert_close(log_inner_components(p.mixture, q.mixture), dense_log_columns(p.dense, q.dense), 2e-6, unit=1)


@pytest.mark.parametrize("D", [2, 8, 9, 64])
def test_gradients_of_a_full_sweep_have_the_digits_of_float32(D: int) -> None:
    p = random_case("isotropic", K=1501, D=D, dtype=torch.float32, tied=True, seed=16)
    q = random_case("isotropic", K=99, D=D, dtype=torch.float32, tied=True, seed=17)
    y = q.mixture.loc.clone().requires_grad_()
    log_inner(p.mixture, GaussianMixture(q.mixture.logits, y, q.mixture.covariance)).backward()
    x, z = p.mixture.loc.double(), q.mixture.loc.double().requires_grad_()
    s = p.mixture.covariance.parameter.double() + q.mixture.covariance.parameter.double()
    logs = -0.5 * (x.unsqueeze(1) - z).square().sum(-1) / s
    torch.logsumexp(p.mixture.log_weights.double()[:, None] + q.mixture.log_weights.double() + logs, (0, 1)).backward()
    assert y.grad is not None
    assert z.grad is not None
    assert_close(y.grad, z.grad, 2e-6, unit=float(z.grad.abs().max()))


@pytest.mark.parametrize("data", ["sorted", "outliers", "weights", "rare"])
@pytest.mark.parametrize(("D", "s"), [(2, 1e-3), (2, 1.0), (20, 0.02), (20, 1.0)])
def test_a_sample_of_the_rows_may_miss_what_matters(data: str, D: int, s: float) -> None:
    """Rows in clusters one after another, columns far out, weights over 80 nats, one row that alone is near."""
    generator = torch.Generator().manual_seed(1)
    x, logits = torch.randn(2000, D, generator=generator), torch.zeros(2000)
    if data == "sorted":
        x += 3 * torch.arange(2000).div(200, rounding_mode="floor").unsqueeze(-1)
    y = x[torch.randperm(2000, generator=generator)[:120]] + 0.3 * s**0.5 * torch.randn(120, D, generator=generator)
    if data == "outliers":
        y *= 4
    elif data == "weights":
        logits = 20 * torch.randn(2000, generator=generator)
    elif data == "rare":
        x[1] = y[5] = 100.0
    centers, z = y.clone().requires_grad_(), y.double().requires_grad_()
    p = GaussianMixture(logits, x, Isotropic(s / 2))
    found = log_inner_components(p, GaussianMixture.from_samples(centers, s / 2))
    found.sum().backward()
    variance = 2 * p.covariance.parameter.double()
    logs = -0.5 * ((x.double().unsqueeze(1) - z).square().sum(-1) / variance + D * (2 * torch.pi * variance).log())
    expected = torch.logsumexp(torch.log_softmax(logits.double(), -1).unsqueeze(-1) + logs, 0)
    expected.sum().backward()
    assert_close(found, expected, 1e-5, unit=1)
    assert centers.grad is not None
    assert z.grad is not None
    assert_close(centers.grad, z.grad, 1e-5, unit=float(z.grad.abs().max()))


def test_a_streamed_divergence_keeps_its_sign() -> None:
    p: Case = random_case("isotropic", K=700, D=3, dtype=torch.float32, tied=True, seed=15)
    assert cauchy_schwarz_divergence(p.mixture, p.mixture).item() == 0


def test_one_tensor_in_two_places_has_one_gradient_whether_or_not_it_is_differentiated_again() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(5, 2, dtype=torch.float64, generator=g, requires_grad=True)
    v = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    value = sweep(torch.zeros(5, dtype=torch.float64), x, v, x, v).sum()
    again = torch.autograd.grad(value, (x, v), create_graph=True)
    for found, wanted in zip(again, torch.autograd.grad(value, (x, v)), strict=True):
        assert_close(found.detach(), wanted, 1e-12, unit=1)
