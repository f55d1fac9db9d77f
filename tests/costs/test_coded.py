"""The exact conditional cost of codes against dense batched mixtures, quadrature and its own inequality."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, ndtri
from scipy.stats import norm
from torch import Tensor

from mixtura.costs import Bound, coded, conditional, conditional_on_codes
from mixtura.distributions import Diagonal, GaussianMixture, Isotropic
from tests.helpers import assert_close

CODE_VARIANCE = 0.2


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(
    N: int = 12, J: int = 7, K: int = 3, D: int = 2, c: int = 1
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return x, codes, draws, logits and centers."""
    return noise(0, N, D), noise(1, N, c), noise(2, J, c), noise(3, J, K), noise(4, J, K, D)


def bound_of(x: Tensor, codes: Tensor, draws: Tensor, logits: Tensor, loc: Tensor, v: float = 0.3) -> Bound:
    return conditional_on_codes(x, codes, draws, GaussianMixture(logits, loc, Isotropic(v)), CODE_VARIANCE)


def dense(x: Tensor, codes: Tensor, draws: Tensor, logits: Tensor, loc: Tensor, v: float = 0.3) -> Bound:
    """The same of p(X|Y) as a batch of mixtures, one for each draw, with weights from scipy."""
    densities = norm.logpdf(draws.numpy()[:, None], codes.numpy()[None], CODE_VARIANCE**0.5).sum(-1)
    p = GaussianMixture(torch.as_tensor(densities), x.expand(len(draws), *x.shape), Isotropic(v))
    return conditional(p, GaussianMixture(logits, loc, Isotropic(v)))


def assert_equal(a: Bound, b: Bound, rtol: float = 1e-10) -> None:
    assert a.log_bound is not None
    assert b.log_bound is not None
    assert_close(a.log_value, b.log_value, rtol, 1)
    assert_close(a.log_bound, b.log_bound, rtol, 1)
    assert_close(a.gap, b.gap, rtol, 1)


@pytest.mark.parametrize("D", [1, 3, 20])
@pytest.mark.parametrize("c", [1, 2])
@pytest.mark.parametrize("size", [3, 2**20])
def test_it_is_the_conditional_cost_of_dense_mixtures(
    D: int, c: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in blocks that do not divide the numbers of rows and draws."""
    monkeypatch.setattr(coded, "_PAIRS", 5 * size * size)
    monkeypatch.setattr(coded, "_SIDE", size)
    given = problem(D=D, c=c, N=13)
    assert_equal(bound_of(*given), dense(*given))


def test_two_points_whose_posterior_is_known() -> None:
    """X = ±1 with codes ±0.6: p(+1|Y) = expit(2 · 0.6 Y / v_Y). Both integrals, over X and Y, are grids of numpy."""
    a, v, slope = 0.6, 0.1, 2.0

    def density(X: np.ndarray, plus: np.ndarray) -> np.ndarray:
        s = math.sqrt(v)
        return plus * norm.pdf(X, 1, s) + (1 - plus) * norm.pdf(X, -1, s)

    Y, X = np.linspace(-4, 4, 2001)[:, None], np.linspace(-4, 4, 1001)[None]
    weight = 0.5 * (norm.pdf(Y, a, CODE_VARIANCE**0.5) + norm.pdf(Y, -a, CODE_VARIANCE**0.5)) * 0.004 * 0.008
    p, q = density(X, expit(2 * a * Y / CODE_VARIANCE)), density(X, expit(slope * Y))
    pq, qq, pp = ((weight * f).sum() for f in (p * q, q * q, p * p))

    spread = torch.as_tensor(ndtri((np.arange(4000) + 0.5) / 4000)) * CODE_VARIANCE**0.5
    draws = torch.cat([a + spread, spread - a]).unsqueeze(-1)  # every quantile of the noise once for each code
    x = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    logits = torch.stack([torch.as_tensor(slope) * draws[:, 0], torch.zeros(len(draws))], -1)
    mixture = GaussianMixture(logits, x.expand(len(draws), 2, 1), Isotropic(v))
    bound = conditional_on_codes(x, a * x, draws, mixture, CODE_VARIANCE)
    assert bound.log_bound is not None
    assert_close(bound.log_value, math.log(pq**2 / qq), 1e-4, 1)
    assert_close(bound.log_bound, math.log(pp), 1e-4, 1)


def test_a_decoder_that_knows_every_row_and_its_weight_reaches_the_bound() -> None:
    x, codes, draws, *_ = problem()
    log_alpha = norm.logpdf(draws.numpy(), codes.T.numpy(), CODE_VARIANCE**0.5)
    bound = bound_of(x, codes, draws, torch.as_tensor(log_alpha), x.expand(len(draws), *x.shape))
    assert_close(bound.gap, 0.0, 1e-12, 1)


@given(
    st.integers(0, 2**16), st.integers(1, 9), st.integers(1, 6), st.integers(1, 4), st.integers(1, 12),
    st.floats(-8, 8), st.floats(-6, 4), st.sampled_from([torch.float32, torch.float64]),
)  # fmt: skip
def test_the_value_never_exceeds_the_bound(
    seed: int, N: int, J: int, K: int, D: int, log_v: float, log_code: float, dtype: torch.dtype
) -> None:
    x, codes, draws = (noise(seed + i, n, d).to(dtype) for i, (n, d) in enumerate(((N, D), (N, 2), (J, 2))))
    near = x[torch.arange(J * K) % N].reshape(J, K, D) + 0.01 * noise(seed + 5, J, K, D).to(dtype)
    q = GaussianMixture(noise(seed + 6, J, K).to(dtype), near, Isotropic(math.exp(log_v)))
    bound = conditional_on_codes(x, codes, draws, q, math.exp(log_code))
    assert bound.log_bound is not None
    assert bound.log_value <= bound.log_bound + 1e-9 * (1 + bound.log_bound.abs())
    assert bound.gap >= 0


def test_gradients() -> None:
    def both(*given: Any) -> tuple[Tensor, Tensor]:
        bound = bound_of(*given)
        return bound.log_value, bound.gap

    assert torch.autograd.gradcheck(both, [t.requires_grad_() for t in problem(N=5, J=3, K=2)])


def test_given_a_class_only_its_rows_answer() -> None:
    """Equal to the same cost with other classes so far away in code that no draw can come from them."""
    x, codes, draws, logits, loc = problem()
    q = GaussianMixture(logits, loc, Isotropic(0.3))
    labels, of = torch.arange(12) % 2, torch.arange(7) % 2
    found = conditional_on_codes(x, codes, draws, q, CODE_VARIANCE, labels=(labels, of))
    far, away = (torch.cat([t, 1000.0 * g.unsqueeze(-1)], -1) for t, g in ((codes, labels), (draws, of)))
    assert_equal(found, bound_of(x, far, away, logits, loc))


def test_dimensions_without_content_change_nothing_but_a_constant() -> None:
    """In 12,288 dimensions, of which three matter, the gap is that of the three."""
    x, codes, draws, logits, loc = problem(D=3)
    turn = torch.linalg.qr(noise(9, 12_288, 3)).Q
    wide = bound_of((x @ turn.T).float(), codes, draws, logits, (loc @ turn.T).float())
    assert_close(wide.gap, bound_of(x, codes, draws, logits, loc).gap, 1e-5, 1)
    assert wide.log_value < -8000


def test_standard_error_is_the_spread_of_gaps_over_draws() -> None:
    x, codes = noise(0, 6, 2), noise(1, 6, 1)

    def gap(seed: int) -> Bound:
        g = torch.Generator().manual_seed(seed)
        of = torch.randint(6, (100,), generator=g)
        draws = codes[of] + CODE_VARIANCE**0.5 * torch.randn(100, 1, generator=g, dtype=torch.float64)
        loc = torch.stack([draws.sin(), draws.cos()], 1).expand(100, 2, 2)
        return bound_of(x, codes, draws, torch.zeros(100, 2), loc)

    bounds = [gap(s) for s in range(400)]
    stated = torch.stack([b.standard_error for b in bounds]).mean()
    assert_close(stated, torch.stack([b.gap for b in bounds]).std(), 0.15)


def test_one_draw_has_no_standard_error() -> None:
    x, codes, draws, logits, loc = problem(J=1)
    with pytest.raises(ValueError, match="there is one"):
        _ = bound_of(x, codes, draws, logits, loc).standard_error


def test_what_does_not_fit_is_refused() -> None:
    x, codes, draws, logits, loc = problem()
    q = GaussianMixture(logits, loc, Isotropic(0.3))
    with pytest.raises(TypeError, match="one variance"):
        conditional_on_codes(x, codes, draws, GaussianMixture(logits, loc, Diagonal(torch.ones(2))), 0.1)
    with pytest.raises(TypeError, match="one variance"):
        conditional_on_codes(x, codes, draws, GaussianMixture(logits, loc, Isotropic(torch.ones(7, 3))), 0.1)
    with pytest.raises(ValueError, match="as many codes"):
        conditional_on_codes(x, codes[:3], draws, q, 0.1)
    with pytest.raises(ValueError, match="as many dimensions"):
        conditional_on_codes(x[:, :1], codes, draws, q, 0.1)
    with pytest.raises(ValueError, match="batch is that of the draws"):
        conditional_on_codes(x, codes, draws[:2], q, 0.1)
    with pytest.raises(ValueError, match="code_variance must be positive"):
        conditional_on_codes(x, codes, draws, q, 0.0)
    with pytest.raises(ValueError, match="a class that no row"):
        conditional_on_codes(x, codes, draws, q, 0.1, labels=(torch.zeros(12), torch.ones(7)))
