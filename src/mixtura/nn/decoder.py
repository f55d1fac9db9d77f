"""The mixture decoder: one code, many answers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mixtura.distributions import GaussianMixture
from mixtura.nn.centers import Centers, image_head, vector_trunk

__all__ = ["MixtureDecoder", "image_shape", "with_classes"]

_SLOPE = 4.0
"""Of the logistic function of pixels: a slope of one at the middle, so that images learn as fast as vectors."""


class MixtureDecoder(Centers):
    """Map a code y to the mixture q(x|y) of many centers: what a small code leaves open, it lists.

    Without noise the last layer emits all K centers of a code at once, and their weights. With noise every center is
    made of the code and a draw of standard normal noise of its own: any number of centers, that weigh alike. One
    center and no noise is the decoder of a standard autoencoder.

    Convolutions learn slower than their weights: a center that is a little better than the others would take all
    weight before they part. So the logits of images' weights are those of a layer over the root of its width.

    Args:
        code_features: number of dimensions of y.
        out_features: number of dimensions D of x, or the shape ``(C, H, W)`` of images with values in [0, 1], H and W
            multiples of four, which convolutions make and the mixture holds as vectors of ``C·H·W``.
        centers: number of centers K of a code.
        hidden: widths of the layers; for images the last one is the number of channels at a quarter of the size.
        noise_features: number of dimensions of the noise; 0 for none.
        classes: number of classes that the decoder is told besides the code; 0 for none.
        variance: of every component, in squared units of x.

    Raises:
        ValueError: where a size or the variance is not positive.

    Example:
        >>> import torch, mixtura as mx
        >>> mx.nn.MixtureDecoder(code_features=1, out_features=2, centers=5)(torch.zeros(100, 1))
        GaussianMixture(batch_shape=(100,), event_shape=(2,), components=5, covariance=Isotropic)
    """

    def __init__(
        self,
        code_features: int,
        out_features: int | Sequence[int],
        centers: int = 10,
        hidden: Sequence[int] = (128, 128),
        noise_features: int = 0,
        classes: int = 0,
        variance: float = 1.0,
    ) -> None:
        super().__init__(variance, learn_variance=False)
        self.shape = image_shape(out_features, hidden, "out_features")
        if min(code_features, centers) < 1 or min(noise_features, classes) < 0:
            raise ValueError(
                "code_features and centers must be positive, noise_features and classes not negative; "
                f"got {code_features}, {centers}, {noise_features} and {classes}."
            )
        self.code_features, self.centers, self.noise_features, self.classes = (
            code_features,
            centers,
            noise_features,
            classes,
        )
        inputs, outputs = code_features + classes + noise_features, 1 if noise_features else centers
        if len(self.shape) == 1:
            width, self.weight_speed = hidden[-1], 1.0
            self.trunk, self.head = vector_trunk(inputs, hidden), nn.Linear(width, outputs * self.shape[0])
        else:
            width, self.weight_speed = hidden[-2], hidden[-2] ** -0.5
            self.trunk, self.head = vector_trunk(inputs, hidden[:-1]), image_head(hidden, self.shape, outputs, _SLOPE)
        self.weight_head = nn.Linear(width, outputs) if outputs > 1 else None

    def forward(self, code: Tensor, labels: Tensor | None = None, centers: int | None = None) -> GaussianMixture:
        """Return q(x|y), batch shape ``(B,)``.

        Args:
            code: y, shape ``(B, code_features)``.
            labels: classes, whole numbers of shape ``(B,)``; where the decoder has classes.
            centers: in place of K, where there is noise.

        Raises:
            ValueError: where labels are missing, or there are any without classes; where another number of centers is
                asked of a decoder without noise.
        """
        K = self.centers if centers is None else centers
        if K < 1 or (self.centers != K and not self.noise_features):
            raise ValueError(
                f"a decoder without noise has {self.centers} centers, got {K}: give it noise_features to choose."
            )
        B, D = len(code), math.prod(self.shape)
        inputs = with_classes(code, labels, self.classes)
        if self.noise_features:
            noise = torch.randn(B, K, self.noise_features, dtype=code.dtype, device=code.device)
            inputs = torch.cat([inputs.unsqueeze(1).expand(B, K, -1), noise], -1).flatten(0, 1)
        h = self.trunk(inputs)
        logits = h.new_zeros(B, K) if self.weight_head is None else self.weight_speed * self.weight_head(h)
        return self._mixture(logits, self.head(h).reshape(B, K, D))


def image_shape(features: int | Sequence[int], hidden: Sequence[int], name: str) -> tuple[int, ...]:
    """Return ``(D,)`` of vectors or ``(C, H, W)`` of images, checked with the widths of the layers."""
    shape = (features,) if isinstance(features, int) else tuple(features)
    if len(shape) not in (1, 3) or not hidden or min(*shape, *hidden) < 1:
        raise ValueError(
            f"{name} must be a number or (C, H, W), hidden name at least one width, and all be positive; "
            f"got {features} and {tuple(hidden)}."
        )
    if len(shape) == 3 and (shape[1] % 4 or shape[2] % 4 or len(hidden) < 2):
        raise ValueError(
            "images need H and W that are multiples of 4, and hidden a width and a number of channels; "
            f"got {shape} and {tuple(hidden)}: pad the images, or use vectors."
        )
    return shape


def with_classes(h: Tensor, labels: Tensor | None, classes: int) -> Tensor:
    """Return features with a one-hot class beside them.

    Raises:
        ValueError: where labels are missing, out of range, or not wanted.
    """
    if (labels is None) != (classes == 0):
        given = "no labels were given" if labels is None else "labels were given"
        raise ValueError(f"the network has {classes} classes, but {given}.")
    if labels is None:
        return h
    if (
        labels.is_floating_point()
        or labels.shape != h.shape[:1]
        or not bool(((labels >= 0) & (labels < classes)).all())
    ):
        raise ValueError(
            f"labels must be whole numbers from 0 to {classes - 1}, one for each of {len(h)} rows, "
            f"got {labels.dtype} of shape {tuple(labels.shape)}."
        )
    return torch.cat([h, nn.functional.one_hot(labels.long(), classes).to(h)], -1)
