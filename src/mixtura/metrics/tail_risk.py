"""How bad the worst outcomes of a predicted distribution are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mixtura.distributions import AtomMixture, CauchyMixture, Mixture
from mixtura.metrics.absolute_differences import differences

__all__ = ["expected_shortfall"]


def expected_shortfall(mixture: Mixture[Any] | AtomMixture, level: float) -> Tensor:
    r"""Return the mean of a mixture's worst outcomes, those below its quantile of a level, of each target by itself.

    ``1/p ∫_0^p F⁻¹(u) du = q - E[(q - x)⁺] / p`` with q the quantile of level p, in closed form; of an atom at q it
    takes the part that makes the share of the worst outcomes exactly p. Losses are negative outcomes here: value at
    risk is ``-q = -mixture.icdf(p)``, and many texts write expected shortfall with the other sign too.

    Args:
        mixture: Gaussian or Laplace, with atoms or without; batch_shape B and event_shape ``()`` or ``(T,)``.
        level: p, strictly between 0 and 1, such as 0.025.

    Returns:
        In units of the target, shape ``(*B, *event_shape)``.

    Raises:
        TypeError: for Cauchy mixtures, whose tails have no mean, and angles, which are in no order.
        ValueError: where the level is not strictly between 0 and 1.

    Source:
        Acerbi & Tasche 2002, "On the coherence of expected shortfall".

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(1), torch.zeros(1), mx.Isotropic(1.0), event_dim=0)
        >>> expected_shortfall(q, 0.025)
        tensor(-2.3378)
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}.")
    continuous = mixture.continuous if isinstance(mixture, AtomMixture) else mixture
    if isinstance(continuous, CauchyMixture):
        raise TypeError("a Cauchy mixture has no expected shortfall: the mean of its tail is infinite.")
    with torch.no_grad():
        shape = (*mixture.batch_shape, *mixture.event_shape)
        quantile = mixture.icdf(mixture.logits.new_full(shape, level))
        q = quantile.double()
        below = _mean_below(continuous, q)
        if isinstance(mixture, AtomMixture):
            event = [1] * len(mixture.event_shape)
            w = torch.softmax(mixture.logits.double(), -1).movedim(-1, 0)  # (A + 1, *B)
            w = w.reshape(*w.shape, *event)
            atoms = mixture.atoms.double().movedim(-1 - len(event), 0)  # (A, *B, *event_shape)
            below = w[-1] * below + (w[:-1] * (q - atoms).clamp_min(0)).sum(0)
        return (q - below / level).to(quantile)


def _mean_below(mixture: Mixture[Any], q: Tensor) -> Tensor:
    """Return ``E[(q - x)⁺] = ½ (E|x - q| + q - E x)``."""
    single, _, loc, scale = differences(mixture)  # loc and scale of shape (*B, K, *event_shape)
    event = len(mixture.event_shape)
    away = q.unsqueeze(-1 - event) - loc.double()
    each = (single(away.abs(), scale.double()) + away) / 2
    w = torch.softmax(mixture.logits.double(), -1)
    return (w.reshape(*w.shape, *[1] * event) * each).sum(-1 - event)
