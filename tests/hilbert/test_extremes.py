"""12,288 dimensions, variances from 1e-12 to 1e12, components on one another and 1e6 apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from torch import Tensor

from mixtura.distributions import Covariance, Diagonal, GaussianMixture, Isotropic
from mixtura.hilbert import cauchy_schwarz_divergence, log_gram, log_inner, log_inner_components, stream
from mixtura.hilbert import table as form_table
from tests.helpers import assert_close

VARIANCES = [1e-12, 1e-6, 1.0, 1e6, 1e12]


def _centers(D: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Rows far from the origin; columns that coincide with rows, lie near them, and 1e6 away."""
    generator = torch.Generator().manual_seed(D)
    x = torch.randn(4, D, generator=generator, dtype=torch.float64)
    x[2:] += 1e6 / D**0.5
    y = torch.cat([x[:1], x[2:3], x[:1] + 1e-5 * torch.randn(1, D, generator=generator), x[1:2] - 1e6 / D**0.5])
    return x.to(dtype), y.to(dtype)


def _truth(x: Tensor, y: Tensor, s: NDArray[np.longdouble]) -> NDArray[np.float64]:
    """Dense logs in extended precision for ``s (N, M, D or 1)``."""
    d = x.numpy().astype(np.longdouble)[:, None] - y.numpy().astype(np.longdouble)[None]
    D = d.shape[-1]
    log_det = np.log(2 * np.pi * s).sum(-1) * (D / s.shape[-1])
    return (-0.5 * ((d * d / s).sum(-1) + log_det)).astype(np.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("D", [2, 784, 12_288])
@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("streamed", [False, True])
def test_one_variance(
    variance: float, D: int, dtype: torch.dtype, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if streamed:
        monkeypatch.setattr(form_table, "_SMALL", 0)
        monkeypatch.setattr(stream, "_SWEEP", 0)
    x, y = (t.requires_grad_() for t in _centers(D, dtype))
    v, u = (torch.tensor(variance * f, dtype=dtype, requires_grad=True) for f in (1.0, 0.25))
    p, q = GaussianMixture.from_samples(x, v), GaussianMixture.from_samples(y, u)
    s = np.asarray(v.item(), np.longdouble) + np.asarray(u.item(), np.longdouble)
    expected = _truth(x.detach(), y.detach(), np.full((4, 4, 1), s))
    assert_close(log_gram(p, q), expected, 1e-5)
    columns = log_inner_components(p, q)
    assert_close(columns, logsumexp(expected, 0) - np.log(4), 1e-5)
    columns.sum().backward()
    for t in (x, y, v, u):
        assert t.grad is not None
        assert bool(torch.isfinite(t.grad).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [Isotropic, Diagonal])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_variances_of_all_sizes_in_one_mixture(
    kind: type[Covariance], tied: bool, dtype: torch.dtype, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if streamed:
        monkeypatch.setattr(form_table, "_SMALL", 0)
        monkeypatch.setattr(stream, "_SWEEP", 0)
    D = 12_288
    x, y = (t.requires_grad_() for t in _centers(D, dtype))
    generator = torch.Generator().manual_seed(0)
    shape = (D,) if kind is Diagonal and tied else (4, D) if kind is Diagonal else () if tied else (4,)
    parameter = (10 ** (24 * torch.rand(shape, generator=generator) - 12)).to(dtype).requires_grad_()
    p = GaussianMixture(torch.zeros(4, dtype=dtype), x, kind(parameter))
    q = GaussianMixture(torch.zeros(4, dtype=dtype), y, kind(parameter))
    v = parameter.detach().numpy().astype(np.longdouble)
    v = v.reshape(*v.shape, *(1,) * (kind is Isotropic))
    v = np.broadcast_to(v, (4, v.shape[-1]))
    expected = _truth(x.detach(), y.detach(), v[:, None] + v[None])
    assert_close(log_gram(p, q), expected, 1e-5)
    columns = log_inner_components(p, q)
    assert_close(columns, logsumexp(expected, 0) - np.log(4), 1e-5)
    columns.sum().backward()
    for t in (x, y, parameter):
        assert t.grad is not None
        assert bool(torch.isfinite(t.grad).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inequalities_survive_where_densities_do_not(dtype: torch.dtype) -> None:
    x, y = _centers(12_288, dtype)
    for variance in VARIANCES:
        p, q = GaussianMixture.from_samples(x, variance), GaussianMixture.from_samples(y, variance)
        divergence = cauchy_schwarz_divergence(p, q)
        assert bool(torch.isfinite(divergence))
        assert divergence >= 0
        assert bool(torch.isfinite(log_inner(p, q)))
