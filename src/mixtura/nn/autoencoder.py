"""The encoder-mixture-decoder: an autoencoder that answers a code with a mixture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from mixtura.distributions import GaussianMixture
from mixtura.nn.decoder import MixtureDecoder, image_shape, with_classes

__all__ = ["EncoderMixtureDecoder"]


class EncoderMixtureDecoder(nn.Module):
    r"""Map x to a code ``y = e(x) + √v_Y ε`` and the code to the mixture q(x|y) of everything that it may stand for.

    A code that is smaller than the data, or noisy, stands for many x. A standard autoencoder answers with their mean,
    the :class:`MixtureDecoder` with K centers and their weights; ``centers=1`` *is* the standard autoencoder. Codes
    have mean zero and variance one over a batch while training and over the data afterwards (a batch normalisation
    without weights), so that the variance v_Y of their noise means something.

    Args:
        in_features: number of dimensions D of x, or the shape ``(C, H, W)`` of images with values in [0, 1], H and W
            multiples of four.
        code_features: number of dimensions of y, not more than D.
        centers: number of centers K of a code.
        hidden: widths of the encoder's layers, and in reverse of the decoder's; for images the last number is of
            channels at a quarter of the size, in both.
        code_variance: v_Y.
        noise_features: as in :class:`MixtureDecoder`.
        classes: number of classes that encoder and decoder are told; 0 for none.
        variance: of every component, in squared units of x.

    Raises:
        ValueError: where a size or a variance is out of range, or the code is wider than the data.

    Source:
        Contrastive entropy bounds for density and conditional density decomposition (arXiv:2511.12903),
        encoder-mixture-decoder.

    Example:
        >>> import torch, mixtura as mx
        >>> emd = mx.nn.EncoderMixtureDecoder(in_features=2, code_features=1, centers=10)
        >>> x = torch.randn(100, 2)
        >>> emd.encode(x).shape
        torch.Size([100, 1])
        >>> emd(x)
        GaussianMixture(batch_shape=(100,), event_shape=(2,), components=10, covariance=Isotropic)
    """

    def __init__(
        self,
        in_features: int | Sequence[int],
        code_features: int = 1,
        centers: int = 10,
        hidden: Sequence[int] = (128, 128),
        code_variance: float = 0.01,
        noise_features: int = 0,
        classes: int = 0,
        variance: float = 1.0,
    ) -> None:
        super().__init__()
        self.shape = image_shape(in_features, hidden, "in_features")
        if code_features > math.prod(self.shape):
            raise ValueError(
                f"the code is wider than the data: code_features = {code_features}, in_features = {in_features}."
            )
        if not 0 < code_variance < math.inf:
            raise ValueError(f"code_variance must be positive and finite, got {code_variance}.")
        widths = hidden[::-1] if len(self.shape) == 1 else hidden
        self.decoder = MixtureDecoder(
            code_features,
            in_features,
            centers,
            widths,
            noise_features=noise_features,
            classes=classes,
            variance=variance,
        )
        self.code_features, self.code_variance, self.classes = code_features, code_variance, classes
        if len(self.shape) == 1:
            self.convolutions, layers = nn.Identity(), (self.shape[0] + classes, *hidden)
        else:
            C, H, W = self.shape
            self.convolutions = _convolutions(C, hidden[-1])
            layers = (hidden[-1] * H * W // 16 + classes, *hidden[-2::-1])
        self.encoder = nn.Sequential(
            *(m for a, b in pairwise(layers) for m in (nn.Linear(a, b), nn.ReLU())),
            nn.Linear(layers[-1], code_features),
            nn.BatchNorm1d(code_features, affine=False),
        )

    @property
    def variance(self) -> float:
        """Variance of every component, in squared units of x."""
        return self.decoder.variance

    @variance.setter
    def variance(self, variance: float) -> None:
        self.decoder.variance = variance

    def encode(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the codes e(x) without noise, shape ``(B, code_features)``.

        Args:
            x: shape ``(B, D)``, or ``(B, C, H, W)``.
            labels: classes, whole numbers of shape ``(B,)``; where there are classes.

        Raises:
            ValueError: where the shape of x does not fit, labels are missing or not wanted, or a network in training
                gets a single row, over which no code can be normalised.
        """
        D = math.prod(self.shape)
        if x.dim() < 2 or math.prod(x.shape[1:]) != D:
            raise ValueError(f"x must have the shape (B, {D}){_or_images(self.shape)}, got {tuple(x.shape)}.")
        if self.training and len(x) < 2:
            raise ValueError(
                f"codes are normalised over a batch while training, got {len(x)} row: use more, or call eval()."
            )
        h = self.convolutions(x.reshape(len(x), *self.shape))
        return self.encoder(with_classes(h, labels, self.classes))

    def decode(self, code: Tensor, labels: Tensor | None = None, centers: int | None = None) -> GaussianMixture:
        """Return q(x|y) for codes y of shape ``(B, code_features)``, as :class:`MixtureDecoder` does."""
        return self.decoder(code, labels, centers)

    def add_noise(self, code: Tensor) -> Tensor:
        """Return ``y + √v_Y ε`` with noise that torch's generator draws."""
        return code + self.code_variance**0.5 * torch.randn_like(code)

    def forward(self, x: Tensor, labels: Tensor | None = None, noise: bool | None = None) -> GaussianMixture:
        """Return q(x|y) at the codes of x, batch shape ``(B,)``.

        Args:
            x: shape ``(B, D)``, or ``(B, C, H, W)``.
            labels: classes, whole numbers of shape ``(B,)``; where there are classes.
            noise: whether codes get noise; None gives it to them while training.
        """
        code = self.encode(x, labels)
        return self.decode(self.add_noise(code) if (self.training if noise is None else noise) else code, labels)


def _convolutions(C: int, channels: int) -> nn.Sequential:
    """Return two convolutions that halve an image each, the mirror of the decoder's (Radford, Metz & Chintala 2016)."""
    half = max(1, channels // 2)
    return nn.Sequential(
        nn.Conv2d(C, half, 4, stride=2, padding=1),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        nn.Conv2d(half, channels, 4, stride=2, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Flatten(),
    )


def _or_images(shape: Sequence[int]) -> str:
    return "" if len(shape) == 1 else f" or (B, {', '.join(map(str, shape))})"
