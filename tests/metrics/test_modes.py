"""Mode coverage against what is known of exact samples, and by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mixtura.datasets.densities import draw, grid, ring
from mixtura.metrics.modes import mode_coverage


@pytest.mark.parametrize(("mixture", "scale"), [(ring(), 0.01), (grid(), 0.05)])
def test_exact_samples_reach_every_mode_as_often_as_theory_says(mixture, scale: float) -> None:
    n, K = 40_000, mixture.components
    result = mode_coverage(draw(mixture, n, seed=0), mixture.loc, scale)
    truth = 1 - math.exp(-4.5)
    assert result.captured == K
    assert abs(result.quality - truth) < 5 * math.sqrt(truth * (1 - truth) / n)
    chi_square = 2 * n * result.reverse_kl  # of a likelihood ratio with K - 1 degrees of freedom
    assert abs(chi_square - (K - 1)) < 5 * math.sqrt(2 * (K - 1))


def test_a_collapsed_generator_has_the_kl_of_one_mode() -> None:
    modes = ring().loc
    result = mode_coverage(modes[3].expand(50, 2), modes, 0.01)
    assert (result.captured, result.quality) == (1, 1.0)
    assert result.reverse_kl == pytest.approx(math.log(8))


@given(st.integers(0, 2**16), st.integers(1, 6), st.integers(1, 4), st.booleans())
def test_it_agrees_with_the_definition(seed: int, K: int, D: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    x, modes = rng.standard_normal((30, D)), rng.standard_normal((K, D))
    w = rng.uniform(0.1, 1, K) if weighted else np.ones(K)
    result = mode_coverage(
        torch.tensor(x), torch.tensor(modes), 0.3, radius=2.0, weights=torch.tensor(w) if weighted else None
    )
    d = np.linalg.norm(x[:, None] - modes, axis=-1)
    good = d.min(1) <= 0.6
    h = np.array([np.mean(d.argmin(1) == k) for k in range(K)])
    kl = sum(a * math.log(a / b) for a, b in zip(h, w / w.sum(), strict=True) if a)
    assert result.captured == len(set(d.argmin(1)[good].tolist()))
    assert result.quality == pytest.approx(good.mean())
    assert result.reverse_kl == pytest.approx(kl, abs=1e-12)


def test_bad_inputs_are_named() -> None:
    modes = torch.zeros(2, 2)
    for samples, scale, weights, word in [
        (torch.zeros(3, 3), 1.0, None, "same features"),
        (torch.zeros(0, 2), 1.0, None, "samples"),
        (torch.tensor([[math.nan, 0.0]]), 1.0, None, "finite"),
        (torch.zeros(3, 2), 0.0, None, "scale"),
        (torch.zeros(3, 2), 1.0, torch.tensor([1.0, 0.0]), "weights"),
        (torch.zeros(3, 2), 1.0, torch.ones(3), "weights"),
    ]:
        with pytest.raises(ValueError, match=word):
            mode_coverage(samples, modes, scale, weights=weights)
