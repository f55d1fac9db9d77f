"""Modes against dense grids, and what every set of modes must satisfy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from mixtura.distributions import Diagonal, Full, GaussianMixture, Isotropic
from tests.helpers import KINDS, Case, assert_close, random_case


@st.composite
def small_cases(draw: st.DrawFn) -> Case:
    return random_case(
        draw(st.sampled_from(list(KINDS))),
        batch=draw(st.sampled_from([(), (3,), (2, 2)])),
        K=draw(st.integers(1, 6)),
        D=draw(st.integers(1, 4)),
        dtype=draw(st.sampled_from([torch.float32, torch.float64])),
        tied=draw(st.booleans()),
        seed=draw(st.integers(0, 2**16)),
        spread=draw(st.sampled_from([0.5, 2.0, 30.0])),
        scale=draw(st.sampled_from([1e-3, 1.0, 1e3])),
    )


def _grid_maxima(q: GaussianMixture) -> tuple[np.ndarray, np.ndarray]:
    """Maxima on a dense grid, and which of them have a mean between the minima beside them."""
    x = np.linspace(-15, 15, 200_001)
    p = q.log_prob(torch.as_tensor(x).unsqueeze(-1)).numpy()
    up = np.diff(p) > 0
    maxima, minima = x[1:-1][up[:-1] & ~up[1:]], x[1:-1][~up[:-1] & up[1:]]
    return maxima, np.isin(np.arange(len(maxima)), np.searchsorted(minima, q.loc[:, 0].numpy()))


@given(st.integers(1, 6), st.integers(0, 2**16))
def test_modes_of_one_dimension_are_the_maxima_on_a_dense_grid(K: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, loc = torch.as_tensor(rng.standard_normal((2, K)))
    scale = torch.as_tensor(np.exp(rng.normal(-0.7, 0.8, K)))
    q = GaussianMixture(logits, 3 * loc.unsqueeze(-1), Isotropic(scale.square()))
    maxima, has_mean = _grid_maxima(q)
    modes = q.modes().loc[:, 0].numpy()
    for found in modes:
        assert np.abs(maxima - found).min() < 2e-4
    for wanted in maxima[has_mean]:  # a maximum to which no mean climbs cannot be found
        assert np.abs(modes - wanted).min() < 2e-4
    assert len(modes) <= len(maxima)


def test_low_mode_is_not_leapt_over() -> None:
    """A full Newton step from the last mean would land beyond the valley on the left."""
    loc = torch.tensor([-1.0263765, 2.6458735, 4.5893066, 1.4818437, -0.2464938], dtype=torch.float64)
    scale = torch.tensor([0.2636095, 1.5544423, 0.2097776, 4.8175619, 1.5536031], dtype=torch.float64)
    w = torch.tensor([0.4941117, 0.0304932, 0.4196309, 0.0151049, 0.0406591], dtype=torch.float64)
    q = GaussianMixture(w.log(), loc.unsqueeze(-1), Isotropic(scale.square()))
    maxima, _ = _grid_maxima(q)
    assert len(maxima) == 3
    assert_close(q.modes().loc[:, 0].sort().values, maxima, 2e-4, 1.0)


def test_modes_of_two_dimensions_are_the_maxima_on_a_dense_grid() -> None:
    for seed in range(8):
        q = random_case(list(KINDS)[seed % 4], K=5, D=2, seed=seed, spread=3.0).mixture
        t = torch.linspace(-12, 12, 601, dtype=torch.float64)
        p = q.log_prob(torch.cartesian_prod(t, t)).reshape(601, 601)
        around = torch.nn.functional.max_pool2d(p[None, None], 3, stride=1, padding=1)[0, 0]
        i, j = torch.where((p == around) & (p > -30))
        peaks = [
            optimize.minimize(lambda x, q=q: -float(q.log_prob(torch.as_tensor(x))), [t[a], t[b]], tol=1e-10).x
            for a, b in zip(i, j, strict=True)
        ]
        order = np.argsort([-float(q.log_prob(torch.as_tensor(x))) for x in peaks])
        np.testing.assert_allclose(q.modes().loc.numpy(), np.array(peaks)[order], atol=1e-4)


@given(small_cases())
def test_every_mode_is_a_maximum_and_the_masses_sum_to_one(case: Case) -> None:
    q, modes = case.mixture, case.mixture.modes()
    assert modes.loc.shape == (*q.batch_shape, modes.mass.shape[-1], *q.event_shape)
    assert_close(modes.mass.sum(-1), torch.ones(q.batch_shape), 1e-6)
    assert bool((modes.log_prob[..., 1:] <= modes.log_prob[..., :-1]).all())
    there = modes.mass > 0
    assert bool(there[..., 0].all())
    assert torch.equal(there, modes.log_prob > -math.inf)
    assert torch.equal(there, ~modes.loc.isnan().any(-1))
    if case.dtype is torch.float64:
        entries = q.expand((1, *q.batch_shape)) if not q.batch_shape else q
        x = modes.loc.reshape(-1, modes.mass.shape[-1], *q.event_shape)
        for b, one in enumerate(_split(entries)):
            for position in x[b][modes.mass.reshape(-1, modes.mass.shape[-1])[b] > 0]:
                g = torch.autograd.functional.jacobian(one.log_prob, position)
                H = torch.autograd.functional.hessian(one.log_prob, position)
                assert isinstance(g, torch.Tensor)
                assert isinstance(H, torch.Tensor)
                assert float(torch.linalg.eigvalsh(H).max()) < 0
                assert float(g @ torch.linalg.solve(-H, g)) < 1e-16  # twice what a Newton step would still gain


def _split(q: GaussianMixture) -> list[GaussianMixture]:
    """The mixtures of a batch, one by one."""
    n = q.batch_shape.numel()
    parameter = q.covariance.expand((*q.batch_shape, q.components)).parameter.flatten(0, len(q.batch_shape) - 1)
    logits, loc = q.logits.reshape(n, -1), q.loc.reshape(n, q.components, -1)
    return [GaussianMixture(logits[b], loc[b], type(q.covariance)(parameter[b])) for b in range(n)]


def test_batch_with_different_numbers_of_modes_agrees_with_one_by_one() -> None:
    for kind in KINDS:
        q = random_case(kind, batch=(6,), K=4, D=2, seed=1).mixture
        modes = q.modes()
        numbers = set()
        for b, one in enumerate(_split(q)):
            alone = one.modes()
            J = len(alone.mass)
            numbers.add(J)
            for field, single in zip(modes, alone, strict=True):
                assert_close(field[b, :J], single, 1e-7, 1.0)
            assert bool(modes.loc[b, J:].isnan().all())
            assert bool((modes.mass[b, J:] == 0).all())
            assert bool((modes.log_prob[b, J:] == -math.inf).all())
        assert len(numbers) > 1, "the example should have mixtures with different numbers of modes"


def test_identical_components_merge_and_their_masses_add() -> None:
    loc = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    q = GaussianMixture(torch.tensor([0.2, 0.4, 0.3, 0.1]).log(), loc, Isotropic(1.0))
    modes = q.modes()
    assert_close(modes.mass, [0.6, 0.4], 1e-6)
    assert_close(modes.loc, [[0.0, 0.0], [5.0, 0.0]], 1e-4, 1.0)


def test_modes_of_scalars() -> None:
    q = GaussianMixture(torch.tensor([0.6, 0.4]).log(), torch.tensor([0.0, 5.0]), Isotropic(1.0), event_dim=0)
    modes = q.modes()
    assert modes.loc.shape == (2,)
    assert_close(modes.loc, [0.0, 5.0], 1e-4, 1.0)
    assert_close(modes.mass, [0.6, 0.4], 1e-6)
    assert_close(modes.log_prob, q.log_prob(modes.loc), 1e-5)


def test_weight_of_zero_makes_no_mode() -> None:
    q = GaussianMixture(torch.tensor([0.0, -math.inf, 0.0]), torch.tensor([[0.0], [50.0], [9.0]]), Isotropic(1.0))
    modes = q.modes()
    assert_close(modes.loc.sort(0).values, [[0.0], [9.0]], 1e-4, 1.0)
    assert_close(modes.mass, [0.5, 0.5], 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("distance", "count"), [(1.0, 1), (1.999, 1), (2.0, 1), (2.01, 2), (2.2, 2), (9.0, 2)])
def test_two_equal_gaussians_part_at_two_standard_deviations(distance: float, count: int, dtype: torch.dtype) -> None:
    for dimensions in (1, 3):
        loc = torch.zeros(2, dimensions, dtype=dtype)
        loc[:, 0] = torch.tensor([-distance / 2, distance / 2])
        modes = GaussianMixture(torch.zeros(2, dtype=dtype), loc, Isotropic(1.0)).modes()
        assert modes.mass.shape == (count,)
        a = distance / 2  # the modes are the fixed points of x = a tanh(a x)
        expected = optimize.brentq(lambda x, a=a: x - a * math.tanh(a * x), 1e-2, a + 1) if count == 2 else 0.0
        assert_close(modes.loc[:, 0].abs(), [expected] * count, 1e-4, 1.0)


def test_spikes_on_a_wide_plain_are_all_found() -> None:
    """Distances are measured in the width that the density has there, not in that of some component far wider."""
    loc = torch.tensor([0.2, -0.25, 0.25, 0.9])[:, None]
    scale = torch.tensor([100.0, 0.01, 0.01, 0.02])
    modes = GaussianMixture(torch.tensor([0.4, 0.2, 0.2, 0.2]).log(), loc, Isotropic(scale.square())).modes()
    assert_close(modes.loc.sort(0).values, [[-0.25], [0.25], [0.9]], 1e-4)
    beside = torch.tensor([[0.0], [0.5]], dtype=torch.float64)  # and that of the narrower of two neighbours
    modes = GaussianMixture(torch.zeros(2), beside, Isotropic(torch.tensor([1e4, 1e-4]))).modes()
    assert_close(modes.loc, [[0.5], [0.0]], 1e-6, 1.0)


def test_mean_in_a_valley_climbs_out_of_it() -> None:
    """By symmetry the gradient is zero at the mean of the wide component, but the density has a minimum there."""
    loc = torch.tensor([[-2.0], [0.0], [2.0]], dtype=torch.float64)
    v = torch.tensor([0.25, 4.0, 0.25], dtype=torch.float64)
    modes = GaussianMixture(torch.tensor([0.45, 0.1, 0.45]).log(), loc, Isotropic(v)).modes()
    assert modes.mass.shape == (2,)
    saddle = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    v = torch.tensor([0.1, 0.1, 2.0], dtype=torch.float64)
    modes = GaussianMixture(torch.tensor([0.45, 0.45, 0.1]).log(), saddle, Isotropic(v)).modes()
    assert modes.mass.shape == (2,)


def test_components_that_cross_can_have_their_mode_beside_both_means() -> None:
    """Ray & Lindsay (2005): the modes of two Gaussians lie on a ridge that need not be the line through the means."""
    loc = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    scale = torch.diag_embed(torch.tensor([[1.0, 0.2236], [0.2236, 1.0]], dtype=torch.float64))
    q = GaussianMixture(torch.zeros(2, dtype=torch.float64), loc, Full(scale))
    for position in q.modes().loc:
        found = optimize.minimize(lambda x: -float(q.log_prob(torch.as_tensor(x))), position.numpy(), tol=1e-12).x
        np.testing.assert_allclose(position.numpy(), found, atol=1e-5)


def test_modes_with_variances_and_distances_of_every_size() -> None:
    loc = torch.tensor([[0.0, 0.0], [1e6, -1e6], [1e6, 1e6]], dtype=torch.float64)
    v = torch.tensor([[1e-12, 1e-6], [1.0, 1e6], [1e-12, 1e12]], dtype=torch.float64)
    modes = GaussianMixture(torch.zeros(3, dtype=torch.float64), loc, Diagonal(v)).modes()
    assert_close(modes.mass, [1 / 3] * 3, 1e-12)
    assert_close(modes.loc, loc[[0, 2, 1]] if float(modes.loc[1, 1]) > 0 else loc, 1e-3, 1.0)
