"""A variational autoencoder with the same layers, for what the usual bound says of the same data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mixtura.nn import MixtureDecoder
from mixtura.training import fit, isolated_seed

__all__ = ["LikelihoodBounds", "VariationalAutoencoder", "fit_vae", "likelihood_bounds"]

_BATCH, _RATE = 256, 5e-3


class VariationalAutoencoder(nn.Module):
    r"""Map x to ``q(z|x) = N(μ(x), σ²(x))`` and z to ``p(x|z) = N(d(z), v)``, with ``p(z) = N(0, I)``.

    Args:
        in_features: number of dimensions D of x.
        code_features: number of dimensions of z.
        variance: v, which stays as it is.
        hidden: widths of the encoder's layers, and in reverse of the decoder's.

    Source:
        Kingma & Welling 2014, "Auto-encoding variational Bayes".
    """

    def __init__(
        self, in_features: int, code_features: int, variance: float, hidden: Sequence[int] = (128, 128)
    ) -> None:
        super().__init__()
        widths = (in_features, *hidden)
        self.encoder = nn.Sequential(
            *(m for a, b in pairwise(widths) for m in (nn.Linear(a, b), nn.ReLU())),
            nn.Linear(widths[-1], 2 * code_features),
        )
        self.decoder = MixtureDecoder(code_features, in_features, 1, hidden[::-1], variance=variance)

    def elbo(self, x: Tensor) -> Tensor:
        """Return ``E_q log p(x|z) - KL(q(z|x) ‖ p(z))`` in nats, its first term at one draw of z; shape ``(B,)``."""
        mean, log_variance = self.encoder(x).chunk(2, -1)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        return self.decoder(z).log_prob(x) - _divergence(mean, log_variance)


class LikelihoodBounds(NamedTuple):
    """Means over rows, in nats."""

    elbo: float
    log_likelihood: float
    """Of log p(x), from below."""
    divergence: float
    """Of KL(q(z|x) ‖ p(z)): what the code says of x, as the prior counts it; 0 where it is not used."""


def fit_vae(model: VariationalAutoencoder, x: Tensor, steps: int, seed: int = 0) -> None:
    """Train a variational autoencoder in place, as :func:`~mixtura.training.fit_autoencoder` trains its networks."""
    B = min(_BATCH, len(x))
    batches = math.ceil(len(x) / B)
    whole = torch.arange(batches * B, device=x.device) % len(x)
    fit(
        model,
        lambda _, batch: -model.elbo(batch[0]).mean(),
        [x[whole]],
        epochs=math.ceil(steps / batches),
        batch_size=B,
        learning_rate=_RATE,
        weight_decay=0.0,
        average_decay=0.99,
        seed=seed,
    )


def likelihood_bounds(model: VariationalAutoencoder, x: Tensor, draws: int = 200, seed: int = 0) -> LikelihoodBounds:
    """Return the means over x of the ELBO and of log p(x), from the same draws of z.

    With weights ``w = p(x|z) p(z) / q(z|x)`` the first is ``E log w``, the second ``log E w`` by importance sampling,
    which approaches log p(x) from below.
    """
    with torch.no_grad(), isolated_seed(seed, x.device):
        mean, log_variance = (t.double() for t in model.encoder(x).chunk(2, -1))
        noise = torch.randn(draws, *mean.shape, dtype=mean.dtype, device=x.device)
        z = mean + (log_variance / 2).exp() * noise
        log_p = torch.stack([model.decoder(part.to(x)).log_prob(x).double() for part in z])
        log_w = log_p + (noise.square() - z.square() + log_variance).sum(-1) / 2
        log_likelihood = torch.logsumexp(log_w, 0) - math.log(draws)
        return LikelihoodBounds(
            log_w.mean().item(), log_likelihood.mean().item(), _divergence(mean, log_variance).mean().item()
        )


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    return (mean.square() + log_variance.exp() - log_variance - 1).sum(-1) / 2
