"""The study of components against loops, hand counts and data whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from mixtura.nn import MDN
from mixtura.selection import ComponentStudy, select_components
from mixtura.selection.components import paired_error
from mixtura.training import Folds, RegressionPlan, isolated_seed
from tests.helpers import assert_close, global_state

PLAN = RegressionPlan("likelihood", 100, 64, 1e-2, 1e-2, None, 0.0, 0.0, 0.0)
WIDTH = 16


def build(components: Sequence[int]) -> MDN:
    mdn = MDN(1, 1, components, (WIDTH,), members=len(components))
    mdn.head.initialize(torch.tensor([[-1.2], [0.0], [1.2]]))
    return mdn


def clusters(n: int, seed: int = 0) -> list[Tensor]:
    """Return inputs that say nothing, targets near -1, 0 and 1, and weights."""
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(3, (n, 1), generator=g) - 1 + 0.1 * torch.randn(n, 1, generator=g)
    return [torch.randn(n, 1, generator=g), y / 0.8, torch.ones(n)]


@pytest.mark.parametrize("folds", [1, 3])
def test_three_clusters_are_found(folds: int) -> None:
    before = global_state()
    study = select_components(build, clusters(600), PLAN, candidates=(1, 2, 3, 5, 10), folds=folds)
    assert study.chosen in (3, 5)
    assert global_state() == before
    # a normal distribution against three narrow ones, both known: log(3) + log(0.1 / sd) nats
    sd = math.sqrt(2 / 3 + 0.01)
    assert study.nll[0] - study.nll[2] == pytest.approx(math.log(sd / 0.1) - math.log(3), abs=0.1)


def test_a_study_is_its_definition() -> None:
    networks: list[MDN] = []

    def kept(components: Sequence[int]) -> MDN:
        networks.append(build(components))
        return networks[-1]

    x, y, _ = clusters(203)
    weight = torch.rand(203) + 0.5
    candidates, F = (2, 1, 4), 3
    study = select_components(kept, (x, y, weight), replace(PLAN, epochs=8), candidates, folds=F, budget=0.5, seed=7)
    assert study.candidates == [1, 2, 4]
    with isolated_seed(7):
        folds = Folds.draw(203, F, 0.2)
    assert folds.held.flatten().unique().numel() == 3 * 40  # no row judges two networks of a candidate
    held, trained = np.zeros((3, F, 40)), np.zeros((3, F, 163))
    for c in range(3):
        for f in range(F):
            for rows, losses in ((folds.held[f], held), (folds.train[f], trained)):
                with torch.no_grad():
                    q = networks[0](x[rows].expand(3 * F, -1, 1))
                    losses[c, f] = -q.log_prob(y[rows].expand(3 * F, -1, 1))[c * F + f].numpy()
    w, w_trained = weight[folds.held].double().numpy().ravel(), weight[folds.train].numpy().ravel()
    nll = np.average(held.reshape(3, -1), axis=1, weights=w)
    fitted = np.average(trained.reshape(3, -1), axis=1, weights=w_trained)
    parameters = (WIDTH + 1) * 3 * np.array([1, 2, 4])  # a weight, a mean and a scale for each component
    np.testing.assert_allclose(study.nll, nll, rtol=1e-5)
    np.testing.assert_allclose(study.aic, fitted + parameters / 163, rtol=1e-5)
    np.testing.assert_allclose(study.bic, fitted + parameters * math.log(163) / (2 * 163), rtol=1e-5)
    difference = (held - held[nll.argmin()]).reshape(3, -1)
    np.testing.assert_allclose(study.error, paired_error(torch.as_tensor(difference), torch.as_tensor(w)), rtol=1e-4)


@pytest.mark.parametrize("atoms", [None, torch.tensor([0.0, 1.0])])
@pytest.mark.parametrize("covariance", ["isotropic", "full", "low_rank"])
def test_the_criteria_count_the_weights_of_a_head_of_that_size(covariance: Any, atoms: Tensor | None) -> None:
    """``BIC - AIC = p (log(n)/2 - 1) / n``."""
    data = [torch.randn(50, 1), torch.randn(50, 2), torch.ones(50)]
    positions = None if atoms is None else atoms.unsqueeze(-1).expand(2, 2)

    def build(components: Sequence[int], members: int | None) -> MDN:
        return MDN(1, 2, components if members else components[0], (8,), covariance, atoms=positions, members=members)

    study = select_components(lambda k: build(k, len(k)), data, replace(PLAN, epochs=1), (1, 3, 4), folds=2)
    p = [sum(w.numel() for w in build([K], None).head.parameters()) for K in study.candidates]
    per_weight = (math.log(40) / 2 - 1) / 40
    np.testing.assert_allclose((np.array(study.bic) - study.aic) / per_weight, p, rtol=1e-3)


def test_paired_error_is_that_of_the_mean() -> None:
    d = torch.randn(2, 50, dtype=torch.float64)
    assert_close(paired_error(d, torch.ones(50, dtype=torch.float64)), stats.sem(d.numpy(), axis=1), 1e-12)


def test_paired_error_of_a_weighted_mean_is_its_spread() -> None:
    rng = np.random.default_rng(0)
    w = rng.uniform(0.1, 2, 200)
    d = rng.standard_normal((4000, 200))
    spread = np.average(d, axis=1, weights=w).std()  # known to 1 / sqrt(8000)
    error = paired_error(torch.as_tensor(d), torch.as_tensor(w))
    assert error.square().mean().sqrt().item() == pytest.approx(spread, rel=0.04)


def test_the_choice() -> None:
    study = ComponentStudy(
        [1, 2, 3, 5], [0.5, 0.204, 0.2, 0.203], [0.1] * 4, [0.6, 0.309, 0.3, 0.4], [0.35, 0.36, 0.4, 0.6]
    )
    assert study.chosen == 2  # 0.004 nat are not worth a component
    assert replace(study, nll=[0.5, 0.206, 0.2, 0.203]).chosen == 3
    assert replace(study, criterion="aic").chosen == 3
    assert replace(study, criterion="bic").chosen == 1
    shifted = study.shifted(10.0)
    assert shifted.chosen == 2
    np.testing.assert_allclose([shifted.nll[0], shifted.aic[1], shifted.bic[2]], [10.5, 10.309, 10.4])
    assert shifted.error == study.error
    lines = str(study).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3", "5"]
    assert [line.endswith("<- chosen") for line in lines[1:]] == [False, True, False, False]
    assert lines[2].split()[1:4] == ["0.2040", "0.0040", "±"]


def test_settings_that_make_no_sense() -> None:
    data = clusters(20)
    with pytest.raises(ValueError, match=r"candidates must be positive numbers of components, got \(0, 2\)"):
        select_components(build, data, PLAN, candidates=(0, 2))
    with pytest.raises(ValueError, match="criterion must be one of 'cross_validation', 'aic', 'bic', got 'mdl'"):
        select_components(build, data, PLAN, criterion="mdl")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"got 0 and 0.25"):
        select_components(build, data, PLAN, folds=0)
    with pytest.raises(ValueError, match=r"got 5 and 0"):
        select_components(build, data, PLAN, budget=0)
    with pytest.raises(ValueError, match="4 rows are too few"):
        select_components(build, clusters(4), PLAN)
