"""Scores of a predicted distribution against what happened."""

from __future__ import annotations

import torch
from torch import Tensor

from mixtura._optional import require
from mixtura.distributions import GaussianMixture

__all__ = ["check_rows", "crps"]

_PAIRS = 1_000_000
"""Pairs of components evaluated at a time."""


def crps(mixture: GaussianMixture, y: Tensor) -> Tensor:
    r"""Return the continuous ranked probability score of every row, of each target by itself, in the target's units.

    ``∫ (F(x) - 1{y <= x})² dx = E|x - y| - ½ E|x - x'|`` with x, x' drawn from the mixture, in closed form: zero for
    certainty that is right, ``|y - m|`` for certainty about m, lower is better (Grimit et al. 2006, "The continuous
    ranked probability score for circular variables"). It is computed in float64, and carries no gradient.

    Args:
        mixture: one distribution per row, batch_shape B and event_shape ``()`` or ``(T,)``.
        y: what happened, shape ``(*B, *event_shape)``.

    Returns:
        Scores of the shape of y.

    Raises:
        ImportError: where scoringrules is not installed.
        ValueError: where y has another shape.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(1, 1), torch.zeros(1, 1), mx.Isotropic(1.0), event_dim=0)
        >>> crps(q, torch.zeros(1))
        tensor([0.2337])
    """
    crps_mixnorm = require("scoringrules", "The CRPS").crps_mixnorm
    check_rows(mixture, y)
    with torch.no_grad():
        scalar = not mixture.event_shape
        loc = mixture.loc.unsqueeze(-1) if scalar else mixture.loc  # (*B, K, D)
        K, D = loc.shape[-2:]
        scale = mixture.covariance.variances(D).expand(loc.shape).sqrt()
        weights = mixture.weights.unsqueeze(-1).expand(loc.shape)
        m, s, w = (t.mT.reshape(-1, K).double().cpu() for t in (loc, scale, weights))  # (rows * D, K)
        rows = max(1, _PAIRS // K**2)
        chunks = zip(*(t.split(rows) for t in (y.reshape(-1).double().cpu(), m, s, w)), strict=True)
        scores = [torch.as_tensor(crps_mixnorm(*(t.numpy() for t in c), backend="numpy")) for c in chunks]
        return torch.cat(scores).reshape(y.shape).to(y)


def check_rows(mixture: GaussianMixture, y: Tensor) -> None:
    """Raise ValueError unless y holds one value per distribution; broadcasting would compare every row with every
    other."""
    expected = (*mixture.batch_shape, *mixture.event_shape)
    if tuple(y.shape) != expected:
        raise ValueError(f"y has shape {tuple(y.shape)}; one value per distribution of the mixture is {expected}.")
