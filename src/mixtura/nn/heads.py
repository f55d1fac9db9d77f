"""Heads: the last layer of a network, which turns features into a mixture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn

from mixtura.distributions import (
    CauchyMixture,
    Covariance,
    Diagonal,
    GaussianMixture,
    Isotropic,
    LaplaceMixture,
    LowRank,
    Mixture,
    Precision,
    VonMisesMixture,
)
from mixtura.nn.stacked import linear

__all__ = ["CovarianceKind", "Family", "MixtureHead"]

CovarianceKind = Literal["isotropic", "diagonal", "low_rank", "full"]
Family = Literal["gaussian", "laplace", "cauchy", "vonmises"]

_RANK = 2
"""Columns of the factor of a low-rank covariance."""


class MixtureHead(nn.Module):
    r"""Emit a mixture of K Gaussians, or of another family, in T dimensions from features h, on any backbone (Bishop
    1994, "Mixture density networks").

    Weights are ``softmax(a)``, means are linear in h, scales are ``min_scale + softplus(b)``, so that no density can
    exceed ``(2π)^(-T/2) min_scale^-T``. A full covariance is emitted as the Cholesky factor of its precision, ``U =
    diag(1/scale)(I + B)`` with ``B`` strictly lower triangular: each target regresses on the ones before it, ``scale``
    is its conditional standard deviation, and the log-likelihood needs no solve. A low-rank covariance is ``F Fᵀ +
    diag(scale²)`` with a factor of two columns, for many targets that move together.

    Laplace components have one scale per target, Cauchy components one for all directions. Von Mises components are for
    targets that are angles in radians; their concentration is ``1 / scale²``.

    Args:
        in_features: width of h.
        out_features: number of targets T.
        components: number of components K; or one for each of several members: K is the largest then, and the weights
            of the components that a member does not have are zero.
        covariance: ``"isotropic"``, ``"diagonal"``, ``"low_rank"`` or ``"full"``; only Gaussian components have one.
        min_scale: floor of the scales, in units of the target; or one for each target, of which components with a
            single scale heed the smallest.
        family: of the components: ``"gaussian"``, ``"laplace"``, ``"cauchy"`` or ``"vonmises"``.
        min_weight: floor of the weights, below ``1 / K``: they are ``min_weight + (1 - K min_weight) softmax(a)``, so
            that no component can fall silent.
        members: heads of E networks side by side, as in :class:`MDN`.

    Raises:
        ValueError: where a size is not positive, there is not one number of components for each member, or the
            covariance or the family is unknown.

    Example:
        >>> import torch, mixtura as mx
        >>> head = mx.nn.MixtureHead(in_features=16, out_features=2, components=3)
        >>> head(torch.zeros(5, 16))
        GaussianMixture(batch_shape=(5,), event_shape=(2,), components=3, covariance=Precision)
    """

    _missing: Tensor | None
    min_scale: Tensor
    """Floor of the scales of each target, shape ``(T,)``."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        components: int | Sequence[int] = 5,
        covariance: CovarianceKind = "full",
        min_scale: float | Sequence[float] = 1e-3,
        family: Family = "gaussian",
        *,
        min_weight: float = 0.0,
        members: int | None = None,
    ) -> None:
        super().__init__()
        counts = list(components) if isinstance(components, Sequence) else [components] * (members or 1)
        if isinstance(components, Sequence) and len(counts) != members:
            raise ValueError(
                f"components names {len(counts)} numbers; there must be one for each of {members} members."
            )
        if min(in_features, out_features, *counts) < 1:
            raise ValueError(
                "in_features, out_features and components must be positive, "
                f"got {in_features}, {out_features}, {components}."
            )
        K, T = max(counts), out_features
        for name, value, known in (("covariance", covariance, CovarianceKind), ("family", family, Family)):
            if value not in get_args(known):
                raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(known)))}, got {value!r}.")
        floors = list(min_scale) if isinstance(min_scale, Sequence) else [min_scale] * T
        if len(floors) != T or not all(0 < floor < math.inf for floor in floors):
            raise ValueError(
                f"min_scale must be positive and finite, one number or one for each of {T} targets, got {min_scale}."
            )
        if not 0 <= min_weight * K < 1:
            raise ValueError(f"min_weight must be in [0, 1/K) for K = {K} components, got {min_weight}.")
        self.family = family
        self.min_weight, self.members = min_weight, members
        self.components, self.out_features, self.covariance = K, T, covariance
        if self._one_scale:
            floors = [min(floors)] * T
        self.register_buffer("min_scale", torch.tensor(floors, dtype=torch.get_default_dtype()), persistent=False)
        self._counts = counts
        missing = torch.arange(K) >= torch.tensor(counts).unsqueeze(-1)  # (E, K)
        self.register_buffer("_missing", missing if bool(missing.any()) else None, persistent=False)
        # One product for everything; the sizes of its parts, in the order of the columns.
        dependence = {"full": K * T * (T - 1) // 2, "low_rank": K * T * _RANK if T > 1 else 0}
        self._sizes = [
            K,
            K * T,
            K if self._one_scale else K * T,
            dependence.get(covariance, 0) if family == "gaussian" else 0,
        ]
        self.linear = linear(in_features, sum(self._sizes), members)
        with torch.no_grad():
            self.linear.weight.mul_(0.1)  # start near a mixture that does not depend on x
            self.linear.bias.zero_()
            self._part(1).normal_()
            if covariance == "low_rank":
                self._part(3).normal_(std=0.1)  # a factor of zero has no gradient

    def initialize(self, y: Tensor) -> None:
        """Start the components where the targets are: on their quantiles (T = 1) or on k-means centers (T > 1).

        Args:
            y: targets, shape ``(N, T)``, the same for all members.

        Raises:
            ValueError: where y does not have T columns or holds a value that is not finite.
        """
        if y.dim() != 2 or y.shape[1] != self.out_features or len(y) == 0:
            raise ValueError(f"y has shape {tuple(y.shape)}; it must be (N, {self.out_features}) with N >= 1.")
        if not bool(torch.isfinite(y).all()):
            raise ValueError("y holds a value that is not finite.")
        for k in set(self._counts):
            loc, scale, weight = _start(y.detach().double().cpu(), k)
            raw_scale = self._raw_scale(scale)
            mine = [e for e, count in enumerate(self._counts) if count == k]
            with torch.no_grad():
                for i, start in enumerate((weight.log(), loc.flatten(), raw_scale.flatten())):
                    part = self._part(i).view(len(self._counts), -1)
                    part[mine, : len(start)] = start.to(part)

    def forward(self, h: Tensor | Sequence[Tensor]) -> Mixture[Any]:
        """Return the mixture for features ``h``, batch_shape ``B`` and event_shape ``(T,)``.

        Args:
            h: of shape ``(*B, in_features)``; or three of them, for the weights, the locations and the spreads.
        """
        K, T = self.components, self.out_features
        logits, loc, raw_scale, dependence = self._raw(h)
        logits = self._floored(logits)
        scale = self._scales(raw_scale)
        loc = loc.unflatten(-1, (K, T))
        if self.family == "gaussian":
            return GaussianMixture(logits, loc, self._covariance(scale, dependence), validate_args=False)
        if self.family == "cauchy":
            return CauchyMixture(logits, loc, scale.squeeze(-1), validate_args=False)
        if self.family == "laplace":
            return LaplaceMixture(logits, loc, scale, validate_args=False)
        return VonMisesMixture(logits, loc, scale.square().reciprocal(), validate_args=False)

    def scales(self, h: Tensor | Sequence[Tensor]) -> Tensor:
        """Return the scales of the components, shape ``(*B, K, T)``, or ``(*B, K, 1)`` where one is for all targets."""
        return self._scales(self._raw(h)[2])

    def _scales(self, raw: Tensor) -> Tensor:
        each = 1 if self._one_scale else self.out_features
        free = nn.functional.softplus(raw.contiguous()).unflatten(-1, (self.components, each))
        return free + self.min_scale[:each]

    @property
    def _one_scale(self) -> bool:
        """Whether a component has one scale for all targets."""
        return self.family == "cauchy" or (self.family == "gaussian" and self.covariance == "isotropic")

    def _floored(self, logits: Tensor) -> Tensor:
        """Return logits of weights above the floor, of those components that a member has."""
        missing = self._missing
        if missing is not None:
            missing = missing.reshape(-1, *(1,) * (logits.dim() - 2), self.components)
            logits = logits.masked_fill(missing, -math.inf)
        if not self.min_weight:
            return logits
        rest = torch.log1p(-self.min_weight * (logits > -math.inf).sum(-1, keepdim=True).to(logits))
        floor = logits.new_tensor(math.log(self.min_weight))
        logits = torch.logaddexp(rest + torch.log_softmax(logits, -1), floor)
        return logits if missing is None else logits.masked_fill(missing, -math.inf)

    def _raw(self, h: Tensor | Sequence[Tensor]) -> list[Tensor]:
        dtype = self.linear.weight.dtype  # a likelihood needs more digits than autocast leaves
        if isinstance(h, Tensor):
            return list(self.linear(h).to(dtype).split(self._sizes, -1))
        weights, locations, spreads = (self.linear(part).to(dtype).split(self._sizes, -1) for part in h)
        return [weights[0], locations[1], *spreads[2:]]

    def _covariance(self, scale: Tensor, dependence: Tensor) -> Covariance:
        K, T = self.components, self.out_features
        if self.covariance == "isotropic":
            return Isotropic(scale.squeeze(-1).square())
        if self.covariance == "diagonal" or T == 1:
            return Diagonal.from_scale(scale)
        if self.covariance == "low_rank":
            return LowRank(dependence.unflatten(-1, (K, T, _RANK)), scale.square())
        return Precision.from_regression(scale, dependence.unflatten(-1, (K, T * (T - 1) // 2)))

    def _raw_scale(self, scale: Tensor) -> Tensor:
        """Return what the layer must emit for scales of the targets, shape ``(*, T)``; ``(*, 1)`` where one is for
        all."""
        scale = scale.square().mean(-1, keepdim=True).sqrt() if self._one_scale else scale
        floor = self.min_scale[: scale.shape[-1]].to(scale)
        return _inverse_softplus((scale - floor).clamp_min(1e-3 * scale.clamp_min(1e-6)))

    def _part(self, i: int) -> Tensor:
        return self.linear.bias.split(self._sizes, -1)[i]

    def extra_repr(self) -> str:
        """Return the settings that ``repr`` shows."""
        kind = f"covariance={self.covariance!r}" if self.family == "gaussian" else f"family={self.family!r}"
        components = self.components if self._missing is None else self._counts
        floors = [f"{floor:g}" for floor in self.min_scale.tolist()]
        floor = floors[0] if len(set(floors)) == 1 else f"[{', '.join(floors)}]"
        return f"out_features={self.out_features}, components={components}, {kind}, min_scale={floor}"


def _inverse_softplus(x: Tensor) -> Tensor:
    return x + torch.log(-torch.expm1(-x))


def _start(y: Tensor, K: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return starting means (K, T), scales (K, T) and weights (K,) for targets ``y`` of shape (N, T)."""
    N, T = y.shape
    spread = y.std(0, correction=0).clamp_min(1e-6)
    if T == 1:
        loc = torch.quantile(y[:, 0], (torch.arange(K, dtype=y.dtype) + 0.5) / K).unsqueeze(-1)
        return loc, (spread / K**0.5).expand(K, 1), torch.full((K,), 1 / K, dtype=y.dtype)
    distinct = torch.unique(y, dim=0)
    k = min(K, len(distinct))
    fitted = KMeans(k, n_init=1, random_state=0).fit((y / spread).numpy())
    label = torch.as_tensor(fitted.labels_, dtype=torch.long)
    count = torch.bincount(label, minlength=k).clamp_min(1).to(y)  # k-means cannot part targets that nearly coincide
    centers = torch.as_tensor(fitted.cluster_centers_) * spread
    within = torch.zeros(k, T, dtype=y.dtype).index_add_(0, label, (y - centers[label]).square()) / count.unsqueeze(-1)
    repeat = torch.arange(K) % k  # more components than distinct targets: several start on one
    share = count[repeat] / torch.bincount(repeat)[repeat]
    return centers[repeat], torch.maximum(within.sqrt(), 0.1 * spread)[repeat], share / N
