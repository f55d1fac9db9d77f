"""The classifier two-sample test where the best accuracy is known."""

import math

import pytest
import torch
from scipy import stats

from mixtura.metrics import classifier_two_sample_test


def samples(n, D, seed):
    return torch.randn(2, n, D, generator=torch.Generator().manual_seed(seed))


def test_equal_distributions_are_not_told_apart():
    a, b = samples(100, 2, 0)
    state = torch.get_rng_state()
    result = classifier_two_sample_test(a, b)
    assert torch.equal(torch.get_rng_state(), state)
    assert result.standard_error == pytest.approx(math.sqrt(0.25 / 200))
    assert abs(result.accuracy - 0.5) < 4 * result.standard_error


def test_a_shift_is_found_as_often_as_bayes_rule_finds_it():
    """Between N(0, I) and N(δ, I) the best accuracy is Φ(‖δ‖/2)."""
    a, b = samples(150, 2, 1)
    for shift in (1.0, 8.0):
        best = stats.norm.cdf(shift / 2)
        result = classifier_two_sample_test(a, b + torch.tensor([shift, 0.0]))
        assert result.accuracy < best + 4 * math.sqrt(best * (1 - best) / 300) + 1e-9
        assert result.accuracy > best - 0.08


def test_a_coordinate_that_stands_still_in_the_reference_and_units_do_not_matter():
    a, b = samples(40, 2, 2)
    a[:, 1] = b[:, 1] = 3.0
    plain = classifier_two_sample_test(a, b + torch.tensor([2.0, 0.0]), seed=3, folds=2)
    scaled = classifier_two_sample_test(1024 * a, 1024 * (b + torch.tensor([2.0, 0.0])), seed=3, folds=2)
    assert plain == scaled
    assert classifier_two_sample_test(a, b + torch.tensor([0.0, 30.0]), folds=2).accuracy == 1


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match=r"as many samples, or 0\.5 is not chance, got 9 and 8"):
        classifier_two_sample_test(torch.zeros(9, 2), torch.zeros(8, 2))
    with pytest.raises(ValueError, match="N >= 5"):
        classifier_two_sample_test(torch.zeros(4, 2), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="same features"):
        classifier_two_sample_test(torch.zeros(9, 2), torch.zeros(9, 3))
