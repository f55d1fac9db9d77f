"""Pinball loss and interval score by hand, and what they must be least for."""

import numpy as np
import pytest
import torch

from mixtura.metrics import crps, interval_score, pinball
from tests.helpers import random_case


def test_pinball_by_hand():
    y, q = torch.tensor([[1.0], [2.0]]), torch.tensor([[[0.0, 3.0]], [[2.0, 1.0]]])
    expected = [[[0.25 * 1, 0.25 * 2]], [[0.0, 0.75 * 1]]]
    torch.testing.assert_close(pinball(y, q, [0.25, 0.75]), torch.tensor(expected))


def test_twice_the_mean_pinball_loss_is_the_crps():
    case = random_case("diagonal", batch=(5,), K=3, D=2)
    y = case.values()
    u, w = np.polynomial.legendre.leggauss(100)
    levels = ((u + 1) / 2).tolist()
    quantiles = torch.stack([case.mixture.icdf(torch.full_like(y, level)) for level in levels], -1)
    total = pinball(y, quantiles, levels) @ torch.as_tensor(w)  # twice the weights of [0, 1]
    torch.testing.assert_close(total, crps(case.mixture, y), rtol=5e-3, atol=1e-3)


def test_interval_score_by_hand_and_by_pinball():
    y, low, high = torch.tensor([0.0, 2.0, 5.0]), torch.ones(3), torch.full((3,), 4.0)
    torch.testing.assert_close(interval_score(y, low, high, 0.8), torch.tensor([3 + 10.0, 3.0, 3 + 10.0]))
    both = pinball(y, torch.stack([low, high], -1), [0.1, 0.9]).sum(-1)  # Gneiting & Raftery 2007, section 6.2
    torch.testing.assert_close(interval_score(y, low, high, 0.8), both / 0.1)


def test_the_central_interval_has_the_least_interval_score():
    torch.manual_seed(0)
    q = random_case("isotropic", K=3, D=1).mixture.marginal(0)
    y = q.sample((100_000,))
    low, high = (q.icdf(torch.tensor(u, dtype=y.dtype)).expand_as(y) for u in (0.1, 0.9))
    best = interval_score(y, low, high, 0.8).mean()
    for a, b in ((0.05, 0.85), (0.15, 0.95), (0.05, 0.95), (0.15, 0.85)):
        low, high = (q.icdf(torch.tensor(u, dtype=y.dtype)).expand_as(y) for u in (a, b))
        assert interval_score(y, low, high, 0.8).mean() > best


def test_refuses():
    y = torch.zeros(3)
    with pytest.raises(ValueError, match=r"one per value of y and level is \(3, 2\)"):
        pinball(y, torch.zeros(3, 1), [0.1, 0.9])
    with pytest.raises(ValueError, match="strictly between 0 and 1, got 90"):
        pinball(y, torch.zeros(3, 1), [90])
    with pytest.raises(ValueError, match="one shape"):
        interval_score(y, y, torch.zeros(1), 0.5)
    with pytest.raises(ValueError, match="exchange the ends"):
        interval_score(y, y + 1, y, 0.5)
    with pytest.raises(ValueError, match="coverage must lie strictly"):
        interval_score(y, y, y, 1.0)
