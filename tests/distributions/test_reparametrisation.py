"""Gradients of samples against exact derivatives of expectations."""

import pytest
import torch

from mixtura.distributions import Diagonal, Full, GaussianMixture, Isotropic, Precision
from mixtura.distributions.reparametrisation import reparametrise

TRIANGULAR = {"isotropic": Isotropic, "diagonal": Diagonal, "full": Full, "precision": Precision}


def _parameter(kind: str, K: int, D: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(3)
    if kind == "isotropic":
        return torch.rand(K, generator=g, dtype=torch.float64) + 0.3
    if kind == "diagonal":
        return torch.rand(K, D, generator=g, dtype=torch.float64) + 0.3
    lower = torch.randn(K, D, D, generator=g, dtype=torch.float64).tril(-1) * 0.5
    return lower + torch.diag_embed(torch.rand(K, D, generator=g, dtype=torch.float64) + 0.6)


@pytest.mark.parametrize("kind", TRIANGULAR)
@pytest.mark.parametrize("D", [1, 3])
def test_gradient_of_moments(kind: str, D: int) -> None:
    """d/dθ of a Monte Carlo mean through the samples agrees with d/dθ of the exact moment, within its error."""
    torch.manual_seed(0)
    n, K = 60_000, 3
    leaves = [
        torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64),
        torch.randn(K, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64),
        _parameter(kind, K, D),
    ]
    for leaf in leaves:
        leaf.requires_grad_()
    q = GaussianMixture(leaves[0], leaves[1], TRIANGULAR[kind](leaves[2]), validate_args=False)
    direction = torch.linspace(1, 2, D, dtype=torch.float64)
    exact = direction @ q.covariance_matrix @ direction + (q.mean @ direction) ** 2  # E (aᵀx)²
    expected = torch.autograd.grad(exact, leaves, retain_graph=True)
    chunks = []
    for _ in range(10):
        x = q.rsample((n // 10,))
        chunks.append(torch.autograd.grad(((x @ direction) ** 2).mean(), leaves, retain_graph=True))
    for i, want in enumerate(expected):
        each = torch.stack([c[i] for c in chunks])
        if kind in ("full", "precision") and i == 2:
            each, want = each.tril(), want.tril()
        error = each.std(0) / 10**0.5
        assert bool(((each.mean(0) - want).abs() <= 6 * error + 1e-9).all()), (each.mean(0), want, error)


def test_one_gaussian_moves_as_location_and_scale() -> None:
    """With one component the gradient is exact: dx/dm = 1, dx/ds = z."""
    m, v = torch.tensor([[1.0, -2.0]]).double().requires_grad_(), torch.tensor([[0.5, 2.0]]).double().requires_grad_()
    q = GaussianMixture(torch.zeros(1).double(), m, Diagonal(v))
    drawn = q.sample((7,))
    x = reparametrise(q, drawn)
    assert torch.equal(x.detach(), drawn)
    (dm, dv) = torch.autograd.grad(x.sum(), [m, v])
    torch.testing.assert_close(dm, torch.full((1, 2), 7.0).double())
    z = (drawn - m) / v.sqrt()
    torch.testing.assert_close(dv, (z / (2 * v.sqrt())).sum(0, keepdim=True).detach())


def test_scalars_have_gradients() -> None:
    loc = torch.tensor([0.0, 3.0]).double().requires_grad_()
    q = GaussianMixture(torch.zeros(2).double(), loc, Isotropic(0.5), event_dim=0)
    assert q.has_rsample
    x = q.rsample((20_000,))
    assert x.shape == (20_000,)
    (gradient,) = torch.autograd.grad(x.mean(), loc)
    torch.testing.assert_close(gradient, torch.full((2,), 0.5).double(), atol=0.02, rtol=0)  # dE x/dm_k = w_k
