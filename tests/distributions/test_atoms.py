"""Atoms beside a continuous part against their definition, scipy and a search on a grid."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from mixtura.distributions import AtomMixture, GaussianMixture, Isotropic, LaplaceMixture, Mixture
from tests.helpers import RTOL, assert_close, random_case

rain = AtomMixture(
    torch.tensor([0.6, 0.1, 0.3]).double().log(),
    torch.tensor([0.0, 2.0]),
    GaussianMixture(torch.zeros(1), torch.tensor([1.5]).double(), Isotropic(0.25), event_dim=0),
)


def test_log_prob_is_the_mass_at_an_atom_and_the_density_elsewhere() -> None:
    x = [0.0, 2.0, 1e-300, 1.5, -7.0]
    expected = [math.log(0.6), math.log(0.1)] + [math.log(0.3) + stats.norm.logpdf(t, 1.5, 0.5) for t in x[2:]]
    assert_close(rain.log_prob(torch.tensor(x, dtype=torch.float64)), expected, 1e-7, 1.0)


def test_distribution_function_jumps_at_the_atoms() -> None:
    x = np.array([-1.0, -1e-12, 0.0, 1e-12, 1.5, 2.0 - 1e-12, 2.0, 9.0])
    w = rain.weights.numpy()
    expected = w[0] * (x >= 0) + w[1] * (x >= 2) + w[2] * stats.norm.cdf(x, 1.5, 0.5)
    assert_close(rain.cdf(torch.as_tensor(x)), expected, 1e-12)


@st.composite
def cases(draw: st.DrawFn) -> tuple[AtomMixture, torch.dtype, int]:
    """Atoms, some of them at the same place, beside Gaussians or Laplacians."""
    batch, A, D = draw(st.lists(st.integers(1, 3), max_size=2)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    dtype, seed = draw(st.sampled_from([torch.float32, torch.float64])), draw(st.integers(0, 999))
    rng = np.random.default_rng(seed)
    logits = torch.as_tensor(rng.standard_normal((*batch, A + 1)), dtype=dtype)
    atoms = torch.as_tensor(rng.integers(-3, 4, (*batch, A, D)), dtype=dtype)
    q: Mixture[Any] = random_case("diagonal", batch=batch, K=2, D=D, dtype=dtype, seed=seed).mixture
    if draw(st.booleans()):
        q = LaplaceMixture(q.logits, q.loc, 0.7)
    return AtomMixture(logits, atoms, q), dtype, seed


@given(cases())
def test_moments_and_distribution_function_agree_with_the_definition(
    case: tuple[AtomMixture, torch.dtype, int],
) -> None:
    p, dtype, seed = case
    w, y, q = p.weights.double(), p.atoms.double(), p.continuous
    mean = torch.einsum("...a,...ad->...d", w[..., :-1], y) + w[..., -1:] * q.mean
    second = torch.einsum("...a,...ad->...d", w[..., :-1], y**2) + w[..., -1:] * (q.variance + q.mean**2)
    assert_close(p.mean, mean, RTOL[dtype], 3.0)
    assert_close(p.variance, second - mean**2, 10 * RTOL[dtype], 9.0)
    x = torch.as_tensor(
        np.random.default_rng(seed).integers(-8, 9, (4, *p.batch_shape, *p.event_shape)) / 2, dtype=dtype
    )
    F = w[..., -1:] * q.cdf(x)
    for a in range(y.shape[-2]):
        F = F + w[..., a, None] * (x >= y[..., a, :])
    assert_close(p.cdf(x), F, RTOL[dtype], 1.0)
    log_prob = torch.log(w[..., -1]) + q.log_prob(x)
    hits = [w[..., a] * (x == y[..., a, :]).all(-1) for a in range(y.shape[-2])]
    mass = torch.stack(hits).sum(0)
    assert_close(p.log_prob(x), torch.where(mass > 0, mass.log(), log_prob), RTOL[dtype], 1.0)


@given(cases(), st.floats(0.001, 0.999))
def test_quantile_is_the_least_x_that_reaches_the_level(
    case: tuple[AtomMixture, torch.dtype, int], level: float
) -> None:
    p, dtype, _ = case
    u = torch.full((*p.batch_shape, *p.event_shape), level, dtype=dtype)
    x, step = p.icdf(u), 2e-5 if dtype is torch.float32 else 1e-12
    rounding = 20 * torch.finfo(dtype).eps
    assert bool((p.cdf(x + step * (1 + x.abs())) >= u - rounding).all())
    assert bool((p.cdf(x - step * (1 + x.abs())) <= u + rounding).all())


def test_quantiles_are_flat_at_an_atom() -> None:
    """F rises to .0004 before zero, jumps to .6004, and jumps again at 2 from .8525 to .9525."""
    u = torch.tensor([1e-4, 0.1, 0.3, 0.6, 0.7, 0.86, 0.9, 0.95, 0.96, 0.999], dtype=torch.float64)
    w = rain.weights.numpy()
    expected = [0.0, 0.0, 0.0, 2.0, 2.0, 2.0]
    assert_close(rain.icdf(u)[[1, 2, 3, 5, 6, 7]], expected, 0)
    free = stats.norm.ppf((u.numpy()[[0, 4, 8, 9]] - [0, w[0], w[0] + w[1], w[0] + w[1]]) / w[2], 1.5, 0.5)
    assert_close(rain.icdf(u)[[0, 4, 8, 9]], free, 1e-10)
    assert_close(rain.icdf(torch.tensor([0.0, 1.0], dtype=torch.float64)), [-np.inf, np.inf], 0)


def test_without_a_continuous_part() -> None:
    q = rain.continuous
    p = AtomMixture(torch.tensor([0.0, 0.0, -math.inf]), torch.tensor([3.0, 1.0]), q)
    u = torch.tensor([0.1, 0.4, 0.6, 1.0], dtype=torch.float64)
    assert_close(p.icdf(u), [1.0, 1.0, 3.0, 3.0], 0)
    assert_close(p.log_prob(torch.tensor([1.0, 2.0]).double()), [-math.log(2), -math.inf], 1e-12)
    assert set(p.sample((100,)).tolist()) == {1.0, 3.0}


def test_atom_without_weight_leaves_the_density() -> None:
    p = AtomMixture(torch.tensor([-math.inf, 0.0]), torch.tensor([1.5]), rain.continuous)
    x = torch.tensor([1.5, 0.0], dtype=torch.float64)
    assert_close(p.log_prob(x), rain.continuous.log_prob(x), 1e-12)
    assert_close(
        p.icdf(torch.tensor([0.5, 0.2]).double()), rain.continuous.icdf(torch.tensor([0.5, 0.2]).double()), 1e-12
    )


def test_derivatives() -> None:
    logits = torch.tensor([[0.3, -0.2, 0.5], [1.0, 0.0, -1.0]], dtype=torch.float64, requires_grad=True)
    loc = torch.tensor([[[0.4], [1.0]]], dtype=torch.float64, requires_grad=True)
    atoms = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    x = torch.tensor([[[0.0], [0.3]], [[2.0], [-1.0]]], dtype=torch.float64)

    def readings(logits: Tensor, loc: Tensor) -> tuple[Tensor, ...]:
        q = GaussianMixture(torch.zeros(2), loc, Isotropic(0.25))
        p = AtomMixture(logits, atoms, q)
        u = torch.tensor([[[0.05], [0.02]], [[0.3], [0.995]]], dtype=torch.float64)
        return p.log_prob(x), p.cdf(x + 0.1), p.icdf(u), p.mean, p.variance

    assert torch.autograd.gradcheck(readings, (logits, loc))
    far = AtomMixture(logits, atoms, GaussianMixture(torch.zeros(2), loc, Isotropic(1e-12)))
    far.log_prob(torch.full((2, 1), 1e6, dtype=torch.float64)).sum().backward()
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


def test_samples_have_the_masses_and_the_density() -> None:
    torch.manual_seed(4)
    n, x = 20_000, rain.sample((20_000,))
    for atom, w in ((0.0, 0.6), (2.0, 0.1)):
        assert abs(float((x == atom).double().mean()) - w) < 5 * (w * (1 - w) / n) ** 0.5
    free = x[(x != 0) & (x != 2)].numpy()
    assert stats.kstest(free, stats.norm(1.5, 0.5).cdf).pvalue > 1e-4
    batched = rain.expand((2, 3)).sample((n,))
    assert batched.shape == (n, 2, 3)
    assert float(((batched == 0).double().mean(0) - 0.6).abs().max()) < 5 * (0.24 / n) ** 0.5


def test_marginal_sums_atoms_that_meet() -> None:
    q = random_case("diagonal", K=2, D=2).mixture
    p = AtomMixture(torch.tensor([0.2, 0.3, 0.5]).double().log(), torch.tensor([[1.0, 0.0], [1.0, 5.0]]), q)
    assert_close(p.marginal(0).log_prob(torch.tensor(1.0).double()), math.log(0.5), 1e-7)
    x = torch.tensor([1.0, 5.0], dtype=torch.float64)
    assert_close(p.log_prob(x), math.log(0.3), 1e-7)
    assert_close(p.marginal(1).cdf(x[1]), p.cdf(x)[1], 1e-12)
    assert_close(
        p.marginal([1]).icdf(torch.tensor([0.4]).double()), p.icdf(torch.tensor([0.9, 0.4]).double())[1:], 1e-12
    )


q0 = GaussianMixture(torch.zeros(2), torch.zeros(2, 3), Isotropic(1.0))
z = torch.zeros
BAD: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "A": (lambda: AtomMixture(z(2), z(2, 3), q0), ValueError, r"logits.*\(2,\).*atoms \(2, 3\).*A \+ 1"),
    "no atom": (lambda: AtomMixture(z(1), z(0, 3), q0), ValueError, r"A >= 1"),
    "D": (lambda: AtomMixture(z(3), z(2, 4), q0), ValueError, r"atoms.*\(2, 4\).*\(3,\)"),
    "batch": (
        lambda: AtomMixture(z(5, 3), z(2, 3), q0.expand((4,))),
        ValueError,
        r"\(5, 3\).*\(2, 3\).*\(4,\).*broadcast",
    ),
    "no mixture": (lambda: AtomMixture(z(3), z(2), torch.distributions.Normal(0, 1)), TypeError, "mixture, got Normal"),  # pyright: ignore[reportArgumentType]
    "NaN logits": (lambda: AtomMixture(z(3) * math.nan, z(2, 3), q0), ValueError, "logits must not hold NaN"),
    "infinite atom": (lambda: AtomMixture(z(3), z(2, 3) + math.inf, q0), ValueError, "atoms holds"),
    "value": (lambda: AtomMixture(z(3), z(2, 3), q0).log_prob(z(2)), ValueError, r"\(2,\).*D = 3"),
    "level": (lambda: AtomMixture(z(3), z(2, 3), q0).icdf(z(3) - 1), ValueError, r"\[0, 1\]"),
    "marginal": (lambda: AtomMixture(z(3), z(2, 3), q0).marginal(3), IndexError, r"dims 3.*\(3,\)"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_input_is_refused_with_a_reason(case: str) -> None:
    make, error, message = BAD[case]
    with pytest.raises(error) as raised:
        make()
    assert re.search(message, str(raised.value), re.DOTALL), str(raised.value)
