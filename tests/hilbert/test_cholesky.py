"""Cholesky factors of what is nearly, exactly or not at all a Gram matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mixtura.hilbert.cholesky import jittered_cholesky
from tests.helpers import assert_close


def correlations(M: int, distance: float, seed: int = 0) -> torch.Tensor:
    x = distance * np.random.default_rng(seed).standard_normal((M, 2))
    return torch.as_tensor(np.exp(-((x[:, None] - x) ** 2).sum(-1) / 4))


@pytest.mark.parametrize("distance", [0.0, 1e-3, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("jitter", [1e-6, 1e-10])
def test_factor_is_that_of_the_jittered_matrix(distance: float, jitter: float) -> None:
    R = correlations(40, distance)
    L, found = jittered_cholesky(R, jitter)
    assert found == jitter
    assert bool((L.triu(1) == 0).all())
    assert_close(L @ L.T, R + jitter * torch.eye(40).double(), 1e-13, 1)


def test_jitter_grows_until_it_is_enough() -> None:
    """A matrix that rounding made indefinite by 3e-9."""
    R = torch.tensor([[1.0, 1 + 3e-9], [1 + 3e-9, 1.0]], dtype=torch.float64)
    L, found = jittered_cholesky(R, 1e-10)
    assert found == pytest.approx(1e-8)
    assert_close(L @ L.T, R + found * torch.eye(2).double(), 1e-12, 1)


def test_one_matrix_of_a_batch_is_enough_for_all() -> None:
    R = torch.stack([torch.eye(3).double(), torch.ones(3, 3).double()])
    L, _ = jittered_cholesky(R, 1e-10)
    assert_close(L @ L.mT, R + 1e-10 * torch.eye(3).double(), 1e-13, 1)


def test_the_only_component() -> None:
    L, jitter = jittered_cholesky(torch.ones(1, 1).double(), 1e-10)
    assert_close(L, [[(1 + jitter) ** 0.5]], 1e-15)


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_numbers_that_are_not_finite_name_their_component(wrong: float, batch: tuple[int, ...]) -> None:
    R = correlations(5, 1.0).expand(*batch, 5, 5).clone()
    at = (0,) * len(batch)
    R[(*at, 3)] = wrong
    R[(*at, slice(None), 3)] = wrong
    with pytest.raises(ValueError, match="not finite at component 3: look for NaN in its location or spread"):
        jittered_cholesky(R, 1e-10)
    R[at] = wrong
    with pytest.raises(ValueError, match="not finite at every component"):
        jittered_cholesky(R, 1e-10)


def test_what_is_no_gram_matrix_is_not_repaired() -> None:
    R = torch.tensor([[1.0, 1.5], [1.5, 1.0]]).double()
    with pytest.raises(ValueError, match="not positive definite"):
        jittered_cholesky(R, 1e-10)
