"""Generators: modules without an input whose output is a mixture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mixtura.distributions import GaussianMixture
from mixtura.nn.centers import Centers, image_head, image_trunk, vector_trunk

__all__ = ["FreeCenters", "MixtureGenerator", "even_normal"]


class FreeCenters(Centers):
    """Hold M centers that are parameters themselves: with a cost, a quantiser of a data set.

    Args:
        centers: where they start, shape ``(M, D)``, for example rows of the data.
        variance: of every component, in squared units of x.
        learn_weights: whether the weights are parameters; else all weigh alike.
        learn_variance: whether the variance is a parameter.

    Raises:
        ValueError: where ``centers`` is not a matrix with rows or the variance is not positive.

    Example:
        >>> import torch, mixtura as mx
        >>> mx.nn.FreeCenters(torch.randn(8, 2), variance=0.1)()
        GaussianMixture(batch_shape=(), event_shape=(2,), components=8, covariance=Isotropic)
    """

    logits: Tensor

    def __init__(
        self, centers: Tensor, variance: float, learn_weights: bool = False, learn_variance: bool = False
    ) -> None:
        super().__init__(variance, learn_variance)
        if centers.dim() != 2 or len(centers) == 0:
            raise ValueError(f"centers must have the shape (M, D) with M > 0, got {tuple(centers.shape)}.")
        self.centers = nn.Parameter(centers.detach().clone())
        logits = torch.zeros(len(centers), dtype=centers.dtype)
        if learn_weights:
            self.logits = nn.Parameter(logits)
        else:
            self.register_buffer("logits", logits)

    def forward(self) -> GaussianMixture:
        """Return the mixture of all centers."""
        return self._mixture(self.logits, self.centers)


class MixtureGenerator(Centers):
    """Map noise to centers: every draw of n noise vectors is a mixture of n components.

    Args:
        out_features: number of dimensions D of x, or the shape ``(C, H, W)`` of images with values in [0, 1], H and W
            multiples of four, which convolutions make and the mixture holds as vectors of ``C·H·W``.
        noise_features: number of dimensions of the noise, standard normal.
        hidden: widths of the layers; for images the last one is the number of channels at a quarter of the size.
        variance: of every component, in squared units of x.
        learn_weights: whether the trunk emits a weight for every center; else all weigh alike.
        learn_variance: whether the variance is a parameter.

    Raises:
        ValueError: where a size or the variance is not positive.

    Example:
        >>> import torch, mixtura as mx
        >>> gen = mx.nn.MixtureGenerator(2, noise_features=2, hidden=(64, 64), variance=0.1)
        >>> gen(100)
        GaussianMixture(batch_shape=(), event_shape=(2,), components=100, covariance=Isotropic)
    """

    def __init__(
        self,
        out_features: int | Sequence[int],
        noise_features: int = 2,
        hidden: Sequence[int] = (128, 128),
        variance: float = 1.0,
        learn_weights: bool = False,
        learn_variance: bool = False,
    ) -> None:
        super().__init__(variance, learn_variance)
        shape = (out_features,) if isinstance(out_features, int) else tuple(out_features)
        if len(shape) not in (1, 3) or min(*shape, noise_features, *hidden) < 1 or not hidden:
            raise ValueError(
                "out_features must be a number or (C, H, W), hidden name at least one width, and all be positive; "
                f"got {out_features}, {tuple(hidden)} and noise_features = {noise_features}."
            )
        self.shape, self.noise_features, self.learn_weights = shape, noise_features, learn_weights
        if len(shape) == 3 and (shape[1] % 4 or shape[2] % 4 or len(hidden) < 2):
            raise ValueError(
                "images need H and W that are multiples of 4, and hidden a width and a number of channels; "
                f"got {shape} and {tuple(hidden)}."
            )
        D = math.prod(shape)
        if len(shape) == 1:
            self.trunk, self.head = vector_trunk(noise_features, hidden), nn.Linear(hidden[-1], D)
        else:
            self.trunk, self.head = image_trunk(noise_features, hidden), image_head(hidden, shape)
        width = hidden[-1] if len(shape) == 1 else hidden[-2]
        self.weight_head = nn.Linear(width, 1) if learn_weights else None

    def forward(self, n: int, even: bool = False) -> GaussianMixture:
        """Return a mixture of n centers made of fresh noise, which torch's generator draws.

        Args:
            n: number of centers.
            even: spread the noise evenly, by :func:`even_normal`, so that a batch has less chance in it; centers are
                not independent of each other then, as the sampled reading of a cost wants them.

        Raises:
            ValueError: where n is not positive.
        """
        if n < 1:
            raise ValueError(f"n must be positive, got {n}.")
        device = self.log_variance.device
        draw = even_normal if even else torch.randn
        return self.from_noise(draw(n, self.noise_features, device=device))

    def from_noise(self, noise: Tensor) -> GaussianMixture:
        """Return the mixture of the centers of given noise, shape ``(n, noise_features)``."""
        h = self.trunk(noise)
        logits = h.new_zeros(len(h)) if self.weight_head is None else self.weight_head(h).squeeze(-1)
        return self._mixture(logits, self.head(h))


def even_normal(n: int, d: int, device: torch.device | None = None) -> Tensor:
    r"""Return n points of d standard normals that are spread evenly: a randomly shifted lattice, mapped by quantiles.

    ``u_kj = (k φ^-j + s_j) mod 1`` with ``φ^(d+1) = φ + 1`` and one uniform shift s. Every point by itself is standard
    normal; together they leave no gaps and no clumps.

    Source:
        Roberts 2018, "The unreasonable effectiveness of quasirandom sequences" (the R sequence).

    Example:
        >>> import torch
        >>> from mixtura.nn.generator import even_normal
        >>> x = even_normal(1000, 2)
        >>> bool(((x < 0).double().mean(0) - 0.5).abs().max() < 0.01)
        True
    """
    phi = 2.0
    for _ in range(60):
        phi = (1 + phi) ** (1 / (d + 1))
    steps = phi ** -torch.arange(1, d + 1, dtype=torch.float64, device=device)
    shift = torch.rand(d, dtype=torch.float64, device=device)
    u = (torch.arange(n, dtype=torch.float64, device=device).unsqueeze(-1) * steps + shift) % 1
    return torch.special.ndtri(u.clamp(1e-9, 1 - 1e-9)).to(torch.get_default_dtype())
