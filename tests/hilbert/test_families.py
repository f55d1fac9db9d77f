"""Inner products of the other families against quadrature."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from mixtura.distributions import CauchyMixture, GaussianMixture, Isotropic, LaplaceMixture, Mixture, VonMisesMixture
from mixtura.hilbert import cauchy_schwarz_divergence, kernel_mean_discrepancy, log_gram, log_inner, log_norm
from mixtura.hilbert.families import laplace, smoothed_laplace
from tests.helpers import RTOL, assert_close

FAMILIES = {"laplace": LaplaceMixture, "cauchy": CauchyMixture, "von mises": VonMisesMixture}


def random_mixture(
    family: str, seed: int, batch: tuple[int, ...] = (), K: int = 3, D: int = 1, dtype: torch.dtype = torch.float64
) -> Any:
    g = torch.Generator().manual_seed(seed)
    logits, loc = (torch.randn(*batch, K, *e, generator=g, dtype=torch.float64).to(dtype) for e in ((), (D,)))
    spread = torch.randn(*batch, K, *(() if family == "cauchy" else (D,)), generator=g, dtype=torch.float64).exp()
    return FAMILIES[family](logits, loc, spread.to(dtype))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(3))
def test_gram_matrix_in_one_dimension_is_the_integral(family: str, seed: int) -> None:
    p, q = random_mixture(family, seed, K=2), random_mixture(family, seed + 50, K=2)
    G = log_gram(p, q)
    for i in range(2):
        for j in range(2):

            def density(x: mpmath.mpf, m: Mixture, k: int) -> mpmath.mpf:
                loc, s = mpmath.mpf(m.loc[k, 0].item()), mpmath.mpf(m._spread.parameter[k].item())
                if family == "laplace":
                    return mpmath.exp(-abs(x - loc) / s) / (2 * s)
                if family == "cauchy":
                    return s / (mpmath.pi * (s**2 + (x - loc) ** 2))
                return mpmath.exp(s * mpmath.cos(x - loc)) / (2 * mpmath.pi * mpmath.besseli(0, s))

            a, b = sorted((p.loc[i, 0].item(), q.loc[j, 0].item()))
            circle = [-mpmath.pi, 0, mpmath.pi]
            line = [-mpmath.inf, a - 5, a, b, b + 5, mpmath.inf]
            points = circle if family == "von mises" else line
            exact = mpmath.quad(lambda x, i=i, j=j: density(x, p, i) * density(x, q, j), points)
            assert_close(G[i, j], float(mpmath.log(exact)), 1e-10, 1)


def _exact_log_sum(a: mpmath.mpf, scales: list[mpmath.mpf]) -> mpmath.mpf:
    """Partial fractions of ``Π_k 1/(1 + b_k² t²)``; equal scales are parted, which costs 30 digits for each."""
    b = [c * (1 + k * mpmath.mpf(10) ** -30) for k, c in enumerate(scales)]
    terms = []
    for k, own in enumerate(b):
        others = mpmath.fprod(own**2 - other**2 for other in b[:k] + b[k + 1 :])
        terms.append(own ** (2 * len(b) - 3) * mpmath.exp(-abs(a) / own) / (2 * others))
    return mpmath.log(mpmath.fsum(terms))


def _log_sum(a: torch.Tensor, *scales: torch.Tensor) -> torch.Tensor:
    """Log-density at a of the sum of two or three Laplace variables."""
    x, b, c, *k = (t.view(1, 1) for t in (a, *scales))
    kernel = smoothed_laplace if k else laplace
    return kernel((x, b, *k), (torch.zeros_like(x), c)).squeeze()


_NEAR = (0.0, 1e-15, 1e-11, 1e-7, 1e-3, 0.1, 0.5)
_MEETING = [(1.0, 1 + x, 1 + y) for x, y in itertools.product(_NEAR, (0.0, 1e-13, -1e-3))]
_APART = [*itertools.permutations((1e-6, 1.0, 1e6)), (3.0, 1e6, 1e6), (1e-6, 1e6, 1e6 + 1e-3), (1e-6, 3e-6, 1e-6)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("a", [0.0, 1e-6, 0.03, 1.0, 30.0, 1e6])
def test_sums_of_laplace_variables_to_many_digits(a: float, dtype: torch.dtype) -> None:
    for scales in (*_MEETING, *_APART, *((b, c) for b, c, _ in _MEETING[::3])):
        numbers = [torch.tensor(x, dtype=dtype) for x in (a, *scales)]
        with mpmath.workdps(110):
            d, *b = (mpmath.mpf(x.item()) for x in numbers)
            exact = float(_exact_log_sum(d, b))
        assert_close(_log_sum(*numbers), exact, RTOL[dtype] / 100, 1)


@pytest.mark.parametrize("a", [0.0, 0.5, -40.0])
@pytest.mark.parametrize(
    "scales",
    [(1, 1), (1, 1, 1), (1, 1, 1 - 1e-11), (1, 1.0000001, 0.999), (1.6, 1e-3, 1), (1e-6, 1, 1e6)],
)
def test_derivatives_of_sums_of_laplace_variables(scales: tuple[float, ...], a: float) -> None:
    """Two of them, in units of the scales, against differences of numbers with 150 digits."""
    leaves = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (a, *scales)]
    unit = torch.tensor([max(scales), *scales], dtype=torch.float64)
    first = torch.stack(torch.autograd.grad(_log_sum(*leaves), leaves, create_graph=True))
    second = torch.stack([torch.stack(torch.autograd.grad(g, leaves, retain_graph=True)) for g in first])
    with mpmath.workdps(150):
        at, units = ([mpmath.mpf(x) for x in t.tolist()] for t in (torch.stack(leaves), unit))
        step, n = mpmath.mpf(10) ** -22, len(at)

        def f(*moves: tuple[int, int]) -> mpmath.mpf:
            x = [
                value + step * size * sum(s for k, s in moves if k == i)
                for i, (value, size) in enumerate(zip(at, units, strict=True))
            ]
            return _exact_log_sum(x[0], x[1:])

        exact_first = [float((f((i, 1)) - f((i, -1))) / (2 * step)) for i in range(n)]
        exact_second = [[0.0] * n for _ in range(n)]
        for i, j in itertools.combinations_with_replacement(range(n), 2):
            square = sum(s * t * f((i, s), (j, t)) for s in (1, -1) for t in (1, -1)) / (2 * step) ** 2
            exact_second[i][j] = exact_second[j][i] = float(square)
    assert_close(first.detach() * unit, exact_first, 1e-12, 1)
    assert_close(second * unit * unit.unsqueeze(-1), exact_second, 1e-11, np.abs(exact_second).max())


@pytest.mark.parametrize("family", ["laplace", "von mises"])
def test_products_over_coordinates_add_in_logs(family: str) -> None:
    p, q = random_mixture(family, 0, (2,), D=3), random_mixture(family, 1, D=3)
    each = sum(log_gram(p.marginal([d]), q.marginal([d])) for d in range(3))
    assert isinstance(each, torch.Tensor)
    assert_close(log_gram(p, q), each, 1e-12, 1)


def test_cauchy_in_the_plane_is_the_integral() -> None:
    p = CauchyMixture(torch.zeros(1), torch.zeros(1, 2).double(), torch.tensor([0.7]).double())
    q = CauchyMixture(torch.zeros(1), torch.tensor([[1.0, -0.5]]).double(), torch.tensor([1.2]).double())
    # x = tan(u) maps the plane to a square; the product falls like r^-6, so the integrand vanishes at its edges.
    u, w = np.polynomial.legendre.leggauss(400)
    u, w = u * math.pi / 2, w * math.pi / 2
    x, weight = torch.as_tensor(np.tan(u)), torch.as_tensor(w / np.cos(u) ** 2)
    points = torch.stack(torch.meshgrid(x, x, indexing="ij"), -1)
    value = (p.log_prob(points) + q.log_prob(points)).exp()
    assert_close(log_inner(p, q), torch.log(weight @ value @ weight), 1e-6, 1)


def test_cauchy_discrepancy_in_one_dimension_is_the_integral_over_frequencies() -> None:
    """``1 / (1 + d²/v) = ½ √v ∫ e^(-√v |t|) e^(i t d) dt``, and a component's characteristic function is known."""
    p, q = (random_mixture("cauchy", seed, K=2) for seed in (5, 6))
    v = 0.7

    def phi(m: Mixture, t: float) -> complex:
        terms = m.logits.softmax(-1) * torch.exp(1j * t * m.loc[:, 0] - m._spread.parameter * t)
        return complex(terms.sum())

    def integrand(t: float) -> float:
        return math.sqrt(v) * math.exp(-math.sqrt(v) * t) * abs(phi(p, t) - phi(q, t)) ** 2

    exact, _ = quad(integrand, 0, 60, epsabs=1e-13, epsrel=1e-11, limit=300)
    assert_close(kernel_mean_discrepancy(p, q, v).square(), exact, 1e-8)


def test_laplace_discrepancy_in_one_dimension_is_the_integral_over_frequencies() -> None:
    """``e^(-|d|/c) = (c/π) ∫ e^(i t d) / (1 + c² t²) dt``, and a component's characteristic function is known."""
    p, q = (random_mixture("laplace", seed, K=2) for seed in (5, 6))
    c = p.scale[0, 0].item()  # of the kernel, and of a component

    def phi(m: LaplaceMixture, t: float) -> complex:
        terms = m.logits.softmax(-1) * torch.exp(1j * t * m.loc[:, 0]) / (1 + (m.scale[:, 0] * t) ** 2)
        return complex(terms.sum())

    def integrand(u: float) -> float:
        """At ``t = tan u``."""
        t = math.tan(u)
        return 2 * c / math.pi * (1 + t * t) / (1 + (c * t) ** 2) * abs(phi(p, t) - phi(q, t)) ** 2

    exact, _ = quad(integrand, 0, math.pi / 2, epsabs=1e-13, epsrel=1e-11, limit=300)
    assert_close(kernel_mean_discrepancy(p, q, c**2).square(), exact, 1e-8)


def _kernel(family: str, x: torch.Tensor, y: torch.Tensor, v: float) -> torch.Tensor:
    if family == "laplace":
        return torch.exp(-torch.cdist(x, y, p=1) / math.sqrt(v))
    return (1 + torch.cdist(x, y).square() / v).pow(-0.5 * (x.shape[-1] + 1))


@pytest.mark.parametrize("family", ["cauchy", "laplace"])
@pytest.mark.parametrize("D", [1, 2, 5, 3072])
def test_discrepancy_of_point_masses_is_that_of_the_kernel_matrix(family: str, D: int) -> None:
    g, v = torch.Generator().manual_seed(0), 0.8 * D ** (2 if family == "laplace" else 1)
    x, y = torch.randn(5, D, generator=g).double(), torch.randn(4, D, generator=g).double() + 0.3
    p, q = (FAMILIES[family](torch.zeros(len(a)).double(), a, 1e-13) for a in (x, y))
    xx, yy, xy = (_kernel(family, a, b, v).mean() for a, b in ((x, x), (y, y), (x, y)))
    assert_close(kernel_mean_discrepancy(p, q, v), (xx + yy - 2 * xy).sqrt(), 1e-9)
    assert kernel_mean_discrepancy(p, p, v).item() == 0


@pytest.mark.parametrize("family", ["cauchy", "laplace"])
@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from([1e-6, 0.3, 1e6]))
def test_discrepancy_is_zero_for_equals_and_bounded(family: str, seed: int, D: int, v: float) -> None:
    p, q = (random_mixture(family, seed + s, (20,), D=D) for s in range(2))
    distance = kernel_mean_discrepancy(p, q, v)
    assert bool((distance >= 0).all())
    assert bool((distance <= math.sqrt(2) * (1 + 1e-12)).all())
    same = type(p)(p.logits + 1, p.loc, p._spread.parameter)
    assert float(kernel_mean_discrepancy(p, same, v).max()) < 1e-7


def test_discrepancy_of_many_components_is_summed_in_blocks() -> None:
    """A mixture of every component 140 times is the same mixture, and so are its derivatives."""
    p, q = (random_mixture("laplace", seed, K=3, D=2) for seed in (5, 6))
    found = []
    for times in (1, 140):
        v = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
        loc = p.loc.clone().requires_grad_()
        many = LaplaceMixture(p.logits.repeat(times), loc.repeat(times, 1), p.scale.repeat(times, 1))
        value = kernel_mean_discrepancy(many, q, v)
        found.append([value.detach(), *torch.autograd.grad(value, (loc, v))])
    for one, other in zip(*found, strict=True):
        assert_close(one, other, 1e-9)


@pytest.mark.parametrize("family", ["cauchy", "laplace"])
def test_derivatives_of_the_discrepancy(family: str) -> None:
    """Also of Laplace mixtures where the scales of a component and of the kernel meet."""
    p, q = random_mixture(family, 7, K=2), random_mixture(family, 8, K=2)
    v = p._spread.parameter.flatten()[0].square()
    inputs = [t.detach().clone().requires_grad_() for t in (p.loc, p._spread.parameter, p.logits, v)]

    def f(loc: torch.Tensor, scale: torch.Tensor, logits: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return kernel_mean_discrepancy(FAMILIES[family](logits, loc, scale, validate_args=False), q, v)

    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


@pytest.mark.parametrize("family", FAMILIES)
def test_float32_is_near_float64(family: str) -> None:
    p, q = random_mixture(family, 0, (3,), K=20, D=4), random_mixture(family, 1, K=30, D=4)
    narrow = [type(m)(m.logits.float(), m.loc.float(), m._spread.parameter.float()) for m in (p, q)]
    assert_close(log_inner(*narrow), log_inner(p, q), RTOL[torch.float32], 1)
    assert_close(log_gram(*narrow), log_gram(p, q), RTOL[torch.float32], 1)


@pytest.mark.parametrize("family", FAMILIES)
@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from([torch.float32, torch.float64]))
def test_cauchy_and_schwarz(family: str, seed: int, D: int, dtype: torch.dtype) -> None:
    p, q = (random_mixture(family, seed + s, (50,), D=D, dtype=dtype) for s in (0, 1))
    divergence = cauchy_schwarz_divergence(p, q)
    assert bool((divergence >= 0).all())
    bound = log_norm(p) + log_norm(q)
    assert bool((2 * log_inner(p, q) <= bound + 1e-5 * (1 + bound.abs())).all())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("same", [True, False])
def test_derivatives(family: str, same: bool) -> None:
    """Also at equal spreads and at coinciding locations, where formulas have removable singularities."""
    p, q = random_mixture(family, 3, K=2, D=2), random_mixture(family, 3 if same else 4, K=2, D=2)
    inputs = [t.detach().clone().requires_grad_() for m in (p, q) for t in (m.loc, m._spread.parameter)]

    def f(a: torch.Tensor, s: torch.Tensor, b: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        make = FAMILIES[family]
        return log_inner(make(p.logits, a, s, validate_args=False), make(q.logits, b, t, validate_args=False))

    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_extremes_are_finite(family: str) -> None:
    spread = torch.tensor([1e-6, 1.0, 1e6], dtype=torch.float64)
    loc = torch.tensor([[0.0], [0.0], [3.0]] if family == "von mises" else [[0.0], [0.0], [1e6]], dtype=torch.float64)
    own = spread if family == "cauchy" else spread.unsqueeze(-1)
    p = FAMILIES[family](torch.zeros(3).double(), loc.requires_grad_(), own.requires_grad_())
    G = log_gram(p, p)
    assert bool(torch.isfinite(G).all())
    assert all(bool(torch.isfinite(g).all()) for g in torch.autograd.grad(G.sum(), [loc, own]))


def test_pairs_without_a_closed_form_name_those_that_have_one() -> None:
    p = random_mixture("laplace", 0)
    q = GaussianMixture(torch.zeros(1), torch.zeros(1, 1), Isotropic(1.0))
    with pytest.raises(TypeError, match=r"LaplaceMixture and q is a GaussianMixture.*\(CauchyMixture, CauchyMixture\)"):
        log_inner(p, q)


def test_angles_have_no_discrepancy() -> None:
    p = random_mixture("von mises", 0)
    with pytest.raises(TypeError, match=r"VonMisesMixture.*two of LaplaceMixture.*l2_distance"):
        kernel_mean_discrepancy(p, p, 1.0)
    with pytest.raises(TypeError, match="CauchyMixture and q is a LaplaceMixture"):
        kernel_mean_discrepancy(random_mixture("cauchy", 0), random_mixture("laplace", 0), 1.0)
