"""Targets in standard units and back, against weighted sums and rescaled densities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from mixtura.distributions import AtomMixture, CauchyMixture, GaussianMixture, Isotropic, LaplaceMixture, LowRank
from mixtura.estimators.targets import Targets, winsorized
from mixtura.nn.heads import Family

rng = np.random.default_rng(0)
Y = np.column_stack([1000 + 50 * rng.standard_normal(200), 0.01 * rng.exponential(size=200)])
WEIGHT = rng.integers(1, 4, 200)
ROW_WEIGHT = WEIGHT.astype(np.float64)
ONES = np.ones(200)


def test_location_and_scale_are_those_of_repeated_rows() -> None:
    targets, repeated = Targets.fit(Y, ROW_WEIGHT, "gaussian", False), np.repeat(Y, WEIGHT, axis=0)
    np.testing.assert_allclose(targets.mean, repeated.mean(0), rtol=1e-12)
    np.testing.assert_allclose(targets.scale, repeated.std(0), rtol=1e-12)
    z = targets.standardize(repeated)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-10)
    np.testing.assert_allclose(z.std(0), 1, rtol=1e-12)
    assert targets.log_scale == pytest.approx(np.log(repeated.std(0)).sum(), rel=1e-12)
    assert (targets.single, Targets.fit(Y[:, 0], ONES, "laplace", False).single) == (False, True)


def test_outliers_do_not_move_robust_targets() -> None:
    wild = Y.copy()
    wild[:5] = 1e6
    calm, robust = (Targets.fit(y, ONES, "gaussian", True) for y in (Y, wild))
    np.testing.assert_allclose(calm.mean, np.median(Y, axis=0), rtol=1e-12)
    np.testing.assert_allclose(calm.scale, stats.iqr(Y, axis=0) / (2 * stats.norm.ppf(0.75)), rtol=1e-4)
    np.testing.assert_allclose(robust.scale, calm.scale, rtol=0.2)
    half = np.where(np.arange(200) < 160, 3.0, Y[:, 0])  # no spread between the quartiles
    assert Targets.fit(half, ONES, "gaussian", True).scale == pytest.approx(half.std(), rel=1e-12)


def test_winsorized_moves_outliers_only() -> None:
    z = rng.standard_normal((500, 2)) * [1, 100]
    z[0], z[1] = [1e9, 5], [0, -1e9]
    got = winsorized(z)
    reach = 5 * stats.iqr(z, axis=0) / (2 * stats.norm.ppf(0.75))
    middle = np.median(z, axis=0)
    np.testing.assert_allclose([got[0, 0], got[1, 1]], [middle[0] + reach[0], middle[1] - reach[1]], rtol=1e-3)
    np.testing.assert_array_equal(got[2:], z[2:])
    mostly_zero = np.where(np.arange(100) < 80, 0.0, 1e6)
    np.testing.assert_array_equal(winsorized(mostly_zero), mostly_zero)


def test_cauchy_components_get_one_scale_for_all_targets() -> None:
    targets = Targets.fit(Y, ONES, "cauchy", False)
    np.testing.assert_allclose(targets.scale, np.full(2, stats.gmean(Y.std(0))), rtol=1e-10)


def test_angles_stay_what_they_are() -> None:
    angles = np.linspace(-np.pi, np.pi, 50, endpoint=False)
    targets = Targets.fit(angles, np.ones(50), "vonmises", False)
    np.testing.assert_array_equal(targets.standardize(angles)[:, 0], angles)
    assert targets.log_scale == 0
    with pytest.raises(ValueError, match=r"angles in radians, but y reaches 350: convert degrees by np\.deg2rad"):
        Targets.fit(np.linspace(0, 350, 50), np.ones(50), "vonmises", False)


def test_floor_is_the_deviation_inside_a_cell_of_each_grid() -> None:
    gridded = np.column_stack([np.round(Y[:, 0], -1), np.round(Y[:, 1], 2)])
    targets = Targets.fit(gridded, ONES, "gaussian", False)
    np.testing.assert_allclose(targets.step, [10, 0.01], rtol=1e-9)
    uniform = stats.uniform(0, targets.step).std() / gridded.std(0)
    np.testing.assert_allclose(targets.floor, uniform, rtol=1e-9)
    assert not Targets.fit(Y, ONES, "gaussian", False).floor.any()
    one = Targets.fit(np.column_stack([gridded[:, 0], Y[:, 1]]), ONES, "gaussian", False)
    np.testing.assert_allclose(one.floor, [uniform[0], 0], rtol=1e-9)


def mixtures() -> dict[str, tuple[Family, Any]]:
    logits, loc = torch.zeros(3, dtype=torch.float64), torch.randn(3, 2, dtype=torch.float64)
    wide = torch.rand(3, 2, dtype=torch.float64) + 0.5
    gaussian = GaussianMixture(logits, loc, Isotropic(wide[:, 0]))
    return {
        "isotropic": ("gaussian", gaussian),
        "low rank": ("gaussian", GaussianMixture(logits, loc, LowRank(wide.unsqueeze(-1), wide))),
        "laplace": ("laplace", LaplaceMixture(logits, loc, wide)),
        "cauchy": ("cauchy", CauchyMixture(logits, loc, wide[:, 0])),
        "atoms": ("gaussian", AtomMixture(torch.zeros(2).double(), torch.zeros(1, 2).double(), gaussian)),
    }


@pytest.mark.parametrize("name", ["isotropic", "low rank", "laplace", "cauchy", "atoms"])
def test_restored_densities_are_densities_of_restored_targets(name: str) -> None:
    torch.manual_seed(0)
    family, mixture = mixtures()[name]
    targets = Targets.fit(Y, ONES, family, False)
    atoms = torch.tensor([[950.0, 0.0]], dtype=torch.float64) if name == "atoms" else None
    restored = targets.restore(mixture, family, atoms)
    expected = mixture.log_prob(torch.as_tensor(targets.standardize(Y))).numpy() - targets.log_scale
    np.testing.assert_allclose(restored.log_prob(torch.as_tensor(Y)).numpy(), expected, rtol=1e-9)
    if atoms is not None:  # no rounding may move an atom
        assert float(restored.log_prob(atoms)) == pytest.approx(np.log(0.5), rel=1e-12)


def test_angles_are_restored_by_doing_nothing() -> None:
    targets = Targets.fit(np.linspace(-3, 3, 9), np.ones(9), "vonmises", False)
    mixture: Any = object()
    assert targets.restore(mixture, "vonmises", None) is mixture


def test_state_restores_everything() -> None:
    targets = Targets.fit(np.round(Y, 1), ROW_WEIGHT, "gaussian", False)
    again = Targets.from_state(targets.state(), single=False)
    for name in ("mean", "scale", "step", "floor", "log_scale", "single"):
        np.testing.assert_array_equal(getattr(again, name), getattr(targets, name))


@pytest.mark.parametrize("unit", [1e-320, 1e-200, 1e160, 1e300])
def test_scales_that_cannot_be_squared_are_refused(unit: float) -> None:
    with pytest.raises(ValueError, match="whose square is no float64: multiply y by a power of ten"):
        Targets.fit(np.linspace(1, 200, 200) * unit, ONES, "gaussian", False)


@pytest.mark.parametrize("unit", [1e-140, 1e140])
def test_scales_that_can_be_squared_are_exact(unit: float) -> None:
    targets = Targets.fit(Y * unit, ONES, "gaussian", False)
    np.testing.assert_allclose(targets.scale, Y.std(0) * unit, rtol=1e-9)


def test_constant_targets_are_refused() -> None:
    with pytest.raises(ValueError, match=r"every value of target 1 is 2.5, so there is no distribution"):
        Targets.fit(np.column_stack([Y[:, 0], np.full(200, 2.5)]), ONES, "gaussian", False)
