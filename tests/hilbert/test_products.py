"""Products that leave out half of the work."""

from __future__ import annotations

import pytest
import torch

from mixtura.hilbert.products import squares, times_lower, times_upper
from tests.helpers import assert_close


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("M", [1, 127, 128, 129, 300])
def test_they_are_the_whole_products(M: int, dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(M)
    A, T = torch.randn(50, M, generator=g, dtype=torch.float64), torch.randn(M, M, generator=g, dtype=torch.float64)
    narrow, tolerance = (A.to(dtype), T.to(dtype)), 1e-5 if dtype == torch.float32 else 1e-13
    unit = M**0.5
    assert_close(times_upper(narrow[0], narrow[1].triu()), A @ T.triu(), tolerance, unit)
    assert_close(times_lower(narrow[0], narrow[1].tril()), A @ T.tril(), tolerance, unit)
    assert_close(squares(narrow[0]), A.T @ A, tolerance, 50)


def test_squares_of_a_batch() -> None:
    A = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert_close(squares(A), torch.einsum("...ij,...ik->...jk", A, A), 1e-13, 1)
