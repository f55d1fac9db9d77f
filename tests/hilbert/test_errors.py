"""What must not pass silently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.distributions import Normal

from mixtura.distributions import CauchyMixture, GaussianMixture, Isotropic, LaplaceMixture, VonMisesMixture
from mixtura.hilbert import (
    cauchy_schwarz_divergence,
    kernel_mean_discrepancy,
    l2_distance,
    log_gram,
    log_inner,
    log_inner_components,
)
from tests.helpers import global_state, random_case

FUNCTIONS = [log_gram, log_inner, log_inner_components, l2_distance, cauchy_schwarz_divergence]


@pytest.mark.parametrize("f", FUNCTIONS)
def test_mixtures_of_different_spaces_are_named(f: Callable[..., Any]) -> None:
    p, q = random_case("full", K=3, D=3).mixture, random_case("full", K=3, D=1).mixture
    with pytest.raises(ValueError, match=r"p has event_shape \(3,\) and q has event_shape \(1,\)"):
        f(p, q)
    scalars = GaussianMixture(torch.zeros(3), torch.zeros(3), Isotropic(1.0), event_dim=0)
    with pytest.raises(ValueError, match=r"p has event_shape \(\) and q has event_shape \(1,\)"):
        f(scalars, q)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_batches_that_do_not_broadcast_are_named(f: Callable[..., Any]) -> None:
    p, q = random_case("full", batch=(3,)).mixture, random_case("isotropic", batch=(2,)).mixture
    with pytest.raises(ValueError, match=r"p has batch_shape \(3,\) and q has batch_shape \(2,\)"):
        f(p, q)


@pytest.mark.parametrize("f", FUNCTIONS)
def test_a_pair_without_closed_form_says_which_pairs_exist(f: Callable[..., Any]) -> None:
    p = random_case("full").mixture
    with pytest.raises(TypeError, match=r"Normal.*\(GaussianMixture, GaussianMixture\)"):
        f(p, Normal(0.0, 1.0))


def test_the_kernel_needs_a_positive_variance_and_two_mixtures_of_its_family() -> None:
    p = random_case("full").mixture
    for wrong in (0.0, -1.0, float("nan"), float("inf"), torch.ones(2)):
        with pytest.raises(ValueError, match="variance of the kernel"):
            kernel_mean_discrepancy(p, p, wrong)
    others: list[Any] = [Normal(0.0, 1.0), CauchyMixture(p.logits, p.loc, 1.0), LaplaceMixture(p.logits, p.loc, 1.0)]
    for q in others:
        with pytest.raises(TypeError, match=rf"q is a {type(q).__name__}.*two of CauchyMixture or two of LaplaceM"):
            kernel_mean_discrepancy(p, q, 1.0)
    angles: Any = VonMisesMixture(p.logits, p.loc, 1.0)
    with pytest.raises(TypeError, match=r"p is a VonMisesMixture and q is a VonMisesMixture.*have l2_distance"):
        kernel_mean_discrepancy(angles, angles, 1.0)


def test_no_function_touches_the_global_state() -> None:
    p = random_case("isotropic", K=300, D=2).mixture
    before = global_state()
    for f in FUNCTIONS:
        f(p, p)
    kernel_mean_discrepancy(p, p, 1.0)
    assert global_state() == before
