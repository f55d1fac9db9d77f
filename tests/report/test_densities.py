"""Importance, sweeps and chosen rows, on models whose answers are known."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from mixtura.distributions import Full, GaussianMixture, Isotropic
from mixtura.report.importance import permutation_importance, sweep, sweep_feature
from mixtura.report.rows import curves, surfaces, survey_rows


def linear(noise=1.0) -> Any:
    """A model that knows y ~ N(3 x_0 + x_1, noise²)."""

    def predict_dist(X):
        mean = torch.as_tensor(3 * X[:, [0]] + X[:, [1]])
        return GaussianMixture(torch.zeros_like(mean), mean, Isotropic(noise**2), event_dim=0)

    return SimpleNamespace(
        predict_dist=predict_dist, log_prob=lambda X, y: stats.norm.logpdf(y, 3 * X[:, 0] + X[:, 1], noise)
    )


@pytest.mark.parametrize("n", [60, 2000, 5000])
def test_importance_of_a_known_model(n):
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, 4)) * [1, 1, 1, 0]
    y = 3 * X[:, 0] + X[:, 1] + rng.standard_normal(n)
    drop, error = permutation_importance(linear(), X, y)
    # E (y - 3 x' - ...)² / 2 - 1/2 = 9 with independent x' and x of variance 1; 1 for the second feature
    np.testing.assert_array_less(np.abs(drop[:2] - [9, 1]), 4 * error[:2])
    assert drop[2] == pytest.approx(0, abs=1e-12)
    assert (drop[3], error[3]) == (0, 0)
    assert np.all(error[:2] < 3 * np.array([9, 1]) * 2 / min(n, 2000) ** 0.5)


def test_which_feature_to_follow():
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(50), rng.integers(0, 2, 50).astype(float), rng.standard_normal((50, 2))])
    assert sweep_feature(X, np.array([9.0, 5.0, 1.0, 2.0])) == 3
    assert sweep_feature(X[:, :2], np.array([9.0, -1.0])) == 1
    assert sweep_feature(X[:, :1], np.array([9.0])) is None


@pytest.mark.parametrize("distinct", [False, True])
def test_sweep(distinct):
    rng = np.random.default_rng(0)
    group = np.eye(3)[rng.integers(0, 3, 400)]  # one-hot: the medians are no row
    X = np.column_stack(
        [
            rng.integers(0, 4, 400).astype(float) if distinct else rng.standard_normal(400),
            rng.standard_normal(400),
            group,
        ]
    )
    y = 3 * X[:, [0]] + X[:, [1]] + rng.standard_normal((400, 1))
    s = sweep(linear(), X, y, 0, most=3)
    assert any(np.array_equal(s.held, row) for row in X)
    assert abs(s.held[1] - np.median(X[:, 1])) < 0.1
    assert s.distinct == distinct
    if distinct:
        np.testing.assert_array_equal(s.grid, [0, 1, 2, 3])
    [edges], [density], [quantiles] = s.edges, s.density, s.quantiles
    mean = 3 * s.grid + s.held[1]
    np.testing.assert_allclose(quantiles, mean + stats.norm.ppf([0.05, 0.5, 0.95])[:, None], atol=1e-9)
    cells = stats.norm.cdf(edges[1:] - mean[:, None]) - stats.norm.cdf(edges[:-1] - mean[:, None])
    np.testing.assert_allclose(density * np.diff(edges), cells, atol=1e-12)
    assert edges[0] <= quantiles.min()
    assert quantiles.max() <= edges[-1]


def test_a_peak_narrower_than_a_cell_keeps_its_mass():
    X = np.random.default_rng(0).standard_normal((100, 2))
    s = sweep(linear(noise=1e-7), X, X @ [[3.0], [1.0]], 0, most=1)
    mass = s.density[0] * np.diff(s.edges[0])
    np.testing.assert_allclose(mass[1:-1].sum(1), 1, atol=1e-6)


def known(logits, loc, variance) -> Any:
    """A model that predicts a given mixture for row i, where the only feature is i."""
    tensors = [torch.as_tensor(np.array(t, dtype=float)) for t in (logits, loc, variance)]

    def predict_dist(X):
        a, b, c = (t[torch.as_tensor(X[:, 0], dtype=torch.long)] for t in tensors)
        return GaussianMixture(a, b, Isotropic(c), event_dim=b.dim() - 2)

    return SimpleNamespace(predict_dist=predict_dist)


def test_rows_are_chosen_for_what_they_are_called():
    n = 40
    logits, loc, variance = np.zeros((n, 2)), np.zeros((n, 2)), np.ones((n, 2))
    loc[3] = -2, 2  # two peaks
    loc[4] = -1.05, 1.05  # hardly two
    variance[11], variance[12] = 100, 1e-4
    log_prob = np.linspace(-2, -1, n)
    log_prob[21] = -9
    survey = survey_rows(known(logits, loc, variance), np.arange(float(n))[:, None], log_prob)
    found = {c.label: c for c in survey.choices}
    assert list(found) == ["ordinary", "widest", "narrowest", "several peaks", "least likely", "at random"]
    assert [found[k].row for k in ("widest", "narrowest", "several peaks", "least likely")] == [11, 12, 3, 21]
    assert "50 % and 50 %" in found["several peaks"].reason
    assert log_prob[found["ordinary"].row] == pytest.approx(np.median(log_prob), abs=0.03)
    assert len({c.row for c in survey.choices}) == 6
    assert survey.divided == 1 / n


def test_one_row_may_be_two_things():
    n = 30
    variance = np.ones((n, 1))
    variance[7] = 50
    log_prob = np.arange(float(n))
    log_prob[7] = -9
    survey = survey_rows(known(np.zeros((n, 1)), np.zeros((n, 1)), variance), np.arange(float(n))[:, None], log_prob)
    assert "widest, least likely" in [c.label for c in survey.choices]
    assert survey.divided == 0
    only = survey_rows(known([[0.0]], [[0.0]], [[1.0]]), np.zeros((1, 1)), np.zeros(1))
    assert [c.label for c in only.choices] == ["the only row"]


def test_curves_are_densities():
    n = 12
    variance = np.geomspace(1, 4, n)[:, None] * [1, 1e-8]  # beside a broad component a needle
    model = known(np.zeros((n, 2)), np.tile([0, 1], (n, 1)), variance)
    X, y = np.arange(float(n))[:, None], np.linspace(-2, 2, n)[:, None]
    choices = survey_rows(model, X, np.zeros(n)).choices
    panels, _ = curves(model, X, y, choices, 0)
    for choice, panel in zip(choices, panels, strict=True):
        assert panel.truth == y[choice.row, 0]
        assert panel.title == f"{choice.label} · row {choice.row + 1}"
        assert panel.x.min() <= panel.truth <= panel.x.max()
        assert np.trapezoid(panel.density, panel.x) == pytest.approx(1, abs=0.02)
        peak = 0.5 * stats.norm.pdf(0, 0, variance[choice.row, 1] ** 0.5)
        assert panel.density.max() == pytest.approx(peak, rel=0.02)


@pytest.mark.parametrize(("spread", "expected"), [(2.0, True), (1e4, False)])
def test_panels_share_a_range_where_all_can_be_seen(spread, expected):
    variance = np.array([[1.0], [spread**2]])
    model = known(np.zeros((2, 1)), np.zeros((2, 1)), variance)
    X = np.arange(2.0)[:, None]
    panels, shared = curves(model, X, np.zeros((2, 1)), survey_rows(model, X, np.zeros(2)).choices, 0)
    assert shared == expected
    assert (len({(p.x[0], p.x[-1]) for p in panels}) == 1) == expected


def test_surfaces_are_joint_densities():
    L = np.array([[1.0, 0, 0], [0, 1, 0], [0.9, 0, 0.4]])
    mean = np.array([1.0, 2.0, 3.0])

    def predict_dist(X):
        loc = torch.as_tensor(mean).expand(len(X), 1, 3)
        return GaussianMixture(torch.zeros(len(X), 1), loc, Full(torch.as_tensor(L)))

    model: Any = SimpleNamespace(predict_dist=predict_dist)
    X, y = np.arange(3.0)[:, None], np.tile([0, 5, 9], (3, 1))
    choices = survey_rows(model, X, np.arange(3.0)).choices
    for surface in surfaces(model, X, y, choices, (0, 2)):
        S = (L @ L.T)[np.ix_([0, 2], [0, 2])]
        points = np.stack(np.meshgrid(surface.x, surface.y), -1)
        np.testing.assert_allclose(surface.density, stats.multivariate_normal(mean[[0, 2]], S).pdf(points), rtol=1e-6)
        assert surface.truth == (0, 9)
        assert surface.y[-1] > 9
