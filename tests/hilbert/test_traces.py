"""One sweep for the trace and its gradient, beside dense algebra in float64, where components do and do not overlap."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mixtura.distributions import Diagonal, GaussianMixture, Isotropic
from mixtura.hilbert import log_projected_trace, traces
from mixtura.hilbert.projections import JITTER
from tests.helpers import assert_close

N, M = 3000, 100


def _tensors(D: int, dtype: torch.dtype, variance: float, tied: bool = False, distance: float = 1.0) -> list[Tensor]:
    """Return logits, locations and variances of p, then locations and variances of q."""
    g = torch.Generator().manual_seed(D)
    x, y = torch.randn(N, D, generator=g), distance * torch.randn(M, D, generator=g)
    v, u = (variance * (torch.ones(()) if tied else 0.5 + torch.rand(n, generator=g)) for n in (N, M))
    return [t.to(dtype).requires_grad_() for t in (torch.randn(N, generator=g), x, v, y, u)]


def _swept(logits: Tensor, x: Tensor, v: Tensor, y: Tensor, u: Tensor) -> Tensor:
    p = GaussianMixture(logits, x, Isotropic(v))
    return log_projected_trace(p, GaussianMixture(torch.zeros_like(y[:, 0]), y, Isotropic(u)))


def _dense(jitter: float, logits: Tensor, x: Tensor, v: Tensor, y: Tensor, u: Tensor) -> Tensor:
    """Return the same by solving with the jittered Gram matrix, whose correlations have a unit diagonal."""

    def log_gram(a: Tensor, s: Tensor, b: Tensor, t: Tensor) -> Tensor:
        s = s.expand(len(a)).unsqueeze(-1) + t.expand(len(b))
        square = (a.unsqueeze(-2) - b).square().sum(-1)
        return -0.5 * (square / s + a.shape[-1] * (2 * torch.pi * s).log())

    log_G, log_C = log_gram(y, u, y, u), log_gram(x, v, y, u)
    norms = 0.5 * log_G.diagonal()
    R = (log_G - norms - norms.unsqueeze(-1)).exp() + jitter * torch.eye(len(y), dtype=y.dtype)
    unit = (log_C - norms).detach().max()
    A = (log_C - norms - unit).exp()
    share = (A * torch.linalg.solve(R, A.T).T).sum(-1)
    return 2 * unit + (logits.softmax(-1) * share).sum().log()


def _compare(tensors: list[Tensor], tolerance: float, gradient_tolerance: float) -> None:
    found = _swept(*tensors)
    wide = [t.detach().double().requires_grad_() for t in tensors]
    exact = _dense(JITTER[tensors[1].dtype], *wide)
    assert_close(found, exact, tolerance, 1)
    gradients, expected = torch.autograd.grad(found, tensors), torch.autograd.grad(exact, wide)
    for own, other in zip(gradients, expected, strict=True):
        assert own.dtype == tensors[1].dtype
        assert_close(own, other, gradient_tolerance, max(1e-4, float(other.abs().max())))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize(("D", "variance"), [(1, 0.002), (2, 0.05), (5, 0.3), (20, 5.0)])
def test_value_and_gradient_in_everything(D: int, variance: float, tied: bool) -> None:
    _compare(_tensors(D, torch.float32, variance, tied), 1e-5, 1e-3)
    _compare(_tensors(D, torch.float64, variance, tied), 1e-9, 1e-4)


@pytest.mark.parametrize("variance", [1.0, 30.0])
@pytest.mark.parametrize("distance", [0.0, 1e-3, 1.0])
def test_where_float32_would_drown_the_gradient_it_is_float64(variance: float, distance: float) -> None:
    """Components that nearly coincide: the weights of the projection are differences of large numbers."""
    _compare(_tensors(2, torch.float32, variance, tied=True, distance=distance), 2e-5, 5e-3)


@pytest.mark.parametrize("shift", [1e2, 1e6])
def test_a_mixture_far_away_keeps_its_digits(shift: float) -> None:
    tensors = _tensors(2, torch.float32, 0.05)
    _compare([tensors[0], (tensors[1].detach() + shift).requires_grad_(), *tensors[2:]], 1e-9, 1e-3)


def test_a_value_alone_is_the_value_with_a_gradient() -> None:
    tensors = _tensors(2, torch.float32, 0.05)
    with torch.no_grad():
        alone = _swept(*tensors)
    assert_close(alone, _swept(*tensors), 1e-12, 1)


@pytest.mark.parametrize("diagonal", [False, True])
def test_second_derivatives_after_a_sweep(diagonal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_PAIRS", 1)
    g = torch.Generator().manual_seed(0)
    shapes = ((9,), (9, 1), (9,), (2, 1), (2,))
    inputs = [torch.rand(s, generator=g, dtype=torch.float64).add(0.2).requires_grad_() for s in shapes]

    def f(logits: Tensor, x: Tensor, v: Tensor, y: Tensor, u: Tensor) -> Tensor:
        S, T = (Diagonal(t.unsqueeze(-1)) if diagonal else Isotropic(t) for t in (v, u))
        p = GaussianMixture(logits, x, S, validate_args=False)
        return log_projected_trace(p, GaussianMixture(torch.zeros(2).double(), y, T, validate_args=False))

    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)
