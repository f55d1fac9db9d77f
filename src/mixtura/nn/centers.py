"""What all networks that make centers share: their variance, and trunks for vectors and images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from mixtura.distributions import GaussianMixture, Isotropic

__all__ = ["Centers", "image_head", "image_trunk", "vector_trunk"]


class Centers(nn.Module):
    """Hold the variance of the centers, which a schedule may set or training may learn."""

    log_variance: Tensor

    def __init__(self, variance: float, learn_variance: bool) -> None:
        super().__init__()
        _check_variance(variance)
        log_variance = torch.tensor(math.log(variance), dtype=torch.float64)
        if learn_variance:
            self.log_variance = nn.Parameter(log_variance)
        else:
            self.register_buffer("log_variance", log_variance)

    @property
    def variance(self) -> float:
        """Variance of every component, in squared units of x."""
        return math.exp(self.log_variance.item())

    @variance.setter
    def variance(self, variance: float) -> None:
        _check_variance(variance)
        with torch.no_grad():
            self.log_variance.fill_(math.log(variance))

    def _mixture(self, logits: Tensor, centers: Tensor) -> GaussianMixture:
        variance = self.log_variance.exp()
        return GaussianMixture(logits, centers, Isotropic(variance), validate_args=False)


def _check_variance(variance: float) -> None:
    if not 0 < variance < math.inf:
        raise ValueError(f"variance must be positive and finite, got {variance}.")


def vector_trunk(noise_features: int, hidden: Sequence[int]) -> nn.Sequential:
    """Return rectified layers: piecewise linear maps jump between modes within a little noise, smooth ones do not.

    The first layer starts three times as wide as usual, with folds all over the noise.
    """
    widths = (noise_features, *hidden)
    layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
    with torch.no_grad():
        for parameter in layers[0].parameters():
            parameter.mul_(3)
    return nn.Sequential(*(module for layer in layers for module in (layer, nn.ReLU())))


def image_trunk(noise_features: int, hidden: Sequence[int]) -> nn.Sequential:
    """Return normalised, rectified layers of all widths but the last, which is a number of channels."""
    widths = (noise_features, *hidden[:-1])
    return nn.Sequential(*(m for a, b in pairwise(widths) for m in (nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU())))


def image_head(hidden: Sequence[int], shape: Sequence[int], centers: int = 1, slope: float = 1.0) -> nn.Sequential:
    """Return two transposed convolutions that double a feature map each (Radford, Metz & Chintala 2016).

    Several centers share the features at a quarter of the size; each has maps of its own from there on, else they are
    too much alike to part. Pixels are logistic functions of ``slope`` times what the convolutions make.
    """
    (C, H, W), (width, channels) = shape, hidden[-2:]
    h, w = H // 4, W // 4
    maps = centers * max(1, channels // (2 if centers == 1 else 4))
    return nn.Sequential(
        nn.Linear(width, channels * h * w),
        nn.BatchNorm1d(channels * h * w),
        nn.ReLU(),
        nn.Unflatten(1, (channels, h, w)),
        nn.ConvTranspose2d(channels, maps, 4, stride=2, padding=1),
        nn.BatchNorm2d(maps),
        nn.ReLU(),
        nn.ConvTranspose2d(maps, centers * C, 4, stride=2, padding=1, groups=centers),
        _Logistic(slope),
        nn.Flatten(),
    )


class _Logistic(nn.Module):
    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.slope * x)
