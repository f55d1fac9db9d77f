"""Heads: the last layer of a network, which turns features into a mixture."""

from __future__ import annotations

import math
from typing import Any, Literal

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
    Mixture,
    Precision,
    VonMisesMixture,
)

__all__ = ["CovarianceKind", "Family", "MixtureHead"]

CovarianceKind = Literal["isotropic", "diagonal", "full"]
Family = Literal["gaussian", "laplace", "cauchy", "vonmises"]


class MixtureHead(nn.Module):
    r"""Emit a mixture of K Gaussians, or of another family, in T dimensions from features h, on any backbone (Bishop
    1994, "Mixture density networks").

    Weights are ``softmax(a)``, means are linear in h, scales are ``min_scale + softplus(b)``, so that no density can
    exceed ``(2π)^(-T/2) min_scale^-T``. A full covariance is emitted as the Cholesky factor of its precision, ``U =
    diag(1/scale)(I + B)`` with ``B`` strictly lower triangular: each target regresses on the ones before it, ``scale``
    is its conditional standard deviation, and the log-likelihood needs no solve.

    Laplace components have one scale per target, Cauchy components one for all directions. Von Mises components are for
    targets that are angles in radians; their concentration is ``1 / scale²``.

    Args:
        in_features: width of h.
        out_features: number of targets T.
        components: number of components K.
        covariance: ``"isotropic"``, ``"diagonal"`` or ``"full"``; only Gaussian components have one.
        min_scale: floor of the scales, in units of the target.
        family: of the components: ``"gaussian"``, ``"laplace"``, ``"cauchy"`` or ``"vonmises"``.

    Raises:
        ValueError: where a size is not positive or the covariance or the family is unknown.

    Example:
        >>> import torch, mixtura as mx
        >>> head = mx.nn.MixtureHead(in_features=16, out_features=2, components=3)
        >>> head(torch.zeros(5, 16))
        GaussianMixture(batch_shape=(5,), event_shape=(2,), components=3, covariance=Precision)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        components: int = 5,
        covariance: CovarianceKind = "full",
        min_scale: float = 1e-3,
        family: Family = "gaussian",
    ) -> None:
        super().__init__()
        if min(in_features, out_features, components) < 1:
            raise ValueError(
                "in_features, out_features and components must be positive, "
                f"got {in_features}, {out_features}, {components}."
            )
        if covariance not in ("isotropic", "diagonal", "full"):
            raise ValueError(f"covariance must be 'isotropic', 'diagonal' or 'full', got {covariance!r}.")
        if family not in ("gaussian", "laplace", "cauchy", "vonmises"):
            raise ValueError(f"family must be 'gaussian', 'laplace', 'cauchy' or 'vonmises', got {family!r}.")
        if not 0 < min_scale < math.inf:
            raise ValueError(f"min_scale must be positive and finite, got {min_scale}.")
        K, T = components, out_features
        self.family = family
        self.components, self.out_features, self.covariance, self.min_scale = K, T, covariance, min_scale
        # One product for everything; the sizes of its parts, in the order of the columns.
        self._sizes = [
            K,
            K * T,
            K if self._one_scale else K * T,
            K * T * (T - 1) // 2 if covariance == "full" and family == "gaussian" else 0,
        ]
        self.linear = nn.Linear(in_features, sum(self._sizes))
        with torch.no_grad():
            self.linear.weight.mul_(0.1)  # start near a mixture that does not depend on x
            self.linear.bias.zero_()
            self._part(1).copy_(torch.randn(K * T))

    def initialize(self, y: Tensor) -> None:
        """Start the components where the targets are: on their quantiles (T = 1) or on k-means centers (T > 1).

        Args:
            y: targets, shape ``(N, T)``.

        Raises:
            ValueError: where y does not have T columns or holds a value that is not finite.
        """
        if y.dim() != 2 or y.shape[1] != self.out_features or len(y) == 0:
            raise ValueError(f"y has shape {tuple(y.shape)}; it must be (N, {self.out_features}) with N >= 1.")
        if not bool(torch.isfinite(y).all()):
            raise ValueError("y holds a value that is not finite.")
        loc, scale, weight = _start(y.detach().double().cpu(), self.components)
        with torch.no_grad():
            self._part(0).copy_(weight.log())
            self._part(1).copy_(loc.flatten())
            scale = scale.square().mean(-1).sqrt() if self._one_scale else scale
            self._part(2).copy_(
                _inverse_softplus((scale - self.min_scale).clamp_min(1e-3 * scale.clamp_min(1e-6))).flatten()
            )

    def forward(self, h: Tensor) -> Mixture[Any]:
        """Return the mixture for features ``h`` of shape ``(*B, in_features)``: batch_shape ``B``, event_shape
        ``(T,)``."""
        K, T = self.components, self.out_features
        raw = self.linear(h).to(self.linear.weight.dtype)  # a likelihood needs more digits than autocast leaves
        logits, loc, raw_scale, off_diagonal = raw.split(self._sizes, -1)
        scale = self.min_scale + nn.functional.softplus(raw_scale)
        loc = loc.unflatten(-1, (K, T))
        if self.family == "gaussian":
            return GaussianMixture(logits, loc, self._covariance(scale, off_diagonal), validate_args=False)
        if self.family == "cauchy":
            return CauchyMixture(logits, loc, scale, validate_args=False)
        scale = scale.unflatten(-1, (K, T))  # (*B, K, T)
        if self.family == "laplace":
            return LaplaceMixture(logits, loc, scale, validate_args=False)
        return VonMisesMixture(logits, loc, scale.square().reciprocal(), validate_args=False)

    @property
    def _one_scale(self) -> bool:
        """Whether a component has one scale for all targets."""
        return self.family == "cauchy" or (self.family == "gaussian" and self.covariance == "isotropic")

    def _covariance(self, scale: Tensor, off_diagonal: Tensor) -> Covariance:
        K, T = self.components, self.out_features
        if self.covariance == "isotropic":
            return Isotropic(scale.square())
        scale = scale.unflatten(-1, (K, T))  # (*B, K, T)
        if self.covariance == "diagonal" or T == 1:
            return Diagonal(scale.square())
        rows, columns = torch.tril_indices(T, T, -1, device=scale.device)
        unit = torch.eye(T, dtype=scale.dtype, device=scale.device).repeat(*scale.shape[:-1], 1, 1)  # (*B, K, T, T)
        unit[..., rows, columns] = off_diagonal.unflatten(-1, (K, T * (T - 1) // 2))
        return Precision(unit / scale.unsqueeze(-1))

    def _part(self, i: int) -> Tensor:
        return self.linear.bias.split(self._sizes)[i]

    def extra_repr(self) -> str:
        """Return the settings that ``repr`` shows."""
        kind = f"covariance={self.covariance!r}" if self.family == "gaussian" else f"family={self.family!r}"
        return f"out_features={self.out_features}, components={self.components}, {kind}, min_scale={self.min_scale:g}"


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
