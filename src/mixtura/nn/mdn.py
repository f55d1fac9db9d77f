"""Mixture density networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from mixtura.distributions import AtomMixture, Mixture
from mixtura.nn.atoms import AtomHead
from mixtura.nn.heads import CovarianceKind, Family, MixtureHead
from mixtura.nn.stacked import layer_norm, linear

__all__ = ["MDN", "ResidualBlock"]


class ResidualBlock(nn.Module):
    """Add a two-layer correction to features, ``h + W₂ silu(W₁ norm(h))``, normalised before and not after (pre-norm).

    Args:
        in_features: width of h.
        out_features: width of the result; where it differs from ``in_features``, h passes through a linear map.
        dropout: probability of dropping a hidden unit.
        expansion: width of the hidden layer in units of ``out_features``.
        members: networks side by side, as in :class:`MDN`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        dropout: float = 0.0,
        expansion: int = 2,
        members: int | None = None,
    ) -> None:
        super().__init__()
        self.skip = nn.Identity() if in_features == out_features else linear(in_features, out_features, members)
        self.correction = nn.Sequential(
            layer_norm(in_features, members),
            linear(in_features, expansion * out_features, members),
            nn.SiLU(),
            nn.Dropout(dropout),
            linear(expansion * out_features, out_features, members),
        )

    def forward(self, h: Tensor) -> Tensor:
        """Return features of shape ``(*B, out_features)``."""
        return self.skip(h) + self.correction(h)


class MDN(nn.Module):
    """Map x to a mixture density p(y|x) by a residual trunk and a :class:`MixtureHead` (Bishop 1994).

    Args:
        in_features: number of inputs.
        out_features: number of targets T.
        components: number of components K; or one for each member, as in :class:`MixtureHead`.
        hidden: width of each residual block.
        covariance: as in :class:`MixtureHead`.
        dropout: probability of dropping a hidden unit.
        min_scale: floor of the scales, in units of the target, or one for each target.
        family: of the components, as in :class:`MixtureHead`.
        min_weight: floor of the weights, as in :class:`MixtureHead`.
        atoms: positions of point masses beside the components, as in :class:`AtomHead`; None for none.
        separate: give weights, locations and spreads a trunk each, instead of one that they share.
        members: E networks of this shape, side by side: x gets, and the mixture has, a first batch dimension E, along
            which nothing is shared. They train in one go, as ensembles, folds or candidates.

    Raises:
        ValueError: where there is no block or a size is not positive.

    Example:
        >>> import torch, mixtura as mx
        >>> mdn = mx.nn.MDN(in_features=3, out_features=1, components=5, hidden=(64, 64))
        >>> mdn(torch.zeros(10, 3)).log_prob(torch.zeros(10, 1)).shape
        torch.Size([10])
        >>> mx.nn.MDN(in_features=3, out_features=1, hidden=(64,), members=4)(torch.zeros(4, 10, 3)).batch_shape
        torch.Size([4, 10])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        components: int | Sequence[int] = 5,
        hidden: Sequence[int] = (64, 64),
        covariance: CovarianceKind = "full",
        dropout: float = 0.0,
        min_scale: float | Sequence[float] = 1e-3,
        family: Family = "gaussian",
        *,
        min_weight: float = 0.0,
        atoms: Tensor | None = None,
        separate: bool = False,
        members: int | None = None,
    ) -> None:
        super().__init__()
        if not hidden or min(hidden) < 1 or in_features < 1:
            raise ValueError(
                "hidden must name at least one positive width and in_features must be positive, "
                f"got {tuple(hidden)} and {in_features}."
            )
        if members is not None and members < 1:
            raise ValueError(f"members must be positive, or None for one network, got {members}.")

        def trunk() -> nn.Sequential:
            return nn.Sequential(
                linear(in_features, hidden[0], members),
                *(ResidualBlock(a, b, dropout, members=members) for a, b in pairwise((hidden[0], *hidden))),
                layer_norm(hidden[-1], members),
            )

        self.trunks = nn.ModuleList(trunk() for _ in range(3 if separate else 1))
        head = MixtureHead(
            hidden[-1], out_features, components, covariance, min_scale, family, min_weight=min_weight, members=members
        )
        self.head = head if atoms is None else AtomHead(head, atoms)
        self.members = members

    def forward(self, x: Tensor) -> Mixture[Any] | AtomMixture:
        """Return p(y|x) for ``x`` of shape ``(*B, in_features)``: batch_shape ``B``, event_shape ``(T,)``; several
        members take ``(E, *B, in_features)``."""
        return self.head(self.features(x))

    def features(self, x: Tensor) -> Tensor | list[Tensor]:
        """Return what the head reads: of shape ``(*B, hidden[-1])``, or three of them from separate trunks."""
        h = [trunk(x) for trunk in self.trunks]
        return h if len(h) > 1 else h[0]
