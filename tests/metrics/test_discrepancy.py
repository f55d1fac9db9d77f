"""The discrepancy against its definition, quadrature and chance."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad

from mixtura.metrics import features, rational_quadratic_mmd, resimulation_error


def by_loops(a, b, widths):
    def k(x, y):
        square = ((x - y) ** 2).sum()
        return sum(1 / (1 + square / h**2) for h in widths)

    n, m = len(a), len(b)
    aa = sum(k(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    bb = sum(k(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    ab = sum(k(x, y) for x in a for y in b) / (n * m)
    return aa + bb - 2 * ab


@pytest.mark.parametrize(("D", "widths"), [(1, (0.05, 0.2, 0.9)), (4, (0.05, 0.2, 0.9)), (20, (3.0,))])
@pytest.mark.parametrize("pairs", [2**22, 20])
def test_it_agrees_with_the_definition(D, widths, pairs, monkeypatch):
    monkeypatch.setattr(features, "_PAIRS", pairs)
    rng = np.random.default_rng(D)
    a, b = rng.normal(size=(2, 3, 6, D)), rng.normal(0.3, 1, size=(2, 3, 9, D))
    b[0, 0, 1] = b[0, 0, 0]  # equal samples are two samples
    result = rational_quadratic_mmd(torch.tensor(a), torch.tensor(b), widths)
    expected = [[by_loops(a[i, j], b[i, j], widths) for j in range(3)] for i in range(2)]
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-10, atol=1e-12)
    single = rational_quadratic_mmd(torch.tensor(a[0, 0]), torch.tensor(b[0, 0]), widths)
    assert single.shape == ()
    assert single.item() == pytest.approx(result[0, 0].item(), rel=1e-12)


def test_the_same_distribution_is_at_zero_on_average():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 400, 30, 4, generator=generator) * 0.5
    squares = rational_quadratic_mmd(a, b)
    assert squares.dtype == torch.float64
    assert abs(squares.mean()) < 4 * squares.std() / 400**0.5
    assert 0.3 < (squares < 0).double().mean() < 0.8


def test_a_shift_against_quadrature():
    """E k(x, x') of independent normals depends on the normal x - x' only."""
    h, shift = 0.7, 1.5

    def mean(delta):
        density = stats.norm(delta, math.sqrt(2)).pdf
        return quad(lambda z: density(z) / (1 + z**2 / h**2), -20, 20, points=[0, delta])[0]

    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 300, 40, 1, generator=generator)
    squares = rational_quadratic_mmd(a, b + shift, [h])
    assert abs(squares.mean() - (2 * mean(0) - 2 * mean(shift))) < 4 * squares.std() / 300**0.5


def test_resimulation_error_by_hand():
    rng = np.random.default_rng(0)
    f, y = rng.normal(size=(2, 5, 7, 3)), rng.normal(size=(2, 5, 3))
    expected = [[np.mean([np.sum((f[i, j, n] - y[i, j]) ** 2) for n in range(7)]) for j in range(5)] for i in range(2)]
    result = resimulation_error(torch.tensor(f), torch.tensor(y))
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("a", "b", "widths", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4), [1.0], "same batch and dimensions"),
        (torch.zeros(1, 5, 3), torch.zeros(2, 5, 3), [1.0], "same batch and dimensions"),
        (torch.zeros(1, 3), torch.zeros(2, 3), [1.0], r"a must have shape \(\*B, N, D\) with N >= 2"),
        (torch.zeros(2, 3), torch.tensor([[0, 0, math.nan], [0, 0, 0]]), [1.0], "1 of its samples have NaN"),
        (torch.zeros(2, 3), torch.zeros(2, 3), [], "widths"),
        (torch.zeros(2, 3), torch.zeros(2, 3), [1.0, 0.0], "widths"),
    ],
)
def test_bad_inputs_are_named(a, b, widths, message):
    with pytest.raises(ValueError, match=message):
        rational_quadratic_mmd(a, b, widths)


def test_bad_outcomes_are_named():
    with pytest.raises(ValueError, match=r"one finite observation per set of outcomes, shape \(4, 2\), got \(4, 1\)"):
        resimulation_error(torch.zeros(4, 5, 2), torch.zeros(4, 1))
    with pytest.raises(ValueError, match="3 of its samples have NaN"):
        resimulation_error(torch.tensor([[math.nan], [1.0], [math.inf], [-math.inf]]), torch.zeros(1))
