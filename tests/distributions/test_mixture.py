"""What holds for the mixtures of every family, and a family made from the four operations alone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp
from torch import Tensor
from torch.distributions import Categorical, Cauchy, Distribution, Independent, Laplace, MixtureSameFamily, VonMises

from mixtura.distributions import CauchyMixture, GaussianMixture, Isotropic, LaplaceMixture, Mixture, VonMisesMixture
from mixtura.distributions.quantiles import LocationScale, Standard
from mixtura.distributions.spreads import Scale
from tests.helpers import RTOL, assert_close, global_state, random_case

Make = Callable[..., Mixture[Any]]
FAMILIES: dict[str, tuple[Make, Callable[[Tensor, Tensor], Distribution]]] = {
    "laplace": (LaplaceMixture, Laplace),
    "cauchy": (CauchyMixture, Cauchy),
    "von mises": (VonMisesMixture, VonMises),
}
every_family = pytest.mark.parametrize("family", list(FAMILIES))


def parameters(
    family: str, batch: Sequence[int], K: int, D: int, seed: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    """Return random logits, locations and spreads."""
    rng = np.random.default_rng(seed)
    shape = (*batch, K) if family == "cauchy" else (*batch, K, D)
    loc = rng.uniform(-3, 3, (*batch, K, D))
    logits, spread = rng.standard_normal((*batch, K)), np.exp(0.7 * rng.standard_normal(shape))
    a, b, c = (torch.as_tensor(t, dtype=dtype) for t in (logits, loc, spread))
    return a, b, c


shapes = st.tuples(st.lists(st.integers(1, 3), max_size=2), st.integers(1, 5), st.integers(1, 4), st.integers(0, 999))


@every_family
@given(shape=shapes, dtype=st.sampled_from([torch.float32, torch.float64]))
def test_densities_agree_with_torch(family: str, shape: tuple[list[int], int, int, int], dtype: torch.dtype) -> None:
    batch, K, D, seed = shape
    D = 1 if family == "cauchy" else D
    make, peer = FAMILIES[family]
    logits, loc, spread = parameters(family, batch, K, D, seed, dtype)
    q = make(logits, loc, spread)
    wide = (spread.unsqueeze(-1) if family == "cauchy" else spread).double()
    reference = MixtureSameFamily(Categorical(logits=logits.double()), Independent(peer(loc.double(), wide), 1))
    x = torch.as_tensor(np.random.default_rng(seed).uniform(-3, 3, (2, *batch, D)), dtype=dtype)
    assert (q.batch_shape, q.event_shape, q.components) == (torch.Size(batch), torch.Size((D,)), K)
    rtol = 1e-6 if family == "von mises" and dtype is torch.float64 else RTOL[dtype]  # torch's Bessel polynomials
    assert_close(q.log_prob(x), reference.log_prob(x.double()), rtol, 1.0)
    joint = logits.double() + q.component_log_prob(x).double()
    assert_close(q.responsibilities(x), torch.softmax(joint, -1), RTOL[dtype], 1.0)


@every_family
@given(shape=shapes, level=st.floats(1e-5, 1 - 1e-5))
def test_quantile_of_cdf_of_quantile(family: str, shape: tuple[list[int], int, int, int], level: float) -> None:
    q = FAMILIES[family][0](*parameters(family, *shape))
    u = torch.full((2, *q.batch_shape, *q.event_shape), level, dtype=torch.float64)
    x = q.icdf(u)
    assert_close(q.cdf(x), u, 1e-10, 1e-3)
    assert bool((q.icdf(u * 0.9) <= x).all())


@every_family
def test_cdf_is_the_integral_of_the_density(family: str) -> None:
    q = FAMILIES[family][0](*parameters(family, (), 3, 1, 3)).marginal(0)
    t, w = (torch.as_tensor(a) for a in np.polynomial.legendre.leggauss(60))
    ends = torch.cat([torch.linspace(-3, 3, 61, dtype=torch.float64), q.loc]).sort().values  # kinks are ends
    half = ends.diff() / 2
    x = ends[:-1] + half + half * t.unsqueeze(-1)
    mass = (w.unsqueeze(-1) * q.log_prob(x).exp()).sum(0) * half
    assert_close(q.cdf(ends).diff(), mass, 1e-11, 1.0)


@every_family
def test_derivatives(family: str) -> None:
    make, _ = FAMILIES[family]
    rng = np.random.default_rng(1)
    x = torch.as_tensor(rng.uniform(-3, 3, (2, 2, 2)))
    u = torch.tensor([[[0.03, 0.5], [0.2, 0.9]]], dtype=torch.float64)
    inputs = [t.requires_grad_() for t in (*parameters(family, (2,), 2, 2, 5), x, u)]

    def log_prob(logits: Tensor, loc: Tensor, spread: Tensor, x: Tensor) -> Tensor:
        return make(logits, loc, spread).log_prob(x)

    def readings(logits: Tensor, loc: Tensor, spread: Tensor, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        q = make(logits, loc, spread)
        return q.cdf(x), q.icdf(u)

    assert torch.autograd.gradcheck(log_prob, inputs[:4])
    assert torch.autograd.gradgradcheck(log_prob, inputs[:4])
    assert torch.autograd.gradcheck(readings, inputs)


@every_family
def test_derivatives_at_the_location_itself(family: str) -> None:
    """The median of one component: dF/dm = -p, where |z| has no derivative."""
    loc = torch.tensor([[0.3]], dtype=torch.float64, requires_grad=True)
    q = FAMILIES[family][0](torch.zeros(1), loc, 0.7)
    (by_loc,) = torch.autograd.grad(q.cdf(loc[0].detach()).sum(), loc)
    edge = torch.tensor([-math.pi], dtype=torch.float64) if family == "von mises" else None
    lost = q.log_prob(edge).exp() if edge is not None else 0.0  # what enters at -π
    assert_close(by_loc, (lost - q.log_prob(loc[0].detach()).exp()).reshape(1, 1), 1e-12)


@every_family
def test_samples_follow_the_distribution(family: str) -> None:
    torch.manual_seed(0)
    q = FAMILIES[family][0](*parameters(family, (2, 3), 3, 2, 6))
    n = 10_000
    x = q.sample((n,))
    assert x.shape == (n, 2, 3, 2)
    uniform = q.cdf(x).reshape(n, -1).numpy()
    assert min(stats.kstest(u, "uniform").pvalue for u in uniform.T) > 1e-4
    shares = torch.zeros(n, 2, 3, 3, dtype=torch.float64) + q.responsibilities(x)
    error = (shares.mean(0) - q.weights) / (shares.std(0) / n**0.5)
    assert float(error.abs().max()) < 5  # standard errors


@every_family
def test_marginals_expansion_and_scalars_are_the_same_mixture(family: str) -> None:
    make, _ = FAMILIES[family]
    logits, loc, spread = parameters(family, (2,), 3, 3, 7)
    q, x = make(logits, loc, spread), torch.linspace(-3, 3, 12, dtype=torch.float64).reshape(2, 2, 3)
    assert_close(q.marginal([0, 1, 2]).log_prob(x), q.log_prob(x), 1e-12)
    own = spread if family == "cauchy" else spread[..., 1]
    scalar = make(logits, loc[..., 1], own, event_dim=0)
    assert_close(q.marginal(-2).log_prob(x[..., 1]), scalar.log_prob(x[..., 1]), 1e-12)
    assert_close(q.cdf(x)[..., 1], scalar.cdf(x[..., 1]), 1e-12)
    wide = q.expand((4, 2))
    assert (wide.batch_shape, type(wide)) == (torch.Size((4, 2)), type(q))
    assert_close(wide.log_prob(x[0]), q.log_prob(x[0]).expand(4, 2), 1e-12)
    assert wide.sample((5,)).shape == (5, 4, 2, 3)
    tied = make(logits, loc, 0.5)
    assert_close(tied.log_prob(x), make(logits, loc, torch.full_like(spread, 0.5)).log_prob(x), 1e-12)
    assert_close(tied.expand((4, 2)).cdf(x[0]), tied.cdf(x[0]).expand(4, 2, 3), 1e-12)


@every_family
def test_batch_dimensions_may_come_from_any_parameter(family: str) -> None:
    make, _ = FAMILIES[family]
    logits, loc, spread = parameters(family, (4,), 3, 2, 10)
    x = torch.linspace(-3, 3, 8, dtype=torch.float64).reshape(4, 2)
    whole = (logits, loc, spread)
    for i in range(3):
        q = make(*(t if i == j else t[0] for j, t in enumerate(whole)))
        assert (q.batch_shape, q.sample((5,)).shape, q.mean.shape) == ((4,), (5, 4, 2), (4, 2))
        for b in range(4):
            alone = make(*(t[b] if i == j else t[0] for j, t in enumerate(whole)))
            assert_close(q.log_prob(x)[b], alone.log_prob(x[b]), 1e-12)
            assert_close(
                q.icdf(torch.tensor([0.2, 0.7]).double())[b], alone.icdf(torch.tensor([0.2, 0.7]).double()), 1e-12, 1.0
            )


@every_family
def test_reading_a_mixture_changes_no_global_state(family: str) -> None:
    q = FAMILIES[family][0](*parameters(family, (2,), 3, 2, 8))
    before = global_state()
    x = q.loc[..., 0, :]
    for reading in (q.icdf(q.cdf(x)), q.log_prob(x), q.mean, q.variance, repr(q)):
        assert reading is not None
    assert global_state() == before


@every_family
def test_weight_of_zero_counts_nothing(family: str) -> None:
    make, _ = FAMILIES[family]
    logits = torch.tensor([0.0, -math.inf], dtype=torch.float64, requires_grad=True)
    loc = torch.tensor([[0.0], [2.0]], dtype=torch.float64, requires_grad=True)
    q, x = make(logits, loc, 0.5), torch.tensor([1.0], dtype=torch.float64)
    assert_close(q.log_prob(x), make(torch.zeros(1), loc[:1], 0.5).log_prob(x), 1e-12)
    (q.log_prob(x) + q.icdf(torch.tensor([0.3], dtype=torch.float64))).sum().backward()
    assert loc.grad is not None
    assert float(loc.grad[1]) == 0
    assert bool(torch.isfinite(loc.grad).all())


@every_family
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_values_are_finite(family: str, dtype: torch.dtype) -> None:
    """Values 1e6 spreads away, and spreads from 1e-6 to 1e6."""
    spread = torch.tensor([1e-6, 1.0, 1e6], dtype=dtype, requires_grad=True)
    loc = torch.tensor([-1.0, 0.0, 1.0], dtype=dtype, requires_grad=True)
    q = FAMILIES[family][0](torch.zeros(3, dtype=dtype), loc, spread, event_dim=0)
    x = torch.tensor([-1e6, -1.0, 0.0, 1e3, 1e6], dtype=dtype)
    readings = q.component_log_prob(x.unsqueeze(-1).expand(5, 1).squeeze(-1)), q.log_prob(x), q.cdf(x)
    for reading in readings:
        assert bool(torch.isfinite(reading).all())
        for grad in torch.autograd.grad(reading.sum(), (loc, spread), retain_graph=True):
            assert bool(torch.isfinite(grad).all())


# ------------------------------------------------------------------------------------------------------- errors

z, m = torch.zeros(3), torch.zeros(3, 2)
BAD: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "K": (lambda: LaplaceMixture(torch.zeros(4), m, 1.0), ValueError, r"logits.*\(4,\).*loc.*\(3, 2\)"),
    "scale's K": (lambda: CauchyMixture(z, m, torch.ones(4)), ValueError, r"scale\(\(4,\)\).*K = 4.*\(3, 2\)"),
    "scale's D": (lambda: LaplaceMixture(z, m, torch.ones(3)), ValueError, r"scale\(\(3,\)\).*D = 3.*\(3, 2\)"),
    "no silent broadcast over D": (lambda: LaplaceMixture(z, m, torch.ones(3, 1)), ValueError, r"D = 1.*D = 2"),
    "scale's batch": (
        lambda: VonMisesMixture(torch.zeros(4, 3), torch.zeros(4, 3, 2), torch.ones(5, 3, 2)),
        ValueError,
        r"\(4, 3\).*\(4, 3, 2\).*concentration\(\(5, 3, 2\)\).*broadcast",
    ),
    "negative scale": (
        lambda: CauchyMixture(z, m, torch.tensor([1.0, -2.0, 1.0])),
        ValueError,
        "scale of component 1 is -2",
    ),
    "zero scale": (lambda: LaplaceMixture(z, m, 0.0), ValueError, "scale of the tied component is 0"),
    "NaN scale": (
        lambda: LaplaceMixture(z, m, torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, math.nan]])),
        ValueError,
        "component 2 is nan",
    ),
    "negative concentration": (
        lambda: VonMisesMixture(torch.zeros(2, 3), torch.zeros(2, 3, 1), -torch.ones(2, 3, 1)),
        ValueError,
        r"concentration of component 0 of batch entry \(0,\) is -1",
    ),
    "integer scale": (lambda: LaplaceMixture(z, m, torch.ones(2).long()), TypeError, "scale.*int64"),
    "event_dim": (lambda: CauchyMixture(z, m, 1.0, event_dim=2), ValueError, "event_dim must be 0.*got 2"),
    "NaN loc": (lambda: VonMisesMixture(z, m * math.nan, 1.0), ValueError, "loc holds"),
    "value's D": (lambda: LaplaceMixture(z, m, 1.0).log_prob(torch.zeros(3)), ValueError, r"\(3,\).*D = 2"),
    "level": (lambda: CauchyMixture(z, m, 1.0).icdf(m[0] + 1.1), ValueError, r"\[0, 1\]"),
    "marginal": (lambda: CauchyMixture(z, m, 1.0).marginal(2), IndexError, r"dims 2.*\(2,\)"),
    "angles times two": (lambda: VonMisesMixture(z, m, 1.0).affine(m[0] + 2, m[0]), ValueError, "a turn is a turn"),
    "stretched circle": (
        lambda: CauchyMixture(z, m, 1.0).affine(torch.tensor([1.0, 2.0]), m[0]),
        ValueError,
        "same for all coordinates",
    ),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_input_is_refused_with_a_reason(case: str) -> None:
    make, error, message = BAD[case]
    with pytest.raises(error) as raised:
        make()
    assert re.search(message, str(raised.value), re.DOTALL), str(raised.value)


# -------------------------------------------------------------------------------------------------- a new family


class LogisticMixture(Mixture[Scale]):
    """Logistic distributions, in the four operations that a family needs."""

    def _component_log_prob(self, offset: Tensor) -> Tensor:
        s = self._spread.parameter
        t = offset / s
        return (torch.nn.functional.logsigmoid(t) + torch.nn.functional.logsigmoid(-t) - s.log()).sum(-1)

    def _marginals(self) -> LocationScale:
        standard = Standard(
            torch.sigmoid,
            lambda t: torch.nn.functional.logsigmoid(t) + torch.nn.functional.logsigmoid(-t),
            torch.logit,
            lambda a, b: (torch.sigmoid(b) - torch.sigmoid(a)).log(),
        )
        return LocationScale(standard, self._loc.mT, self._spread.parameter.expand(self._loc.shape).mT)

    def _variances(self) -> Tensor:
        return self._spread.parameter.square().expand(self._loc.shape) * math.pi**2 / 3

    def _draw(self, loc: Tensor, spread: Scale) -> Tensor:
        return loc + spread.parameter * torch.rand_like(loc).logit()


def test_four_operations_make_a_family() -> None:
    logits, loc, s = parameters("laplace", (), 3, 2, 9)
    q, x = LogisticMixture(logits, loc, Scale(s)), torch.tensor([0.3, -1.0], dtype=torch.float64)
    each = stats.logistic.logpdf(x.numpy(), loc.numpy(), s.numpy()).sum(-1)
    assert_close(q.log_prob(x), logsumexp(each, b=q.weights.numpy()), 1e-12)
    F = (q.weights.numpy()[:, None] * stats.logistic.cdf(x.numpy(), loc.numpy(), s.numpy())).sum(0)
    assert_close(q.cdf(x), F, 1e-12)
    assert_close(q.icdf(torch.as_tensor(F)), x, 1e-10, 1.0)
    torch.manual_seed(0)
    drawn = q.sample((10_000,))
    assert float(((drawn.mean(0) - q.mean) / (q.stddev / 100)).abs().max()) < 5
    assert min(stats.kstest(u, "uniform").pvalue for u in q.cdf(drawn).T.numpy()) > 1e-4


def test_a_gaussian_mixture_is_a_mixture() -> None:
    q = GaussianMixture(z, m, Isotropic(1.0))
    assert isinstance(q, Mixture)
    assert type(q.marginal([0]).expand((2,)).affine(torch.ones(1), torch.ones(1))) is GaussianMixture


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("batch", [(), (2, 3)])
@pytest.mark.parametrize("family", [*FAMILIES, "gaussian", "full"])
def test_subset_keeps_components_and_their_weights_to_each_other(
    family: str, batch: tuple[int, ...], tied: bool
) -> None:
    """Against the sum of the chosen terms, divided by their weight; a component may be chosen twice."""
    chosen = torch.tensor([3, 0, 3])
    p: Mixture[Any]
    if family in FAMILIES:
        logits, loc, spread = parameters(family, batch, 5, 2, 0)
        one = spread[(*(0,) * len(batch), 0)]  # the spread of one component, for all of them
        p = FAMILIES[family][0](logits, loc, one if tied else spread)
    else:
        p = random_case("isotropic" if family == "gaussian" else "full", batch=batch, K=5, D=2, tied=tied).mixture
    x = torch.as_tensor(np.random.default_rng(1).uniform(-3, 3, (4, *batch, 2)))
    joint = (p.log_weights + p.component_log_prob(x))[..., chosen]
    expected = torch.logsumexp(joint, -1) - torch.logsumexp(p.log_weights[..., chosen], -1)
    q = p.subset(chosen)
    assert type(q) is type(p)
    assert (q.batch_shape, q.event_shape, q.components) == (p.batch_shape, p.event_shape, 3)
    assert_close(q.log_prob(x), expected, 1e-12, 1)


@pytest.mark.parametrize("family", [*FAMILIES, "full"])
def test_pruned_is_the_subset_of_the_heavy(family: str) -> None:
    if family in FAMILIES:
        p: Mixture[Any] = FAMILIES[family][0](*parameters(family, (3,), 5, 2, 0))
    else:
        p = random_case("full", batch=(3,), K=5, D=2).mixture
    x = torch.as_tensor(np.random.default_rng(1).uniform(-3, 3, (4, 3, 2)))
    q = p.pruned(0.15)
    for i in range(3):
        heavy = p.weights[i] >= 0.15
        assert 0 < heavy.sum() < 5
        terms = (p.log_weights + p.component_log_prob(x))[:, i, heavy].logsumexp(-1) - p.weights[i, heavy].sum().log()
        assert_close(q.log_prob(x)[:, i], terms, 1e-12, 1)
    assert (q.batch_shape, q.event_shape, q.components) == (p.batch_shape, p.event_shape, 5)
    only = p.pruned(1.0)
    assert_close(only.weights.sort(-1).values, np.tile([0, 0, 0, 0, 1], (3, 1)), 1e-12, 1)
    assert bool((only.weights.argmax(-1) == p.weights.argmax(-1)).all())


def test_subset_of_scalars() -> None:
    p = LaplaceMixture(torch.zeros(3), torch.tensor([0.0, 1.0, 5.0]), torch.tensor([1.0, 2.0, 3.0]), event_dim=0)
    q = p.subset(torch.tensor([2]))
    assert_close(q.log_prob(torch.tensor(4.0)), stats.laplace(5, 3).logpdf(4), 1e-6)
