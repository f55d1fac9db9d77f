"""Images of digits for the experiments: MNIST or scikit-learn's, a generator for them, and what judges it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from mixtura.datasets.images import read_idx_images
from mixtura.experiments.classifier import ImageClassifier, class_histogram, confidence, off_uniform
from mixtura.experiments.record import Cell, Options, Sheet
from mixtura.metrics import diversity, frechet_distance
from mixtura.nn import MixtureGenerator
from mixtura.training import GeneratorPlan, fit_generator, isolated_seed, plan_generator

__all__ = [
    "QUALITIES",
    "Digits",
    "Quality",
    "center_images",
    "generator_for",
    "learn_images",
    "plan_for",
    "read_digits",
    "read_mnist",
    "sheet",
    "small_digits",
]

_JUDGED = 15_000
"""Images that the classifier is trained on."""
_TRAINED = 20_000
"""Images that generators are trained on: a pass over them is short, so that few steps are possible."""
_CHUNK = 1000


@dataclass(frozen=True)
class Quality:
    """What a classifier says about images."""

    frechet: float
    """Distance of its features of them from those of the test images."""
    off: float
    """How far the worst class is from its even share."""
    confidence: float
    """Mean probability of the most probable class."""
    diversity: float
    """Mean distance of two of them, in pixels."""

    def cells(self) -> list[Cell]:
        """Return the numbers for a row of a table, under :data:`QUALITIES`."""
        return [self.frechet, self.off, self.confidence, self.diversity]


QUALITIES = ("Fréchet", "off uniform", "confidence", "diversity")
"""Headings of the numbers of a :class:`Quality`."""


@dataclass(frozen=True)
class Digits:
    """Hold images with values in [0, 1] and a trained classifier that judges others."""

    name: str
    train: Tensor
    """Images for generators, shape ``(N, 1, H, W)``."""
    test: Tensor
    """Images whose features are compared with."""
    others: Tensor
    """As many real images as there are generated ones, for the floor of every number."""
    classifier: ImageClassifier
    accuracy: float
    """Of the classifier on the test images."""

    @property
    def rows(self) -> Tensor:
        """The training images as vectors."""
        return self.train.flatten(1)

    @property
    def total_variance(self) -> float:
        """Sum of the variances of all pixels."""
        return self.rows.double().var(0).sum().item()

    def judge(self, images: Tensor) -> Quality:
        """Return what the classifier says about images, shape ``(n, 1, H, W)``."""
        p = self.classifier.predict_proba(images)
        distance = frechet_distance(self.classifier.features(images), self.classifier.features(self.test))
        return Quality(distance, off_uniform(class_histogram(p)), confidence(p), diversity(images.flatten(1), 2000))

    def settings(self) -> dict[str, str | float]:
        """Return what a record says about the images and their judge."""
        return {
            "images": self.name,
            "training images": f"{len(self.train):,}; total variance of the pixels {self.total_variance:.3g}",
            "judge": f"64 features of a classifier trained here, {self.accuracy:.1%} right on {len(self.test):,} test "
            f"images; Fréchet distance from these of {len(self.others):,} centers, without the noise of the components",
        }


def read_digits(options: Options) -> Digits:
    """Return MNIST from the folder of the options, or scikit-learn's digits where there is none.

    Raises:
        FileNotFoundError: where the folder lacks a file of MNIST.
    """
    if options.data is None:
        options.say("No folder of images is given (--data or MIXTURA_DATA): scikit-learn's digits, 8 x 8, are used.")
        return _small_digits(20 if options.quick else 40)
    x, y = _shuffled(*read_mnist(options.data, "train"))
    test, test_labels = read_mnist(options.data, "t10k")
    judged = 3000 if options.quick else _JUDGED
    classifier = ImageClassifier(epochs=2 if options.quick else 6).fit(x[:judged], y[:judged])
    n = 1000 if options.quick else len(test)
    return _digits("MNIST, 28 x 28", x[:_TRAINED], test[:n], test_labels[:n], x[_TRAINED : _TRAINED + n], classifier)


def generator_for(digits: Digits, seed: int) -> MixtureGenerator:
    """Return the same convolutional network for every cost, started from the seed."""
    with isolated_seed(seed, digits.train.device):
        return MixtureGenerator(digits.train.shape[1:], noise_features=64, hidden=(256, 32))


def plan_for(digits: Digits, batch_size: int) -> GeneratorPlan:
    """Return the plan that every run starts from: only its cost, reading and last variance are to be replaced.

    Every cost sees as many rows as centers in a step; read as samples, both are two halves.
    """
    plan = plan_generator(digits.rows, batch_size=batch_size, variance=0.1 * digits.total_variance)
    return replace(plan, centers=plan.batch_size)


def learn_images(
    digits: Digits, plan: GeneratorPlan, *, steps: int, learning_rate: float, seed: int
) -> tuple[Tensor, float]:
    """Return images of a generator that was trained by a plan, and the seconds that it took."""
    generator = generator_for(digits, seed)
    start = time.process_time()
    fit_generator(generator, digits.rows, plan, steps=steps, learning_rate=learning_rate, seed=seed)
    seconds = time.process_time() - start
    return center_images(generator, digits, seed), seconds


def center_images(generator: MixtureGenerator, digits: Digits, seed: int) -> Tensor:
    """Return as many centers as there are other real images, as images."""
    n = len(digits.others)
    with torch.no_grad(), isolated_seed(seed + 10_000, digits.train.device):
        parts = [generator(min(_CHUNK, n - i)).loc for i in range(0, n, _CHUNK)]
    return torch.cat(parts).reshape(n, *digits.train.shape[1:])


def sheet(title: str, images: Tensor, side: int = 16) -> Sheet:
    """Return the first ``side²`` images as a square."""
    return Sheet(title, images[: side * side, 0].numpy(), columns=side)


def small_digits() -> tuple[Tensor, Tensor]:
    """Return scikit-learn's 1,797 digits in random order, shape ``(n, 1, 8, 8)`` in [0, 1], and their classes."""
    pixels, labels = load_digits(return_X_y=True)
    return _shuffled(torch.as_tensor(pixels).float().div(16).reshape(-1, 1, 8, 8), torch.as_tensor(labels))


def read_mnist(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    """Return the images of a part of MNIST, ``"train"`` or ``"t10k"``, and their classes.

    Raises:
        FileNotFoundError: where the folder lacks its files.
    """
    names = (f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte")
    images, labels = (_find(folder, name) for name in names)
    x, y = read_idx_images(images, labels)
    assert y is not None
    return x, y


def _small_digits(epochs: int) -> Digits:
    x, y = small_digits()
    classifier = ImageClassifier(epochs).fit(x[:1000], y[:1000])
    return _digits("scikit-learn's digits, 8 x 8", x[:1000], x[1000:1400], y[1000:1400], x[1397:], classifier)


def _shuffled(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows in random order: MNIST alternates between two sources, and halves of a batch must be alike."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return x[order], y[order]


def _digits(
    name: str, train: Tensor, test: Tensor, labels: Tensor, others: Tensor, classifier: ImageClassifier
) -> Digits:
    right = (classifier.predict_proba(test).argmax(-1) == labels).double().mean().item()
    return Digits(name, train, test, others, classifier, right)


def _find(folder: Path, name: str) -> Path:
    found: Sequence[Path] = sorted(folder.glob(f"*{name}*")) if folder.is_dir() else ()
    if not found:
        raise FileNotFoundError(
            f"{folder} holds no file {name} of MNIST, plain or gzipped: name its folder by --data or MIXTURA_DATA, or "
            "neither, and scikit-learn's digits are used."
        )
    return found[0]
