"""Factor plus diagonal against the dense matrix that it stands for."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mixtura.distributions import Full, GaussianMixture, LowRank
from tests.helpers import RTOL, assert_close


def random_pair(seed: int, batch: tuple[int, ...], K: int, D: int, r: int, tied: bool) -> tuple[LowRank, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    lead = () if tied else (*batch, K)
    F = torch.randn(*lead, D, r, generator=g, dtype=torch.float64)
    v = torch.randn(*lead, D, generator=g, dtype=torch.float64).exp()
    return LowRank(F, v), F @ F.mT + torch.diag_embed(v)


@given(
    st.integers(0, 999),
    st.sampled_from([(), (2,), (2, 1)]),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_is_the_dense_mixture(
    seed: int, batch: tuple[int, ...], K: int, D: int, r: int, tied: bool, dtype: torch.dtype
) -> None:
    S, dense = random_pair(seed, batch, K, D, r, tied)
    g = torch.Generator().manual_seed(seed)
    logits = torch.randn(*batch, K, generator=g, dtype=torch.float64)
    loc = torch.randn(*batch, K, D, generator=g, dtype=torch.float64)
    x = 3 * torch.randn(4, *batch, D, generator=g, dtype=torch.float64)
    reference = GaussianMixture(logits, loc, Full(torch.linalg.cholesky(dense)))
    q = GaussianMixture(logits.to(dtype), loc.to(dtype), S)
    assert_close(q.log_prob(x.to(dtype)), reference.log_prob(x), RTOL[dtype], 1)
    assert_close(q.covariance_matrix, reference.covariance_matrix, RTOL[dtype], 1)
    assert_close(q.cdf(x.to(dtype)), reference.cdf(x), RTOL[dtype], 1)
    precision = S.precision_matrix(D)
    assert_close(precision @ dense, torch.eye(D).expand_as(dense), 1e-9, 1)
    if D > 1:
        assert_close(
            q.marginal([D - 1]).log_prob(x[..., -1:].to(dtype)),
            reference.marginal([D - 1]).log_prob(x[..., -1:]),
            RTOL[dtype],
            1,
        )
        got = q.condition({D - 1: x[..., -1].to(dtype)}).log_prob(x[..., :-1].to(dtype))
        assert_close(got, reference.condition({D - 1: x[..., -1]}).log_prob(x[..., :-1]), 10 * RTOL[dtype], 10)


def test_samples_have_its_covariance() -> None:
    torch.manual_seed(0)
    S, dense = random_pair(1, (), 2, 3, 2, tied=False)
    loc = torch.tensor([[0.0, 1.0, 2.0], [50.0, 60.0, 70.0]], dtype=torch.float64)
    x = GaussianMixture(torch.zeros(2), loc, S).sample((40_000,))
    for k, side in enumerate((x[x[:, 0] < 25], x[x[:, 0] > 25])):
        error = (dense[k].diagonal().unsqueeze(-1) * dense[k].diagonal() + dense[k] ** 2).sqrt() / len(side) ** 0.5
        assert bool(((torch.cov(side.T) - dense[k]).abs() < 5 * error).all())


def test_extreme_variances_in_high_dimension() -> None:
    """Nothing cancels where the factor is 1e6 times as large as the noise."""
    D = 12_288
    F = torch.full((D, 1), 1e3)
    q = GaussianMixture(torch.zeros(1), torch.zeros(1, D), LowRank(F, torch.full((D,), 1e-6)))
    x = torch.ones(D)  # along the factor: xᵀ S⁻¹ x = D / (v + D f²)
    v, f = 1e-6, 1e3
    log_det = (D - 1) * np.log(v) + np.log(v + D * f**2)
    expected = -0.5 * (D / (v + D * f**2) + log_det + D * np.log(2 * np.pi))
    assert_close(q.log_prob(x), expected, 1e-4)


def test_has_gradients() -> None:
    S, _ = random_pair(3, (), 2, 3, 1, tied=False)

    def f(F: torch.Tensor, v: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        loc = torch.arange(6.0, dtype=torch.float64).reshape(2, 3)
        return GaussianMixture(torch.zeros(2), loc, LowRank(F, v), validate_args=False).log_prob(x)

    inputs = [t.detach().clone().requires_grad_() for t in (S.factor, S.diagonal, torch.ones(3, dtype=torch.float64))]
    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


def test_shapes_and_values_that_are_wrong() -> None:
    with pytest.raises(ValueError, match=r"\(3, 1\) and diagonal \(2,\)"):
        LowRank(torch.ones(3, 1), torch.ones(2))
    with pytest.raises(ValueError, match="component 1"):
        GaussianMixture(
            torch.zeros(2), torch.zeros(2, 2), LowRank(torch.ones(2, 2, 1), torch.tensor([[1.0, 1], [1, -1]]))
        )
    with pytest.raises(ValueError, match="D = 2"):
        GaussianMixture(torch.zeros(2), torch.zeros(2, 3), LowRank(torch.ones(2, 1), torch.ones(2)))


def test_has_no_rsample() -> None:
    q = GaussianMixture(torch.zeros(1), torch.zeros(1, 2), LowRank(torch.ones(2, 1), torch.ones(2)))
    assert not q.has_rsample
    with pytest.raises(NotImplementedError, match="LowRank"):
        q.rsample()
