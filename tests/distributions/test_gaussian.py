"""The mixture against dense float64 references, torch's own distributions, quadrature and Monte Carlo."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import logsumexp
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from mixtura.distributions import Diagonal, Full, GaussianMixture, Isotropic, Precision
from tests.helpers import KINDS, RTOL, Case, Dense, assert_close, cases, random_case

every_kind = pytest.mark.parametrize("kind", list(KINDS))
tied_or_not = pytest.mark.parametrize("tied", [False, True], ids=["own", "tied"])

# ---------------------------------------------------------------------------------------------------- densities


@given(cases(), st.lists(st.integers(1, 3), max_size=2))
def test_densities_agree_with_dense_reference(case: Case, sample_shape: list[int]) -> None:
    x = case.values(sample_shape)
    component = case.dense.component_log_prob(x.double().numpy())
    joint = np.log(case.dense.weights) + component
    # Rounding acts on the two terms of a log-density before they cancel.
    log_det = np.abs(np.linalg.slogdet(case.dense.S)[1]).max()
    assert_close(case.mixture.component_log_prob(x), component, RTOL[case.dtype], 1 + log_det)
    assert_close(case.mixture.log_prob(x), logsumexp(joint, axis=-1), RTOL[case.dtype], 1 + log_det)
    posterior = np.exp(joint - logsumexp(joint, axis=-1, keepdims=True))
    near = np.where(joint - joint.max(-1, keepdims=True) > -50, np.abs(component), 0).max()
    assert_close(case.mixture.responsibilities(x), posterior, RTOL[case.dtype], 1 + log_det + near)


@given(cases())
def test_a_value_without_batch_dimensions_meets_every_mixture(case: Case) -> None:
    x = case.values()
    one = x.reshape(-1, x.shape[-1])[0]
    log_det = np.abs(np.linalg.slogdet(case.dense.S)[1]).max()
    assert_close(case.mixture.log_prob(one), case.dense.log_prob(one.double().numpy()), RTOL[case.dtype], 1 + log_det)


@given(cases())
def test_moments_agree_with_dense_reference(case: Case) -> None:
    q, S = case.mixture, case.dense.covariance()
    unit = float(np.abs(case.dense.loc).max() + np.sqrt(np.abs(case.dense.S).max()))
    rtol = 10 * RTOL[case.dtype]
    assert_close(q.weights, case.dense.weights, rtol)
    assert_close(q.mean, case.dense.mean(), rtol, unit)
    assert_close(q.covariance_matrix, S, rtol, unit**2)
    assert_close(q.variance, S.diagonal(axis1=-2, axis2=-1), rtol, unit**2)
    assert_close(q.stddev.square(), q.variance, rtol)


@given(cases())
def test_log_prob_agrees_with_torch(case: Case) -> None:
    q, x = case.mixture, case.values((4,)).double()
    components = MultivariateNormal(torch.as_tensor(case.dense.loc), torch.as_tensor(np.array(case.dense.S)))
    peer = MixtureSameFamily(Categorical(logits=q.logits.double()), components)
    unit = 1 + np.abs(np.linalg.slogdet(case.dense.S)[1]).max()
    assert_close(q.log_prob(x.to(case.dtype)), peer.log_prob(x), 10 * RTOL[case.dtype], unit)
    assert_close(q.mean, peer.mean, RTOL[case.dtype], float(np.abs(case.dense.loc).max()))


@given(st.integers(1, 6), st.lists(st.integers(1, 3), max_size=2), st.integers(0, 1000))
def test_scalars_agree_with_torch(K: int, batch: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, loc = torch.as_tensor(rng.standard_normal((2, *batch, K)))
    variance = torch.as_tensor(rng.uniform(0.1, 2, (*batch, K)))
    q = GaussianMixture(logits, loc, Isotropic(variance), event_dim=0)
    peer = MixtureSameFamily(Categorical(logits=logits), Normal(loc, variance.sqrt()))
    x = torch.as_tensor(rng.standard_normal((4, *batch)))
    assert (q.event_shape, q.batch_shape, q.loc.shape) == (peer.event_shape, peer.batch_shape, loc.shape)
    for got, expected in [
        (q.log_prob(x), peer.log_prob(x)),
        (q.cdf(x), peer.cdf(x)),
        (q.mean, peer.mean),
        (q.variance, peer.variance),
        (q.icdf(q.cdf(x)), x),
        (q.covariance_matrix, peer.variance[..., None, None]),
    ]:
        assert_close(got, expected, 1e-10, 1.0)


@every_kind
def test_density_of_one_dimension_integrates_to_one(kind: str) -> None:
    q = random_case(kind, K=3, D=1).mixture

    def density(x: float) -> float:
        return float(q.log_prob(torch.tensor([x], dtype=torch.float64)).exp())

    total, _ = integrate.quad(density, -40, 40, points=q.loc[:, 0].tolist(), limit=200)
    assert total == pytest.approx(1, abs=1e-9)


@every_kind
def test_density_of_two_dimensions_integrates_to_one(kind: str) -> None:
    q = random_case(kind, K=3, D=2, seed=1).mixture
    t = torch.linspace(-25, 25, 701, dtype=torch.float64)  # the trapezoidal rule is exact to rounding for Gaussians
    grid = torch.cartesian_prod(t, t)
    assert float(q.log_prob(grid).exp().sum() * (t[1] - t[0]) ** 2) == pytest.approx(1, abs=1e-10)


@every_kind
@tied_or_not
def test_first_and_second_derivatives_of_log_prob(kind: str, tied: bool) -> None:
    case = random_case(kind, batch=(2,), K=2, D=2, tied=tied, seed=3)
    q, parameter = case.mixture, case.mixture.covariance.parameter

    def log_prob(logits: Tensor, loc: Tensor, parameter: Tensor, x: Tensor) -> Tensor:
        parameter = parameter.tril() if kind in ("full", "precision") else parameter
        return GaussianMixture(logits, loc, KINDS[kind](parameter), validate_args=False).log_prob(x)

    inputs = [t.detach().clone().requires_grad_() for t in (q.logits, q.loc, parameter, case.values((2,)))]
    assert torch.autograd.gradcheck(log_prob, inputs)
    assert torch.autograd.gradgradcheck(log_prob, inputs)


@every_kind
def test_derivatives_of_moments_and_marginals(kind: str) -> None:
    case = random_case(kind, K=2, D=3, seed=4)
    q, x = case.mixture, case.values()[:2]

    def readings(logits: Tensor, loc: Tensor, parameter: Tensor) -> tuple[Tensor, ...]:
        parameter = parameter.tril() if kind in ("full", "precision") else parameter
        q = GaussianMixture(logits, loc, KINDS[kind](parameter), validate_args=False)
        return q.mean, q.variance, q.covariance_matrix, q.marginal([2, 0]).log_prob(x), q.marginal(1).log_prob(x[0])

    inputs = [t.detach().clone().requires_grad_() for t in (q.logits, q.loc, q.covariance.parameter)]
    assert torch.autograd.gradcheck(readings, inputs)


def test_parameters_can_be_learned_in_place() -> None:
    x = torch.randn(200, 1, dtype=torch.float64) + torch.tensor([3.0]) * (torch.arange(200)[:, None] % 4 == 0)
    logits, loc = torch.zeros(2, dtype=torch.float64), torch.tensor([[-1.0], [2.0]], dtype=torch.float64)
    q = GaussianMixture(logits.requires_grad_(), loc.requires_grad_(), Isotropic(1.0))
    optimizer = torch.optim.SGD([logits, loc], lr=0.1)
    before = -q.log_prob(x).mean()
    for _ in range(20):
        optimizer.zero_grad()
        (-q.log_prob(x).mean()).backward()
        optimizer.step()
    torch.testing.assert_close(q.weights, torch.softmax(logits, 0))
    assert -q.log_prob(x).mean() < before


# ------------------------------------------------------------------------------------------------ extreme values


def _extreme(kind: str, dtype: torch.dtype) -> tuple[GaussianMixture, Tensor, np.ndarray]:
    """A mixture in 12,288 dimensions with two coincident components, one 1e6 away, and variances 1e-12 ... 1e12."""
    K, D = 5, 12_288
    rng = np.random.default_rng(0)
    loc = rng.standard_normal((K, D))
    loc[1] = loc[0]
    loc[2] += 1e6
    variance = np.logspace(-12, 12, K) if kind == "isotropic" else 10 ** rng.uniform(-12, 12, (K, D))
    logits = torch.zeros(K, dtype=dtype)
    q = GaussianMixture(logits, torch.as_tensor(loc, dtype=dtype), KINDS[kind](torch.as_tensor(variance, dtype=dtype)))
    scale = np.sqrt(variance[:, None] if kind == "isotropic" else variance)
    x = torch.as_tensor(loc + scale * rng.standard_normal((K, D)), dtype=dtype)
    m, v = q.loc.double().numpy().astype(np.longdouble), q.covariance.variances(D).double().numpy()
    v = np.broadcast_to(v, (K, D)).astype(np.longdouble)
    offset = x.double().numpy().astype(np.longdouble)[:, None] - m
    component = -0.5 * ((offset**2 / v).sum(-1) + np.log(v).sum(-1) + D * np.log(2 * np.longdouble(np.pi)))
    return q, x, logsumexp(component.astype(np.float64) - math.log(K), axis=-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["isotropic", "diagonal"])
def test_twelve_thousand_dimensions_with_extreme_variances(kind: str, dtype: torch.dtype) -> None:
    q, x, expected = _extreme(kind, dtype)
    assert_close(q.log_prob(x), expected, 1e-5 if dtype is torch.float32 else 1e-11)
    logits, loc, v = (t.detach().double().clone().requires_grad_() for t in (q.logits, q.loc, q.covariance.parameter))
    GaussianMixture(logits, loc, KINDS[kind](v)).log_prob(x.double()).sum().backward()
    for t in (logits, loc, v):
        assert t.grad is not None
        assert bool(torch.isfinite(t.grad).all())


def test_float32_gradients_of_distant_components_are_finite() -> None:
    loc = torch.tensor([0.0, 0.0, 1e6])[:, None] * torch.ones(12_288)
    parameters = [torch.zeros(3), loc, torch.tensor([1e-12, 1.0, 1e12])]
    logits, loc, v = (t.clone().requires_grad_() for t in parameters)
    x = torch.cat([torch.randn(2, 12_288), 1e6 * torch.randn(2, 12_288)])
    value = GaussianMixture(logits, loc, Isotropic(v)).log_prob(x)
    value.sum().backward()
    assert bool(torch.isfinite(value).all())
    for t in (logits, loc, v):
        assert t.grad is not None
        assert bool(torch.isfinite(t.grad).all())


def test_log_prob_far_out_is_exact_where_the_density_underflows() -> None:
    q = GaussianMixture(torch.zeros(2), torch.tensor([[0.0], [1.0]]), Isotropic(1e-6))
    x = torch.tensor([[100.0]])
    assert_close(q.log_prob(x), [-0.5 * 99**2 / 1e-6 - 0.5 * math.log(2 * math.pi * 1e-6) - math.log(2)], 1e-6)


def test_weight_of_zero_counts_nothing() -> None:
    logits = torch.tensor([0.0, -math.inf], dtype=torch.float64, requires_grad=True)
    loc = torch.tensor([[0.0], [5.0]], dtype=torch.float64, requires_grad=True)
    q = GaussianMixture(logits, loc, Isotropic(1.0))
    x = torch.tensor([[5.0]], dtype=torch.float64)
    value = q.log_prob(x)
    assert_close(value, stats.norm.logpdf([5.0]), 1e-12)
    assert_close(q.responsibilities(x), [[1.0, 0.0]], 0)
    assert_close(q.mean, [0.0], 0)
    value.sum().backward()
    assert loc.grad is not None
    assert_close(loc.grad, [[5.0], [0.0]], 1e-12)


def test_wildly_different_weights() -> None:
    q = GaussianMixture(torch.tensor([0.0, -1e4, 1e4]), torch.tensor([[0.0], [1.0], [2.0]]), Isotropic(1.0))
    assert_close(q.log_prob(torch.tensor([[2.0]])), [-0.5 * math.log(2 * math.pi)], 1e-6)
    assert_close(q.log_weights, [-1e4, -2e4, 0.0], 1e-6)


# --------------------------------------------------------------------------------------------------- operations


@given(cases(), st.randoms(use_true_random=False))
def test_marginal_agrees_with_the_reference_of_the_block(case: Case, random: Random) -> None:
    D = case.dense.loc.shape[-1]
    dims = random.sample(range(D), random.randint(1, D))
    S = case.dense.S[..., dims, :][..., :, dims]
    block = type(case.dense)(case.dense.weights, case.dense.loc[..., dims], S)
    x = case.values((3,))[..., dims]
    unit = 1 + np.abs(np.linalg.slogdet(S)[1]).max()
    q = case.mixture.marginal([d - D * random.randint(0, 1) for d in dims])
    assert_close(q.log_prob(x), block.log_prob(x.double().numpy()), 10 * RTOL[case.dtype], unit)


@given(cases())
def test_marginal_of_one_coordinate_is_scalar(case: Case) -> None:
    d = case.dense.loc.shape[-1] - 1
    q, x = case.mixture.marginal(d), case.values((3,))
    assert q.event_shape == ()
    scale = np.sqrt(case.dense.S[..., d, d])
    log_prob = stats.norm.logpdf(x[..., d, None].double().numpy(), case.dense.loc[..., d], scale)
    unit = 1 + np.abs(np.log(scale)).max()
    assert_close(q.log_prob(x[..., d]), logsumexp(log_prob, b=case.dense.weights, axis=-1), 10 * RTOL[case.dtype], unit)
    assert_close(q.cdf(x[..., d]), case.mixture.cdf(x)[..., d], 0.1 * RTOL[case.dtype], 1.0)


@given(cases())
def test_affine_changes_variables(case: Case) -> None:
    D = case.dense.loc.shape[-1]
    scale = torch.as_tensor(np.exp(case.rng.standard_normal(D)), dtype=torch.float64)
    shift = torch.as_tensor(case.rng.standard_normal(D), dtype=torch.float64)
    S = scale[:, None].numpy() * case.dense.S * scale.numpy()
    image = type(case.dense)(case.dense.weights, case.dense.loc * scale.numpy() + shift.numpy(), S)
    q = case.mixture.affine(scale.to(case.dtype), shift.to(case.dtype))
    unit = float(np.abs(image.loc).max() + np.sqrt(np.abs(S).max()))
    assert_close(q.mean, image.mean(), 10 * RTOL[case.dtype], unit)
    assert_close(q.covariance_matrix, image.covariance(), 10 * RTOL[case.dtype], unit**2)
    if case.dtype is torch.float64:
        x = case.values((3,))
        expected = case.mixture.log_prob(x) - scale.log().sum()
        width = np.sqrt(S.diagonal(axis1=-2, axis2=-1)).min()
        rounding = (1 + np.abs(image.loc).max() / width) * (1 + np.abs(expected.numpy()).max()) ** 0.5
        assert_close(q.log_prob(scale * x + shift), expected, 1e-12 * rounding, 1.0 + np.abs(expected.numpy()).max())


def test_affine_of_scalars() -> None:
    q = GaussianMixture(torch.zeros(2), torch.tensor([-1.0, 1.0]), Isotropic(0.25), event_dim=0)
    r = q.affine(torch.tensor(3.0), torch.tensor(1.0))
    assert_close(r.mean, 1.0, 1e-6)
    assert_close(r.variance, 9 * 1.25, 1e-6)
    assert_close(r.log_prob(torch.tensor(4.0)), float(q.log_prob(torch.tensor(1.0))) - math.log(3), 1e-6)


@given(cases())
def test_expand_repeats_the_mixture(case: Case) -> None:
    q, x = case.mixture, case.values((2,))
    r = q.expand((2, *q.batch_shape))
    assert r.batch_shape == (2, *q.batch_shape)
    assert_close(r.log_prob(x), q.log_prob(x), RTOL[case.dtype], 1.0)
    assert_close(r.covariance_matrix, q.covariance_matrix.expand_as(r.covariance_matrix), RTOL[case.dtype])
    assert r.sample((3,)).shape == (3, 2, *q.batch_shape, *q.event_shape)


@given(st.integers(1, 5), st.integers(1, 3), st.lists(st.integers(1, 2), max_size=1), st.integers(0, 1000))
def test_from_samples_is_the_kernel_density(N: int, D: int, batch: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, weights = rng.standard_normal((*batch, N, D)), rng.uniform(0.1, 1, (*batch, N))
    x = rng.standard_normal((4, *batch, D))
    kernel = stats.norm.logpdf(x[..., None, :], rows, 0.1).sum(-1)
    q = GaussianMixture.from_samples(torch.as_tensor(rows), 0.01)
    assert_close(q.log_prob(torch.as_tensor(x)), logsumexp(kernel, axis=-1) - math.log(N), 1e-10, 1.0)
    q = GaussianMixture.from_samples(torch.as_tensor(rows), 0.01, torch.as_tensor(weights))
    share = weights / weights.sum(-1, keepdims=True)
    assert_close(q.log_prob(torch.as_tensor(x)), logsumexp(kernel, b=share, axis=-1), 1e-10, 1.0)


def test_from_samples_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    rows, weights, x = rng.standard_normal((30, 2)), rng.uniform(size=30), rng.standard_normal((5, 2))
    peer = stats.gaussian_kde(rows.T, weights=weights)
    factor = torch.linalg.cholesky(torch.as_tensor(peer.covariance))
    q = GaussianMixture.from_samples(torch.as_tensor(rows), Full(factor), torch.as_tensor(weights))
    assert_close(q.log_prob(torch.as_tensor(x)), peer.logpdf(x.T), 1e-10)


def test_from_samples_of_scalars_with_a_variance_and_a_weight_per_row() -> None:
    rows, v, w = torch.tensor([0.0, 1.0, 5.0]), torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1, 0, 3])
    q = GaussianMixture.from_samples(rows, v, w)
    assert q.event_shape == ()
    expected = 0.25 * stats.norm.pdf(0.5, 0, 1) + 0.75 * stats.norm.pdf(0.5, 5, 3**0.5)
    assert_close(q.log_prob(torch.tensor(0.5)).exp(), expected, 1e-6)


# ----------------------------------------------------------------------------------------------------- sampling


@every_kind
@tied_or_not
def test_samples_follow_the_distribution(kind: str, tied: bool) -> None:
    torch.manual_seed(0)
    n, case = 20_000, random_case(kind, batch=(2, 3), K=3, D=2, tied=tied, seed=5)
    x = case.mixture.sample((n,))
    assert x.shape == (n, 2, 3, 2)
    offset = x.numpy() - case.dense.mean()
    products = offset[..., :, None] * offset[..., None, :]
    for found, expected in ((offset, 0.0), (products, case.dense.covariance())):
        error = (found.mean(0) - expected) / (found.std(0) / n**0.5)
        assert np.abs(error).max() < 5  # standard errors
    uniform = case.mixture.cdf(x).reshape(n, -1).numpy()
    assert min(stats.kstest(u, "uniform").pvalue for u in uniform.T) > 1e-4


@every_kind
@tied_or_not
def test_every_batch_entry_draws_its_own_components_with_their_frequencies_and_covariances(
    kind: str, tied: bool
) -> None:
    torch.manual_seed(1)
    case = random_case(kind, batch=(3,), K=4, D=2, tied=tied, seed=6, spread=300.0)  # far apart: each is recognised
    x = case.mixture.sample((60, 200)).reshape(-1, 3, 2).numpy()
    which = case.dense.component_log_prob(x).argmax(-1)
    for b in range(3):
        count = np.bincount(which[:, b], minlength=4)
        assert stats.chisquare(count, len(x) * case.dense.weights[b]).pvalue > 1e-4
        for k in range(4):
            z = np.linalg.solve(
                np.linalg.cholesky(case.dense.S[b, k]), (x[which[:, b] == k, b] - case.dense.loc[b, k]).T
            )
            n, S = z.shape[1], z @ z.T / z.shape[1]
            assert np.abs(z.mean(1)).max() < 5 / n**0.5
            assert np.abs(S - np.eye(2)).max() < 5 * (2 / n) ** 0.5


def test_samples_of_scalars_follow_the_distribution() -> None:
    torch.manual_seed(2)
    q = random_case("isotropic", batch=(2,), D=1, seed=7).mixture.marginal(0)
    x = q.sample((5000,))
    assert x.shape == (5000, 2)
    assert min(stats.kstest(u, "uniform").pvalue for u in q.cdf(x).T.numpy()) > 1e-4


def test_samples_have_no_gradient_and_follow_the_seed() -> None:
    q = GaussianMixture(torch.zeros(2, requires_grad=True), torch.zeros(2, 1), Isotropic(1.0))
    torch.manual_seed(3)
    first = q.sample((5,))
    torch.manual_seed(3)
    assert torch.equal(first, q.sample((5,)))
    assert not first.requires_grad


# ------------------------------------------------------------------------- faults of the peers, and house rules


def test_isotropic_scales_belong_to_their_components() -> None:
    """K = 3, D = 2: a reshape that mixes components up shows here."""
    scale = [0.1, 1.0, 10.0]
    loc = [[0.0, 0.0], [5.0, -5.0], [-20.0, 20.0]]
    q = GaussianMixture(
        torch.zeros(4, 3, dtype=torch.float64),
        torch.tensor(loc, dtype=torch.float64).expand(4, 3, 2),
        Isotropic(torch.tensor(scale, dtype=torch.float64).square().expand(4, 3)),
    )
    x = [0.3, -0.2]
    by_hand = [sum(stats.norm.logpdf(x[d], m[d], s) for d in range(2)) for m, s in zip(loc, scale, strict=True)]
    assert_close(q.component_log_prob(torch.tensor(x, dtype=torch.float64)), [by_hand] * 4, 1e-12)


def test_density_is_of_the_joint_and_not_of_each_coordinate() -> None:
    q = GaussianMixture(torch.zeros(2).double(), torch.tensor([[-1.0, -1.0], [1.0, 1.0]]).double(), Isotropic(0.01))
    off = torch.tensor([1.0, -1.0], dtype=torch.float64)  # each coordinate is likely, the pair is not
    one = stats.norm.logpdf(0, 0, 0.1) + stats.norm.logpdf(2, 0, 0.1)
    assert_close(q.log_prob(off), one, 1e-12)
    each = sum(float(q.marginal(d).log_prob(off[d])) for d in range(2))
    assert float(q.log_prob(off)) < each - 100


@pytest.mark.parametrize("D", [1, 2, 7])
@every_kind
def test_normalising_constant_is_there(kind: str, D: int) -> None:
    parameter = torch.ones(()) if kind == "isotropic" else torch.ones(D) if kind == "diagonal" else torch.eye(D)
    q = GaussianMixture(torch.zeros(1), torch.zeros(1, D), KINDS[kind](parameter))
    assert_close(q.log_prob(torch.zeros(D)), -0.5 * D * math.log(2 * math.pi), 1e-6)


def test_log_prob_is_not_random() -> None:
    q, x = random_case("full", batch=(2,)).mixture, torch.zeros(2, dtype=torch.float64)
    state = torch.get_rng_state()
    values = []
    for seed in range(3):
        torch.manual_seed(seed)
        values.append(q.log_prob(x))
    torch.set_rng_state(state)
    readings: list[Callable[[], object]] = [lambda: q.log_prob(x), lambda: q.cdf(x), lambda: q.icdf(q.cdf(x)), q.modes]
    for reading in readings:
        reading()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(values[0], values[1])
    assert torch.equal(values[0], values[2])


def test_median_is_not_the_mean() -> None:
    q = GaussianMixture(torch.tensor([0.8, 0.2]).log(), torch.tensor([0.0, 10.0]), Isotropic(1.0), event_dim=0)
    assert_close(q.mean, 2.0, 1e-6)
    median = float(q.icdf(torch.tensor(0.5)))
    assert 0.8 * stats.norm.cdf(median) + 0.2 * stats.norm.cdf(median - 10) == pytest.approx(0.5, abs=1e-6)
    assert median < 0.5


def test_number_as_variance_keeps_the_digits_of_float64() -> None:
    q = GaussianMixture(torch.zeros(1).double(), torch.zeros(1, 1).double(), Isotropic(0.01))
    assert_close(q.variance, [0.01], 1e-15)
    assert q.log_prob(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64
    q = GaussianMixture(torch.zeros(1), torch.zeros(1, 1), Isotropic(0.01))
    assert q.log_prob(torch.zeros(1)).dtype == torch.float32


@every_kind
def test_parameters_follow_the_dtype_of_loc(kind: str) -> None:
    q, wide = random_case(kind, dtype=torch.float32).mixture, random_case(kind, dtype=torch.float64).mixture
    mixed = GaussianMixture(q.logits, wide.loc, q.covariance)
    assert {mixed.logits.dtype, mixed.covariance.parameter.dtype, mixed.sample().dtype} == {torch.float64}
    x = torch.tensor([0.1, 0.2], dtype=torch.float64)
    assert_close(q.log_prob(x), q.log_prob(x.float()), 1e-5)  # a value may be wider than the mixture
    assert_close(q.log_prob(torch.tensor([1, 2])), q.log_prob(torch.tensor([1.0, 2.0])), 1e-6)


def test_repr_tells_the_shapes() -> None:
    q = random_case("precision", batch=(4,), K=3, D=2).mixture
    assert repr(q) == "GaussianMixture(batch_shape=(4,), event_shape=(2,), components=3, covariance=Precision)"


# ------------------------------------------------------------------------------------------------------- errors

z, m = torch.zeros(3), torch.zeros(3, 2)
one = Isotropic(1.0)
BAD: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "K": (lambda: GaussianMixture(torch.zeros(4), m, one), ValueError, r"logits.*\(4,\).*loc.*\(3, 2\)"),
    "no K": (lambda: GaussianMixture(torch.tensor(0.0), m, one), ValueError, r"logits.*\(\).*loc.*\(3, 2\)"),
    "no D": (lambda: GaussianMixture(z, z, one), ValueError, r"logits.*\(3,\).*loc.*\(3,\)"),
    "empty": (lambda: GaussianMixture(torch.zeros(0), torch.zeros(0, 2), one), ValueError, r"K >= 1"),
    "batch": (
        lambda: GaussianMixture(torch.zeros(4, 3), torch.zeros(5, 3, 2), one),
        ValueError,
        r"\(4, 3\).*\(5, 3, 2\).*broadcast",
    ),
    "covariance's K": (lambda: GaussianMixture(z, m, Isotropic(torch.ones(4))), ValueError, r"\(4,\).*\(3, 2\)"),
    "covariance's D": (lambda: GaussianMixture(z, m, Diagonal(torch.ones(5))), ValueError, r"\(5,\).*\(3, 2\)"),
    "factor's D": (lambda: GaussianMixture(z, m, Full(torch.eye(4))), ValueError, r"\(4, 4\).*\(3, 2\)"),
    "covariance's batch": (
        lambda: GaussianMixture(torch.zeros(4, 3), torch.zeros(4, 3, 2), Isotropic(torch.ones(5, 3))),
        ValueError,
        r"\(4, 3\).*\(4, 3, 2\).*\(5, 3\)",
    ),
    "not square": (lambda: Precision(torch.ones(2, 3)), ValueError, r"square.*\(2, 3\)"),
    "too few dimensions": (lambda: Full(torch.ones(2)), ValueError, r"at least 2 dimensions.*\(2,\)"),
    "integers": (lambda: Diagonal(torch.tensor([1, 2])), TypeError, r"floating-point.*int64"),
    "integer loc": (lambda: GaussianMixture(z, torch.zeros(3, 2).long(), one), TypeError, r"loc.*int64"),
    "a bare tensor": (lambda: GaussianMixture(z, m, torch.ones(3)), TypeError, "Isotropic, Diagonal.*Tensor"),  # pyright: ignore[reportArgumentType]
    "event_dim": (lambda: GaussianMixture(z, m, one, event_dim=2), ValueError, "event_dim must be 0.*got 2"),
    "NaN logits": (lambda: GaussianMixture(z * math.nan, m, one), ValueError, "logits must not hold NaN"),
    "infinite logits": (lambda: GaussianMixture(z + math.inf, m, one), ValueError, r"logits.*\+inf"),
    "no weight": (lambda: GaussianMixture(z - math.inf, m, one), ValueError, "weights sum to nothing"),
    "NaN loc": (lambda: GaussianMixture(z, m * math.nan, one), ValueError, "loc holds"),
    "negative variance": (
        lambda: GaussianMixture(z, m, Isotropic(torch.tensor([1.0, 1.0, -2.0]))),
        ValueError,
        "component 2 is -2",
    ),
    "NaN variance": (
        lambda: GaussianMixture(z, m, Diagonal(torch.tensor([[1.0, 1.0], [1.0, math.nan], [1.0, 1.0]]))),
        ValueError,
        "component 1 is nan",
    ),
    "zero variance": (lambda: GaussianMixture(z, m, Isotropic(0.0)), ValueError, "tied component is 0"),
    "indefinite factor": (
        lambda: GaussianMixture(
            torch.zeros(2, 3),
            torch.zeros(2, 3, 2),
            Full(torch.eye(2) * torch.tensor([1, 1, 1, 1, -1, 1.0]).view(2, 3, 1, 1)),
        ),
        ValueError,
        r"component 1 of batch entry \(1,\) is -1",
    ),
    "not triangular": (lambda: GaussianMixture(z, m, Precision(torch.ones(2, 2))), ValueError, "lower triangular"),
    "infinite factor": (
        lambda: GaussianMixture(z, m, Full(torch.tensor([[1.0, 0.0], [math.inf, 1.0]]))),
        ValueError,
        "not finite",
    ),
    "value's D": (
        lambda: GaussianMixture(z, m, one).log_prob(torch.zeros(7, 3)),
        ValueError,
        r"value has shape \(7, 3\).*D = 2",
    ),
    "value without D": (lambda: GaussianMixture(z, m, one).cdf(torch.tensor(0.0)), ValueError, r"shape \(\).*D = 2"),
    "value's batch": (
        lambda: GaussianMixture(z.expand(4, 3), m, one).log_prob(torch.zeros(5, 2)),
        ValueError,
        r"\(5, 2\).*batch_shape \(4,\)",
    ),
    "NaN value": (lambda: GaussianMixture(z, m, one).log_prob(m[0] * math.nan), ValueError, "value holds NaN"),
    "probability above one": (lambda: GaussianMixture(z, m, one).icdf(m[0] + 1.5), ValueError, r"\[0, 1\]"),
    "negative probability": (lambda: GaussianMixture(z, m, one).icdf(m[0] - 1e-9), ValueError, r"\[0, 1\]"),
    "marginal": (lambda: GaussianMixture(z, m, one).marginal([0, 2]), IndexError, r"dims \[0, 2\].*\(2,\)"),
    "no marginal": (lambda: GaussianMixture(z, m, one).marginal([]), IndexError, r"dims \[\]"),
    "same marginal twice": (lambda: GaussianMixture(z, m, one).marginal([1, -1]), IndexError, "distinct"),
    "marginal of scalars": (
        lambda: GaussianMixture(z, m, one).marginal(0).marginal(0),
        IndexError,
        r"event_shape \(\)",
    ),
    "affine": (lambda: GaussianMixture(z, m, one).affine(torch.ones(3), z[:2]), ValueError, r"\(3,\).*\(2,\).*\(2,\)"),
    "negative scale": (lambda: GaussianMixture(z, m, one).affine(-torch.ones(2), z[:2]), ValueError, "positive"),
    "no rows": (lambda: GaussianMixture.from_samples(torch.zeros(0, 2), 1.0), ValueError, r"row.*\(0, 2\)"),
    "a single number": (lambda: GaussianMixture.from_samples(torch.tensor(1.0), 1.0), ValueError, "row"),
    "negative weight": (lambda: GaussianMixture.from_samples(m, 1.0, z - 1), ValueError, "smallest is -1"),
    "weights' length": (lambda: GaussianMixture.from_samples(m, 1.0, torch.ones(2)), ValueError, r"\(2,\).*\(3, 2\)"),
    "all weights zero": (lambda: GaussianMixture.from_samples(m, 1.0, z), ValueError, "sum to nothing"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_input_is_refused_with_a_reason(case: str) -> None:
    make, error, message = BAD[case]
    with pytest.raises(error) as raised:
        make()
    assert re.search(message, str(raised.value), re.DOTALL), str(raised.value)


def test_values_are_not_checked_where_the_user_says_so() -> None:
    nan = m * math.nan
    q = GaussianMixture(z, nan, Isotropic(-1.0), validate_args=False)
    assert bool(q.log_prob(nan[0]).isnan())
    assert bool(q.marginal([0]).log_prob(nan[0, :1]).isnan())
    with pytest.raises(ValueError, match=r"\(7, 3\)"):  # shapes are always checked
        q.log_prob(torch.zeros(7, 3))
    with pytest.raises(ValueError, match="value holds NaN"):  # and derived mixtures keep the setting
        GaussianMixture(z, m, one, validate_args=True).marginal([0]).log_prob(nan[0, :1])


@pytest.mark.parametrize("kind", KINDS)
def test_temperature_sharpens_weights_and_scales(kind: str) -> None:
    torch.manual_seed(0)
    case = random_case(kind, K=2, D=2, spread=30)
    x = case.mixture.sample((20_000,), temperature=0.5, scale_temperature=0.25)
    w = case.dense.weights**2 / (case.dense.weights**2).sum()
    expected = Dense(w, case.dense.loc, 0.25 * case.dense.S)
    error = np.sqrt(expected.covariance().diagonal() / 20_000)
    assert (np.abs(x.mean(0).numpy() - expected.mean()) < 5 * error).all()
    u = GaussianMixture(
        torch.as_tensor(w).log(), case.mixture.loc, Full(torch.linalg.cholesky(torch.as_tensor(expected.S)))
    ).cdf(x)
    assert all(stats.kstest(u[:, d].numpy(), "uniform").pvalue > 1e-4 for d in range(2))
    for bad in (0.0, -1.0, math.inf):
        with pytest.raises(ValueError, match="temperatures"):
            case.mixture.sample(temperature=bad)
