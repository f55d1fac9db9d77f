"""Scores of events against scikit-learn, by hand, and on events that come as often as predicted."""

import math

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from mixtura.metrics import brier_score, reliability


def drawn(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(n, generator=generator, dtype=torch.float64)
    return p, torch.rand(n, generator=generator, dtype=torch.float64) < p


def test_brier_score_is_that_of_scikit_learn():
    p, happened = drawn(500)
    score = brier_score(p.reshape(5, 100), happened.reshape(5, 100))
    assert score.shape == (5, 100)
    assert score.mean().item() == pytest.approx(brier_score_loss(happened.numpy(), p.numpy()), rel=1e-12)


def test_right_probabilities_are_reliable():
    p, happened = drawn(20_000, seed=1)
    rows = reliability(p, happened)
    assert sum(row.rows for row in rows) == 20_000
    assert len(rows) == 10
    chi_square = sum(((row.observed - row.predicted) / row.standard_error) ** 2 for row in rows)
    assert chi_square < 10 + 4 * math.sqrt(20)
    worse = reliability(p**2, happened)
    assert max(abs(row.observed - row.predicted) / row.standard_error for row in worse) > 10


def test_reliability_is_that_of_scikit_learn():
    p, happened = drawn(300, seed=2)
    rows = reliability(p, happened, bins=7)
    observed, predicted = calibration_curve(happened.numpy(), p.numpy(), n_bins=7)
    np.testing.assert_allclose([row.observed for row in rows], observed)
    np.testing.assert_allclose([row.predicted for row in rows], predicted)


def test_ends_and_empty_intervals():
    rows = reliability(torch.tensor([0.0, 0.0, 0.5, 1.0]), torch.tensor([False, True, True, True]), bins=4)
    assert [(row.predicted, row.observed, row.rows) for row in rows] == [(0, 0.5, 2), (0.5, 1, 1), (1, 1, 1)]
    assert [row.standard_error for row in rows] == [0, 0.5, 0]


def test_bad_inputs_are_named():
    p, happened = torch.tensor([0.5, 0.2]), torch.tensor([True, False])
    for score in (brier_score, reliability):
        with pytest.raises(ValueError, match=r"of shape \(2,\), got torch.bool of shape \(1,\)"):
            score(p, happened[:1])
        with pytest.raises(ValueError, match=r"got torch\.float32"):
            score(p, p)
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
            score(p + 0.6, happened)
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        reliability(p, happened, bins=0)
