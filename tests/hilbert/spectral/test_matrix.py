"""Nuclear norms of matrices against float64 decompositions, mpmath and matrices whose norm is known."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, get_args

import mpmath
import pytest
import torch
from torch import Tensor

from mixtura.hilbert.spectral import Method, nuclear_norm
from mixtura.hilbert.spectral.dense import dense
from mixtura.hilbert.spectral.matrix import certified, choose

METHODS: list[Any] = [m for m in get_args(Method) if m != "auto"]
DTYPES = [torch.float32, torch.float64]
SHAPES = [(60, 40), (40, 60), (300, 20), (1, 7), (7, 1), (1, 1)]
ABOVE = {torch.float32: 1e-6, torch.float64: 1e-12}
"""What a value may exceed the norm by, in units of it: rounding."""


def below(method: str, C: Tensor) -> float:
    """The stated error, relative to the norm; rounding is added."""
    single, M = C.dtype == torch.float32, min(C.shape)
    stated = {"tall": 3e-7 * M if single else 0, "decaying": 1e-3, "polar": (2e-6 if single else 2e-14) * M}
    return stated.get(method, 0) + ABOVE[C.dtype]


def truth(C: Tensor) -> Tensor:
    return torch.linalg.svdvals(C.double()).sum(-1)


def gaussian(N: int, M: int, variance: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """A kernel matrix, whose singular values decay."""
    x, y = torch.randn(N, 2, dtype=torch.float64), torch.randn(M, 2, dtype=torch.float64)
    return torch.exp(-torch.cdist(x, y).square() / (2 * variance)).to(dtype)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_method_keeps_its_stated_error_and_its_certificate(
    method: Method, dtype: torch.dtype, shape: tuple[int, int]
) -> None:
    for C in (torch.randn(shape).to(dtype), gaussian(*shape, 0.5, dtype), 1e-15 * torch.rand(shape).to(dtype)):
        norm, found = truth(C), certified(C, method, 1e-3)
        assert found.value <= norm * (1 + ABOVE[dtype])
        assert found.value >= norm * (1 - below(method, C))
        assert found.upper >= norm * (1 - ABOVE[dtype])
        W = found.factor.double()
        assert torch.linalg.matrix_norm(W, 2) <= 1 + (1e-5 if dtype == torch.float32 else 1e-7)
        attained = (W * C).sum()
        assert abs(attained - found.value) <= (2e-5 if dtype == torch.float32 else 1e-7) * norm
        torch.testing.assert_close(nuclear_norm(C, method), found.value, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("N", "M"), [(600, 400), (400, 600)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tolerance", [1e-1, 1e-2, 1e-3])
def test_random_directions_meet_their_tolerance(N: int, M: int, dtype: torch.dtype, tolerance: float) -> None:
    C = gaussian(N, M, 0.5, dtype)
    norm, found = truth(C), certified(C, "decaying", tolerance)
    assert 0 < found.upper - found.lower <= tolerance * found.lower  # so no full decomposition was needed
    assert found.lower <= norm * (1 + ABOVE[dtype])
    assert norm <= found.upper
    rank = torch.linalg.matrix_rank(found.factor.double(), rtol=1e-3)
    assert 0 < rank < min(N, M)


def test_random_directions_leave_a_flat_spectrum_to_a_full_decomposition() -> None:
    C = torch.linalg.qr(torch.randn(400, 300, dtype=torch.float64))[0]
    found = certified(C, "decaying", 1e-3)
    assert found.lower == found.upper
    assert math.isclose(found.lower.item(), 300, rel_tol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_polar_factor_of_a_permutation_is_the_permutation(method: Method, dtype: torch.dtype) -> None:
    permutation = torch.eye(30, dtype=dtype)[torch.randperm(30)]
    for scale in (1.0, 1e-12, 1e12):
        C = (scale * permutation).requires_grad_()
        value = nuclear_norm(C, method)
        (gradient,) = torch.autograd.grad(value, C)
        assert math.isclose(value.item(), 30 * scale, rel_tol=1e-5 if dtype == torch.float32 else 1e-6)
        torch.testing.assert_close(gradient, permutation, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_vanishing_singular_values_leave_the_gradient_finite_and_right(method: Method) -> None:
    low = torch.randn(50, 3, dtype=torch.float64) @ torch.randn(3, 20, dtype=torch.float64)
    duplicated = torch.randn(10, 20, dtype=torch.float64).repeat(5, 1)
    for C in (low, duplicated, torch.zeros(50, 20, dtype=torch.float64)):
        leaf = C.clone().requires_grad_()
        value = nuclear_norm(leaf, method)
        (gradient,) = torch.autograd.grad(value, leaf)
        assert bool(torch.isfinite(gradient).all())
        torch.testing.assert_close(value.detach(), truth(C), rtol=1e-9, atol=1e-12)
        U, s, Vh = torch.linalg.svd(C, full_matrices=False)
        kept = s > 1e-9 * s[0].clamp_min(1e-300)
        U, Vh = U[:, kept], Vh[kept]
        # a subgradient: U Vᵀ on the range of C, anything of norm one off it
        torch.testing.assert_close(U.T @ gradient @ Vh.T, torch.eye(len(Vh), dtype=torch.float64), rtol=0, atol=1e-6)
        assert torch.linalg.matrix_norm(gradient, 2) <= 1 + 1e-6


@pytest.mark.parametrize("method", ["dense", "polar"])
@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 5), (1, 4)])
def test_the_gradient_is_that_of_finite_differences(method: Method, shape: tuple[int, ...]) -> None:
    C = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c: nuclear_norm(c, method), C)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradient_of_tall_matrices_is_that_of_finite_differences(dtype: torch.dtype) -> None:
    C, E = torch.randn(200, 5).to(dtype).requires_grad_(), torch.randn(200, 5, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(nuclear_norm(C, "tall"), C)
    h = 1e-5
    difference = (truth(C.detach() + h * E) - truth(C.detach() - h * E)) / (2 * h)
    assert math.isclose((gradient * E).sum().item(), difference.item(), rel_tol=1e-5)


def test_batches_are_their_entries() -> None:
    C = torch.randn(2, 3, 40, 30, dtype=torch.float64)
    for method in METHODS:
        leaf = C.clone().requires_grad_()
        value = nuclear_norm(leaf, method)
        (gradient,) = torch.autograd.grad((value * torch.arange(6.0).view(2, 3)).sum(), leaf)
        torch.testing.assert_close(value.detach(), truth(C), rtol=1e-11, atol=0)
        single = certified(C[1, 1], method, 1e-3).factor
        torch.testing.assert_close(gradient[1, 1], 4 * single, rtol=0, atol=1e-8)


def test_mpmath_agrees_on_a_matrix_that_is_nearly_singular() -> None:
    C = torch.tensor([[1, 1 / (1 + i)] for i in range(3)], dtype=torch.float64)
    C = torch.cat([C, 1e-13 * torch.rand(3, 1, dtype=torch.float64)], -1)
    with mpmath.workdps(60):
        expected = float(sum(mpmath.svd_r(mpmath.matrix(C.tolist()), compute_uv=False)))
    for method in ("dense", "polar", "tall"):
        assert math.isclose(nuclear_norm(C, method).item(), expected, rel_tol=1e-13)


def test_shape_and_precision_choose_the_method() -> None:
    single, double = torch.zeros(1), torch.zeros(1, dtype=torch.float64)
    assert choose(100, 50, single, "auto") == "dense"
    assert choose(512, 128, single, "auto") == "tall"
    assert choose(512, 128, double, "auto") == "dense"
    assert choose(100_000, 50, double, "auto") == "tall"
    assert choose(50, 100_000, single, "auto") == "tall"
    assert choose(2048, 2048, single, "auto") == "decaying"
    assert choose(2048, 2048, single, "dense") == "dense"
    on_cuda: Any = SimpleNamespace(is_cuda=True, dtype=torch.float32)
    assert choose(2048, 2048, on_cuda, "auto") == "polar"


def test_a_second_derivative_says_that_there_is_none() -> None:
    C = torch.randn(3, 3, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(nuclear_norm(C), C, create_graph=True)
    with pytest.raises(NotImplementedError, match="differentiated once"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("C", "message"),
    [
        (torch.ones(3), "matrix"),
        (torch.ones(0, 3), "at least one row"),
        (torch.ones(2, 2, dtype=torch.long), "float32 or float64"),
        (torch.tensor([[math.nan]]), "not finite"),
    ],
)
def test_what_is_not_a_matrix_of_numbers_is_named(C: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nuclear_norm(C)


def test_methods_and_tolerances_are_checked() -> None:
    with pytest.raises(ValueError, match="method must be one of"):
        nuclear_norm(torch.ones(2, 2), "svd")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="tolerance"):
        nuclear_norm(torch.ones(2, 2), tolerance=0.0)


def test_a_decomposition_that_does_not_converge_is_taken_of_the_mirror_image(monkeypatch: pytest.MonkeyPatch) -> None:
    C = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = dense(C)
    svd, calls = torch.linalg.svd, []

    def fails_once(A: Tensor, full_matrices: bool = True) -> object:
        calls.append(A)
        if len(calls) == 1:
            raise RuntimeError("the algorithm failed to converge")
        return svd(A, full_matrices=full_matrices)

    monkeypatch.setattr(torch.linalg, "svd", fails_once)
    found = dense(C)
    assert len(calls) == 2
    torch.testing.assert_close(found.value, expected.value, rtol=1e-12, atol=0)
    torch.testing.assert_close(found.factor, expected.factor, rtol=1e-10, atol=1e-12)
