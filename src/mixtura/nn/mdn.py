"""Mixture density networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from mixtura.distributions import Mixture
from mixtura.nn.heads import CovarianceKind, Family, MixtureHead

__all__ = ["MDN", "ResidualBlock"]


class ResidualBlock(nn.Module):
    """Add a two-layer correction to features, ``h + W₂ silu(W₁ norm(h))``, normalised before and not after (pre-norm).

    Args:
        in_features: width of h.
        out_features: width of the result; where it differs from ``in_features``, h passes through a linear map.
        dropout: probability of dropping a hidden unit.
        expansion: width of the hidden layer in units of ``out_features``.
    """

    def __init__(self, in_features: int, out_features: int, dropout: float = 0.0, expansion: int = 2) -> None:
        super().__init__()
        self.skip = nn.Identity() if in_features == out_features else nn.Linear(in_features, out_features)
        self.correction = nn.Sequential(
            nn.LayerNorm(in_features),
            nn.Linear(in_features, expansion * out_features),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(expansion * out_features, out_features),
        )

    def forward(self, h: Tensor) -> Tensor:
        """Return features of shape ``(*B, out_features)``."""
        return self.skip(h) + self.correction(h)


class MDN(nn.Module):
    """Map x to a mixture density p(y|x) by a residual trunk and a :class:`MixtureHead` (Bishop 1994).

    Args:
        in_features: number of inputs.
        out_features: number of targets T.
        components: number of components K.
        hidden: width of each residual block.
        covariance: ``"isotropic"``, ``"diagonal"`` or ``"full"``.
        dropout: probability of dropping a hidden unit.
        min_scale: floor of the scales, in units of the target.
        family: of the components, as in :class:`MixtureHead`.

    Raises:
        ValueError: where there is no block or a size is not positive.

    Example:
        >>> import torch, mixtura as mx
        >>> mdn = mx.nn.MDN(in_features=3, out_features=1, components=5, hidden=(64, 64))
        >>> mdn(torch.zeros(10, 3)).log_prob(torch.zeros(10, 1)).shape
        torch.Size([10])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        components: int = 5,
        hidden: Sequence[int] = (64, 64),
        covariance: CovarianceKind = "full",
        dropout: float = 0.0,
        min_scale: float = 1e-3,
        family: Family = "gaussian",
    ) -> None:
        super().__init__()
        if not hidden or min(hidden) < 1 or in_features < 1:
            raise ValueError(
                "hidden must name at least one positive width and in_features must be positive, "
                f"got {tuple(hidden)} and {in_features}."
            )
        self.trunk = nn.Sequential(
            nn.Linear(in_features, hidden[0]),
            *(ResidualBlock(a, b, dropout) for a, b in pairwise((hidden[0], *hidden))),
            nn.LayerNorm(hidden[-1]),
        )
        self.head = MixtureHead(hidden[-1], out_features, components, covariance, min_scale, family)

    def forward(self, x: Tensor) -> Mixture[Any]:
        """Return p(y|x) for ``x`` of shape ``(*B, in_features)``: batch_shape ``B``, event_shape ``(T,)``."""
        return self.head(self.trunk(x))
