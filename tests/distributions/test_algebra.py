"""Conditionals and products against the definitions p(a, b) / p(b) and p q / ∫ p q."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from mixtura.distributions import GaussianMixture, Isotropic
from tests.helpers import KINDS, RTOL, Case, Dense, assert_close, cases, random_case


@given(cases(), st.data())
def test_conditional_is_joint_over_marginal(case: Case, data: st.DataObject) -> None:
    q, D = case.mixture, case.mixture.loc.shape[-1]
    if D == 1:
        return
    b = data.draw(st.lists(st.integers(0, D - 1), min_size=1, max_size=D - 1, unique=True))
    a = [d for d in range(D) if d not in b]
    x = case.values((3,))
    got = q.condition({d: x[..., d] for d in b}).log_prob(x[..., a])
    log_w, X, m, S = np.log(case.dense.weights), x.double().numpy(), case.dense.loc, case.dense.S

    def log_normal(dims: list[int]) -> np.ndarray:
        offset, S_dd = X[..., None, dims] - m[..., dims], S[..., dims, :][..., dims]
        z = np.linalg.solve(np.broadcast_to(S_dd, (*offset.shape, len(dims))), offset[..., None])[..., 0]
        return -0.5 * ((offset * z).sum(-1) + np.linalg.slogdet(S_dd)[1] + len(dims) * np.log(2 * np.pi))

    joint, evidence = logsumexp(log_w + log_normal([*a, *b]), axis=-1), logsumexp(log_w + log_normal(b), axis=-1)
    # The log-densities in the difference set the size of the rounding errors.
    unit = 1 + np.abs(joint) + np.abs(evidence)
    assert_close(got, joint - evidence, 10 * RTOL[case.dtype], unit)


@pytest.mark.parametrize("kind", KINDS)
def test_conditioning_twice_is_conditioning_once(kind: str) -> None:
    case = random_case(kind, D=4, K=3)
    q, x = case.mixture, case.values()
    once = q.condition({2: x[2], 0: x[0]})
    twice = q.condition({2: x[2]}).condition({0: x[0]})
    assert_close(once.log_prob(x[[1, 3]]), twice.log_prob(x[[1, 3]]), 1e-10)
    assert_close(q.condition({-2: x[2], 0: x[0]}).mean, once.mean, 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_conditional_given_a_batch_of_values(kind: str) -> None:
    case = random_case(kind, D=3, K=2)
    values = torch.linspace(-3, 3, 5, dtype=torch.float64)
    batched = case.mixture.condition({1: values})
    assert batched.batch_shape == (5,)
    for i, v in enumerate(values):
        assert_close(batched.mean[i], case.mixture.condition({1: v.item()}).mean, 1e-12)


def test_conditional_has_gradients() -> None:
    case = random_case("full", D=3, K=2)

    def f(logits: torch.Tensor, loc: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        q = GaussianMixture(logits, loc, case.mixture.covariance, validate_args=False)
        return q.condition({1: v}).log_prob(torch.tensor([0.3, -0.2], dtype=torch.float64))

    inputs = (case.mixture.logits, case.mixture.loc, torch.tensor(0.7, dtype=torch.float64))
    assert torch.autograd.gradcheck(f, [t.detach().clone().requires_grad_() for t in inputs])


@pytest.mark.parametrize("values", [{}, {0: 1.0, 1: 2.0}, {0: 1.0, -2: 1.0}, {5: 1.0}])
def test_conditions_that_name_no_conditional(values: dict[int, float]) -> None:
    with pytest.raises((ValueError, IndexError), match="values"):
        random_case("full", D=2).mixture.condition(values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_product_is_proportional_to_the_product(kind: str, other: str) -> None:
    p = random_case(kind, batch=(2,), K=2, D=3, seed=1)
    q = random_case(other, K=3, D=3, seed=2)
    x = p.values((6,))
    difference = p.mixture.product(q.mixture).log_prob(x) - p.mixture.log_prob(x) - q.mixture.log_prob(x)
    assert p.mixture.product(q.mixture).components == 6
    assert_close(difference, difference[:1].expand_as(difference), 1e-9, 10)


def test_product_is_normalised_as_quadrature_says() -> None:
    p, q = (random_case("diagonal", K=2, D=1, seed=s).mixture.marginal(0) for s in (1, 2))
    x = torch.linspace(-30, 30, 60_001, dtype=torch.float64)
    both = (p.log_prob(x) + q.log_prob(x)).exp()
    fused = p.product(q)
    assert fused.event_shape == ()
    assert_close(fused.log_prob(x).exp(), both / torch.trapezoid(both, x), 1e-8, 1e-6)
    # Its logits are log w_i u_j <p_i, q_j>: their sum is the inner product.
    assert_close(fused.logits.logsumexp(-1).exp(), torch.trapezoid(both, x), 1e-9)


def test_product_of_far_and_narrow_components() -> None:
    p = GaussianMixture(torch.zeros(1), torch.tensor([[0.0]]), Isotropic(1e-12))
    q = GaussianMixture(torch.zeros(1), torch.tensor([[1e6]]), Isotropic(1e12))
    fused = p.product(q)
    assert_close(fused.loc, [[1e-18]], 1e-4)
    assert_close(fused.covariance.variances(1), [[1e-12]], 1e-6)


def test_product_of_different_dimensions() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        random_case("full", D=2).mixture.product(random_case("full", D=3).mixture)
    with pytest.raises(ValueError, match="do not broadcast"):
        random_case("full", batch=(2,)).mixture.product(random_case("full", batch=(3,)).mixture)


@pytest.mark.parametrize("kind", KINDS)
def test_linear_map(kind: str) -> None:
    case = random_case(kind, batch=(2,), K=3, D=4)
    A = torch.randn(2, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    b = torch.tensor([5.0, -7.0], dtype=torch.float64)
    image = case.mixture.affine(A, b)
    a = A.numpy()
    mapped = Dense(case.dense.weights, case.dense.loc @ a.T + b.numpy(), a @ case.dense.S @ a.T)
    x = torch.as_tensor(mapped.draw(case.rng, (5,)))
    assert_close(image.log_prob(x), mapped.log_prob(x.numpy()), 1e-10, 1)


def test_linear_maps_without_a_density() -> None:
    q = random_case("full", D=3).mixture
    with pytest.raises(ValueError, match="linearly dependent"):
        q.affine(torch.tensor([[1.0, 2, 3], [2, 4, 6]]).double(), torch.zeros(2).double())
    with pytest.raises(ValueError, match=r"\(4, 3\)"):
        q.affine(torch.ones(4, 3).double(), torch.zeros(4).double())
