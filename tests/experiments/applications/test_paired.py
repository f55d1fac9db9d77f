"""The standard error of a mean of correlated days is what it scatters by."""

import numpy as np
import pytest
from scipy.signal import lfilter

from mixtura.experiments.applications.paired import paired_difference


def test_standard_errors_of_independent_and_correlated_days() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((400, 2000))
    for days in (noise, lfilter([1.0], [1.0, -0.5], noise)):
        found = [paired_difference(d, np.zeros(len(d))) for d in np.asarray(days)]
        scatter = np.std([f.mean for f in found])
        assert np.mean([f.standard_error for f in found]) == pytest.approx(scatter, rel=0.1)


def test_the_difference_is_a_less_b() -> None:
    a, b = np.array([1.0, 4.0, 2.0]), np.array([0.0, 1.0, 2.0])
    assert paired_difference(a, b).mean == pytest.approx(4 / 3)
    assert paired_difference(a, a).standard_error == 0
