"""A small classifier whose features and opinions judge generated images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mixtura.training import fit, isolated_seed

__all__ = ["ImageClassifier", "class_histogram", "confidence", "off_uniform"]

_ROWS = 1000
"""Images evaluated at a time."""
_FEATURES = 64


class ImageClassifier:
    """A convolutional network with two stages and one hidden layer of 64 features.

    Args:
        epochs: passes over the training images; 6 over 15,000 images of MNIST take about half a minute on one core.
        seed: of the weights and of the order of training; the same seed gives the same network.

    Example:
        >>> import torch
        >>> images = torch.rand(64, 1, 8, 8) * 0.1
        >>> images[:32, :, :4] += 0.9  # bright above, or bright below
        >>> images[32:, :, 4:] += 0.9
        >>> classifier = ImageClassifier(epochs=20).fit(images, torch.arange(64) // 32)
        >>> classifier.predict_proba(images).argmax(-1).unique_consecutive()
        tensor([0, 1])
        >>> classifier.features(images).shape
        torch.Size([64, 64])
    """

    def __init__(self, epochs: int = 6, seed: int = 0) -> None:
        self.epochs = epochs
        self.seed = seed
        self._network: nn.Sequential | None = None
        self._shape: tuple[int, ...] = ()

    def fit(self, images: Tensor, labels: Tensor) -> ImageClassifier:
        """Train on images and their classes.

        Args:
            images: shape ``(n, C, H, W)`` with H, W >= 4, in any range.
            labels: classes 0, 1, ..., shape ``(n,)``.

        Raises:
            ValueError: where shapes do not fit, a pixel is not finite or a label is negative or no integer.
        """
        if images.dim() != 4 or len(images) == 0 or min(images.shape[2:]) < 4:
            raise ValueError(f"images must have the shape (n, C, H, W) with H, W >= 4, got {tuple(images.shape)}.")
        if labels.shape != (len(images),) or labels.is_floating_point() or int(labels.min()) < 0:
            raise ValueError(f"labels must hold one class 0, 1, ... per image, got shape {tuple(labels.shape)}.")
        self._shape = tuple(images.shape[1:])
        x = self._checked(images)
        with isolated_seed(self.seed, x.device):
            network = _network(self._shape, int(labels.max()) + 1).to(x.device)
        fit(network, _cross_entropy, (x, labels.long()), epochs=self.epochs, batch_size=100, seed=self.seed)
        self._network = network
        return self

    def features(self, images: Tensor) -> Tensor:
        """Return what the hidden layer says, shape ``(n, 64)``, for a Fréchet distance or precision and recall.

        Raises:
            RuntimeError: before :meth:`fit`.
            ValueError: where images have another shape than those of the training or a pixel is not finite.
        """
        return self._evaluate(images, slice(0, -1))

    def predict_proba(self, images: Tensor) -> Tensor:
        """Return the probability of every class, shape ``(n, classes)``.

        Raises:
            RuntimeError: before :meth:`fit`.
            ValueError: where images have another shape than those of the training or a pixel is not finite.
        """
        return self._evaluate(images, slice(None)).softmax(-1)

    def _evaluate(self, images: Tensor, layers: slice) -> Tensor:
        if self._network is None:
            raise RuntimeError("the classifier is not trained yet: call fit(images, labels) first.")
        part = self._network[layers]
        with torch.no_grad():
            return torch.cat([part(rows) for rows in self._checked(images).split(_ROWS)])

    def _checked(self, images: Tensor) -> Tensor:
        if tuple(images.shape[1:]) != self._shape or len(images) == 0:
            raise ValueError(
                f"images must have the shape (n, {', '.join(map(str, self._shape))}), got {tuple(images.shape)}."
            )
        if not bool(torch.isfinite(images).all()):
            raise ValueError("images hold NaN or infinity: remove those.")
        return images.detach().float()


def class_histogram(probabilities: Tensor) -> Tensor:
    """Return the share of the images whose most probable class is k, shape ``(K,)``.

    Example:
        >>> class_histogram(torch.tensor([[0.9, 0.1], [0.6, 0.4]]))
        tensor([1., 0.])
    """
    return torch.bincount(probabilities.argmax(-1), minlength=probabilities.shape[-1]) / len(probabilities)


def confidence(probabilities: Tensor) -> float:
    """Return the mean probability of the most probable class: 1 where every image is clearly of some class.

    Example:
        >>> confidence(torch.tensor([[0.75, 0.25], [0.25, 0.75]]))
        0.75
    """
    return probabilities.double().amax(-1).mean().item()


def off_uniform(histogram: Tensor) -> float:
    """Return how far the worst class is from its even share, ``max_k |K h_k - 1|``: 0.3 is 30 per cent.

    Example:
        >>> round(off_uniform(torch.tensor([0.65, 0.35])), 4)
        0.3
    """
    return (len(histogram) * histogram.double() - 1).abs().amax().item()


def _network(shape: tuple[int, ...], classes: int) -> nn.Sequential:
    C, H, W = shape
    return nn.Sequential(
        nn.Conv2d(C, 16, 3, padding=1),
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.SiLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (H // 4) * (W // 4), _FEATURES),
        nn.SiLU(),
        nn.Linear(_FEATURES, classes),
    )


def _cross_entropy(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])
