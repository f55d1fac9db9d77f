"""Numbers from predicted distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from mixtura.distributions import AtomMixture, CauchyMixture, Mixture, VonMisesMixture, pool
from mixtura.estimators.inputs import Array

__all__ = ["Variances", "quantiles", "variances"]


class Variances(NamedTuple):
    """Where the variance of a prediction comes from; the two add up to the variance of ``predict_dist``."""

    aleatoric: Array
    """Mean of the members' variances: what more data would not take away."""
    epistemic: Array
    """Variance of the members' means: what they do not agree about."""


def variances(members: Any) -> Variances:
    """Return the variances of n predictions as :meth:`MixtureDensityRegressor.predict_variances` does.

    Args:
        members: the prediction of each of E networks, batch_shape ``(E, n)``, with or without atoms.

    Raises:
        ValueError: for Cauchy components, which have no variance.
    """
    q = members.continuous if isinstance(members, AtomMixture) else members
    if isinstance(q, CauchyMixture):
        raise ValueError("Cauchy components have no variance: use predict_interval, or family='laplace'.")
    within = members.variance.mean(0)
    if isinstance(q, VonMisesMixture):  # the mean of directions that differ is shorter than the mean of their lengths
        between = (pool(members).variance - within).clamp_min(0)
    else:
        between = members.mean.var(0, correction=0)
    return Variances(within.numpy(), between.numpy())


def quantiles(mixture: Mixture[Any] | AtomMixture, q: float | Sequence[float]) -> Array:
    """Return quantiles of n mixtures as :meth:`MixtureDensityRegressor.predict_quantiles` does.

    Args:
        mixture: of any family, batch_shape ``(n,)``.
        q: one level, or several.

    Raises:
        ValueError: where a level is not strictly between 0 and 1.
    """
    levels = torch.as_tensor(q, dtype=torch.float64)
    if not bool(((levels > 0) & (levels < 1)).all()):
        raise ValueError(f"q must lie strictly between 0 and 1, got {q}.")
    u = levels.reshape(-1, *(1,) * (1 + len(mixture.event_shape)))
    u = u.expand(-1, *mixture.batch_shape, *mixture.event_shape)
    x = (_angles(mixture, u) if isinstance(mixture, VonMisesMixture) else mixture.icdf(u)).movedim(0, -1)
    return (x if levels.dim() else x.squeeze(-1)).numpy()


def _angles(mixture: VonMisesMixture, u: torch.Tensor) -> torch.Tensor:
    """Return the quantiles of a circle that is cut open opposite to the mean direction, where there is least mass."""
    middle = mixture.mean
    loc = mixture.loc - middle.unsqueeze(len(mixture.batch_shape))
    turned = VonMisesMixture(mixture.logits, loc, mixture.concentration, event_dim=len(mixture.event_shape))
    return middle + turned.icdf(u)
