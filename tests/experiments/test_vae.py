"""The bounds of a variational autoencoder against quadrature over a code of one dimension."""

import numpy as np
import pytest
import torch

from mixtura.experiments.vae import VariationalAutoencoder, fit_vae, likelihood_bounds
from mixtura.training import isolated_seed
from tests.helpers import global_state

X = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))


def _model(variance: float = 0.5) -> VariationalAutoencoder:
    with isolated_seed(0):
        return VariationalAutoencoder(2, 1, variance, hidden=(32, 32))


def _log_normal(x: np.ndarray, mean: np.ndarray, variance: np.ndarray | float) -> np.ndarray:
    return -0.5 * ((x - mean) ** 2 / variance + np.log(2 * np.pi * np.asarray(variance)))


def _truth(model: VariationalAutoencoder) -> tuple[float, float, float]:
    """ELBO, log p(x) and KL(q(z|x) ‖ p(z)), the mean over X, as integrals over a fine grid of z."""
    z = np.linspace(-12, 12, 20_001)
    with torch.no_grad():
        centers = model.decoder(torch.tensor(z, dtype=torch.float32).unsqueeze(-1)).loc[:, 0].double().numpy()
        mean, log_variance = (t.double().numpy() for t in model.encoder(X).chunk(2, -1))
    joint = _log_normal(z, np.zeros(1), 1.0) + _log_normal(X.numpy()[:, None], centers, model.decoder.variance).sum(-1)
    log_q = _log_normal(z, mean, np.exp(log_variance))
    elbo = np.trapezoid(np.exp(log_q) * (joint - log_q), z, axis=-1)
    divergence = np.trapezoid(np.exp(log_q) * (log_q - _log_normal(z, np.zeros(1), 1.0)), z, axis=-1)
    return float(elbo.mean()), float(np.log(np.trapezoid(np.exp(joint), z, axis=-1)).mean()), float(divergence.mean())


def test_both_bounds_are_the_integrals() -> None:
    model, before = _model(), global_state()
    elbo, log_likelihood, divergence = likelihood_bounds(model, X, draws=2000)
    true_elbo, truth, true_divergence = _truth(model)
    assert divergence == pytest.approx(true_divergence, rel=1e-4)
    assert elbo == pytest.approx(true_elbo, abs=0.08)
    assert log_likelihood == pytest.approx(truth, abs=0.08)
    assert true_elbo < truth
    assert global_state() == before
    with isolated_seed(1), torch.no_grad():
        each = torch.stack([model.elbo(X) for _ in range(500)])
    error = each.mean(1).std().item() / 500**0.5
    assert abs(each.mean().item() - true_elbo) < 5 * error


def test_training_lifts_it_to_what_a_linear_model_can_reach_at_least() -> None:
    g = torch.Generator().manual_seed(0)
    z = torch.randn(512, 1, generator=g)
    x = z @ torch.tensor([[1.5, -1.0]]) + 0.5 * torch.randn(512, 2, generator=g)
    model, before = _model(0.25), global_state()
    start = likelihood_bounds(model, x)[0]
    fit_vae(model, x, steps=100)
    assert global_state() == before
    elbo, log_likelihood, _ = likelihood_bounds(model, x)
    S = np.array([[1.5**2 + 0.25, -1.5], [-1.5, 1 + 0.25]])
    rows = x.double().numpy()
    exact = -0.5 * ((rows @ np.linalg.inv(S) * rows).sum(1).mean() + np.log(np.linalg.det(S)) + 2 * np.log(2 * np.pi))
    assert start < elbo <= log_likelihood
    assert exact - 0.1 < elbo < exact + 0.05
