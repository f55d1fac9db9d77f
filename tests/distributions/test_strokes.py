"""The distribution of a point of a drawing."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from mixtura.distributions import Full, GaussianMixture, Isotropic, StrokePoint
from tests.helpers import random_case


def _point(batch: tuple[int, ...] = (), seed: int = 0, K: int = 4) -> tuple[StrokePoint, np.ndarray, np.ndarray]:
    """A random distribution, with its probabilities of the pen and its mixture's covariances in numpy."""
    case = random_case("full", batch=batch, K=K, D=2, seed=seed)
    pen = np.random.default_rng(seed).dirichlet([2.0, 1.0, 1.0], batch)
    return StrokePoint(case.mixture, torch.as_tensor(np.log(pen) + 3.0)), pen, case.dense.S


def test_density_is_that_of_scipys_mixture_times_the_pen() -> None:
    p, pen, S = _point(batch=(3, 2))
    x = p.sample((5,))
    got = p.log_prob(x).numpy()
    q = p.offset
    for s, i, j in np.ndindex(5, 3, 2):
        parts = [
            w * multivariate_normal(m, c).pdf(x[s, i, j, :2].numpy())
            for w, m, c in zip(q.weights[i, j].numpy(), q.loc[i, j].numpy(), S[i, j], strict=True)
        ]
        assert got[s, i, j] == pytest.approx(np.log(sum(parts) * pen[i, j, int(x[s, i, j, 2])]), rel=1e-10)


def test_density_sums_to_one() -> None:
    p = StrokePoint(GaussianMixture(torch.zeros(2), torch.tensor([[-1.0, 0], [1, 1]]), Isotropic(0.5)), torch.rand(3))
    axis = torch.linspace(-7, 7, 141, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis, torch.arange(3).double()).float()
    assert (p.log_prob(grid).double().exp().sum() * 0.1**2).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.4, 2.0])
def test_samples_follow_the_tempered_law(temperature: float) -> None:
    p, pen, S = _point(seed=2, K=2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = p.sample((40_000,), temperature=temperature).numpy()
    tempered = pen ** (1 / temperature)
    frequency = np.bincount(x[:, 2].astype(int), minlength=3) / len(x)
    np.testing.assert_allclose(frequency, tempered / tempered.sum(), atol=4 * 0.5 / len(x) ** 0.5)
    w = p.offset.weights.numpy() ** (1 / temperature)
    w /= w.sum()
    loc = p.offset.loc.numpy()
    mean = w @ loc
    within = np.einsum("k,kij->ij", w, temperature * S + np.einsum("ki,kj->kij", loc - mean, loc - mean))
    error = (np.diag(within) / len(x)) ** 0.5
    assert (np.abs(x[:, :2].mean(0) - mean) < 4 * error).all()
    np.testing.assert_allclose(np.cov(x[:, :2].T), within, atol=0.05 * within.max())


def test_expanding_keeps_the_density() -> None:
    p, _, _ = _point()
    x = p.sample((7,))
    torch.testing.assert_close(p.expand((7,)).log_prob(x), p.log_prob(x))


def test_shapes_that_do_not_fit_are_said() -> None:
    q = GaussianMixture(torch.zeros(4, 1), torch.zeros(4, 1, 3), Full(torch.eye(3)))
    with pytest.raises(ValueError, match=r"offset has event shape \(3,\).*must be \(2,\)"):
        StrokePoint(q, torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"pen_logits has shape \(4, 2\)"):
        StrokePoint(q.marginal([0, 1]), torch.zeros(4, 2))
    p, _, _ = _point()
    with pytest.raises(ValueError, match="temperatures must be positive"):
        p.sample(temperature=0.0)
