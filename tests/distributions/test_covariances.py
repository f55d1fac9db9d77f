"""Every operation of every kind of covariance against dense float64 matrices."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mixtura.distributions import Covariance, Diagonal, Full, Isotropic, Precision
from tests.helpers import KINDS, RTOL, Array, assert_close, dense_covariance, random_parameter

every_kind = pytest.mark.parametrize("kind", list(KINDS))
Drawn = tuple[str, Covariance, Array, tuple[int, ...], np.random.Generator]


@st.composite
def covariances(draw: st.DrawFn) -> Drawn:
    """A covariance, S as a dense array (*leading, D, D), the shape (*B, K, D), and a generator."""
    kind, dtype = draw(st.sampled_from(list(KINDS))), draw(st.sampled_from([torch.float32, torch.float64]))
    shape = (*draw(st.lists(st.integers(1, 3), max_size=2)), draw(st.integers(1, 6)), draw(st.integers(1, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    leading = () if draw(st.booleans()) else shape[:-1]
    scale = draw(st.sampled_from([1e-5, 1.0, 1e5]))
    parameter = torch.as_tensor(random_parameter(rng, kind, leading, shape[-1], scale), dtype=dtype)
    return kind, KINDS[kind](parameter), dense_covariance(kind, parameter.double().numpy(), shape[-1]), shape, rng


def _tolerance(c: Covariance) -> float:
    return 10 * RTOL[c.parameter.dtype]


@given(covariances(), st.lists(st.integers(1, 3), max_size=2))
def test_whitening_measures_the_distance_of_mahalanobis(drawn: Drawn, samples: list[int]) -> None:
    _, c, S, shape, rng = drawn
    sd = np.sqrt(S.diagonal(axis1=-2, axis2=-1).max())
    x = torch.as_tensor(sd * rng.standard_normal((*samples, *shape)), dtype=c.parameter.dtype)
    wide = x.double().numpy()
    expected = (wide * np.linalg.solve(np.broadcast_to(S, (*wide.shape, shape[-1])), wide[..., None])[..., 0]).sum(-1)
    assert_close(c.whiten(x).square().sum(-1), expected, _tolerance(c))


@given(covariances())
def test_colouring_is_a_root_of_the_covariance(drawn: Drawn) -> None:
    _, c, S, shape, _ = drawn
    D = shape[-1]
    basis = torch.eye(D, dtype=c.parameter.dtype).reshape(D, *(1,) * (len(shape) - 1), D).expand(D, *shape)
    columns = c.color(basis).double().numpy()  # (D, *B, K, D): the images of the unit vectors
    S = np.broadcast_to(S, (*shape, D))
    assert_close(torch.as_tensor(np.einsum("a...i,a...j->...ij", columns, columns)), S, _tolerance(c), np.abs(S).max())


@given(covariances())
def test_colouring_undoes_whitening(drawn: Drawn) -> None:
    _, c, _, shape, rng = drawn
    z = torch.as_tensor(rng.standard_normal((2, *shape)), dtype=c.parameter.dtype)
    assert_close(c.whiten(c.color(z)), z, _tolerance(c), 1.0)


@given(covariances())
def test_matrices_agree_with_dense_reference(drawn: Drawn) -> None:
    _, c, S, shape, _ = drawn
    D = shape[-1]
    unit, inverse = np.abs(S).max(), np.linalg.inv(S)
    assert_close(c.dense(D), S, _tolerance(c), unit)
    assert_close(c.precision_matrix(D), inverse, _tolerance(c), np.abs(inverse).max())
    assert_close(c.variances(D), S.diagonal(axis1=-2, axis2=-1), _tolerance(c))
    assert_close(c.half_log_det(D), 0.5 * np.linalg.slogdet(S)[1], _tolerance(c), float(D))


@given(covariances(), st.randoms(use_true_random=False))
def test_rescaling_and_marginals(drawn: Drawn, random: Random) -> None:
    _, c, S, shape, rng = drawn
    D = shape[-1]
    s = torch.as_tensor(np.exp(rng.standard_normal(D)), dtype=c.parameter.dtype)
    scaled = s.double().numpy()[:, None] * S * s.double().numpy()
    assert_close(c.rescale(s).dense(D), scaled, _tolerance(c), np.abs(scaled).max())
    c.rescale(s).validate()
    dims = random.sample(range(D), random.randint(1, D))
    block = c.marginal(dims)
    block.validate()  # so its factor is triangular with a positive diagonal
    expected = S[..., dims, :][..., :, dims]
    assert_close(block.dense(len(dims)), expected, _tolerance(c), np.abs(expected).max())
    assert_close(block.half_log_det(len(dims)), 0.5 * np.linalg.slogdet(expected)[1], _tolerance(c), float(D))


@given(covariances())
def test_taking_a_component_follows_the_index_in_every_batch_entry(drawn: Drawn) -> None:
    kind, c, S, shape, rng = drawn
    leading, D = shape[:-1], shape[-1]
    component = rng.integers(leading[-1], size=(4, *leading[:-1]))
    taken = c.expand(leading).take(torch.as_tensor(component))
    assert type(taken) is KINDS[kind]
    S = np.broadcast_to(S, (4, *leading, D, D))
    expected = np.take_along_axis(S, component[..., None, None, None], -3)  # (4, *B, 1, D, D)
    assert_close(taken.dense(D), expected, _tolerance(c), np.abs(expected).max())


@every_kind
def test_derivatives_of_every_operation(kind: str) -> None:
    rng = np.random.default_rng(0)
    parameter = torch.as_tensor(random_parameter(rng, kind, (2,), 3), dtype=torch.float64)
    x = torch.as_tensor(rng.standard_normal((4, 2, 3)))

    def operations(parameter: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        c = KINDS[kind](parameter.tril() if kind in ("full", "precision") else parameter)
        matrices = (c.variances(3), c.dense(3), c.precision_matrix(3), c.marginal([2, 0]).dense(2))
        return c.whiten(x), c.color(x), c.half_log_det(3), *matrices

    assert torch.autograd.gradcheck(operations, (parameter.requires_grad_(), x.requires_grad_()))


def test_the_parameter_has_its_own_name() -> None:
    v, tril = torch.ones(3, 2), torch.eye(2)
    assert Isotropic(v).variance is v
    assert Diagonal(v).variance is v
    assert Full(tril).scale_tril is tril
    assert Precision(tril).tril is tril
    assert repr(Full(tril)) == "Full((2, 2))"
    assert (Isotropic(v).dimension, Diagonal(v).dimension, Precision(tril).dimension) == (None, 2, 2)
    assert Isotropic(v).batch_shape == (3, 2)


def test_precision_regresses_each_coordinate_on_those_before_it() -> None:
    """Row i of U is (-regression coefficients, 1) / conditional standard deviation, as the page says."""
    rng = np.random.default_rng(1)
    L = np.tril(rng.standard_normal((4, 4)), -1) + np.diag(rng.uniform(0.5, 2, 4))
    S = L @ L.T
    U = np.zeros((4, 4))
    for i in range(4):
        beta = np.linalg.solve(S[:i, :i], S[:i, i])
        sd = np.sqrt(S[i, i] - S[i, :i] @ beta)
        U[i, :i], U[i, i] = -beta / sd, 1 / sd
    c = Precision(torch.as_tensor(U))
    assert_close(c.dense(4), S, 1e-11, 1.0)
    assert_close(c.marginal([0, 1]).dense(2), S[:2, :2], 1e-11, 1.0)


@pytest.mark.parametrize("lead", [(), (2, 3)])
@pytest.mark.parametrize("kind", ["diagonal", "precision"])
def test_covariances_of_scales_are_those_of_the_parameter_that_they_form(kind: str, lead: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    scale, below = np.exp(rng.standard_normal((*lead, 4))), rng.standard_normal((*lead, 6))
    B = np.zeros((*lead, 4, 4))
    B[..., *np.tril_indices(4, -1)] = below
    U = (np.eye(4) + B) / scale[..., None]
    s, packed = torch.as_tensor(scale).requires_grad_(), torch.as_tensor(below)
    c = Diagonal.from_scale(s) if kind == "diagonal" else Precision.from_regression(s, packed)
    expected = scale**2 if kind == "diagonal" else U
    with torch.no_grad():
        assert_close(c.parameter, expected, 1e-14)
    (slope,) = torch.autograd.grad(c.parameter.sum(), s)  # once formed without a gradient, it has one all the same
    assert_close(slope, 2 * scale if kind == "diagonal" else -U.sum(-1) / scale, 1e-12)
    assert (c.batch_shape, c.dimension, repr(c)) == (lead, 4, f"{type(c).__name__}({expected.shape})")
    assert_close(c.to(torch.zeros(1, dtype=torch.float32)).dense(4), c.dense(4).detach().numpy(), 1e-4)
    if lead:
        taken = c.take(torch.tensor([2, 0])).parameter  # of the third component and of the first
        assert_close(taken[:, 0], expected[[0, 1], [2, 0]], 1e-14)


def test_a_regression_needs_one_row_of_coefficients_for_each_scale() -> None:
    for below in (torch.zeros(3, 2), torch.zeros(2, 3)):
        with pytest.raises(ValueError, match=r"scale has shape \(3, 3\) and below .* with the same"):
            Precision.from_regression(torch.ones(3, 3), below)
