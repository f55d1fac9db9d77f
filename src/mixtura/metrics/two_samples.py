"""Whether a classifier can tell two sets of samples apart."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from mixtura.metrics.features import as_pair

__all__ = ["TwoSampleTest", "classifier_two_sample_test"]


@dataclass(frozen=True)
class TwoSampleTest:
    """How well a classifier tells two sets of samples apart."""

    accuracy: float
    """Share of the samples whose set it names rightly, each judged by a classifier that has not seen it: 0.5 where the
    sets are alike, 1 where they are apart."""
    standard_error: float
    """Of ``accuracy`` where the sets are alike, ``½ / sqrt(2N)``."""


def classifier_two_sample_test(a: Tensor, b: Tensor, seed: int = 0, folds: int = 5) -> TwoSampleTest:
    """Return the accuracy of a classifier between two sets of samples (C2ST), by cross-validation.

    The classifier is a perceptron of two hidden layers of 10 D units (scikit-learn's: ReLU, Adam, up to 1,000 epochs).
    It sees samples in units of the standard deviation of a around its mean, in shuffled folds. This is the definition
    of the benchmark below, so its numbers can be compared. No classifier exceeds ``½ + ½ TV(a, b)`` in expectation, TV
    the total variation distance; one that learns badly says 0.5 of anything.

    Args:
        a: samples of the reference, shape ``(N, D)``.
        b: as many others, shape ``(N, D)``.
        seed: of the folds and the classifiers.
        folds: of the cross-validation.

    Raises:
        ValueError: where shapes differ, a value is not finite, or there are fewer samples than folds.

    Source:
        Lopez-Paz & Oquab 2017, "Revisiting classifier two-sample tests"; Lueckmann et al. 2021, "Benchmarking
        simulation-based inference".

    Example:
        >>> import torch
        >>> a = torch.randn(20, 1, generator=torch.Generator().manual_seed(0))
        >>> classifier_two_sample_test(a, a + 30, folds=2).accuracy
        1.0
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import KFold, cross_val_predict  # the time that both take is for those who ask
    from sklearn.neural_network import MLPClassifier

    x, y = as_pair(a, b, ("a", "b"), least=max(2, folds))
    if len(x) != len(y):
        raise ValueError(f"a and b must have as many samples, or 0.5 is not chance, got {len(x)} and {len(y)}.")
    scale = x.std(0)
    both = (torch.cat([x, y]) - x.mean(0)) / torch.where(scale > 0, scale, torch.ones_like(scale))
    label = (torch.arange(len(both)) >= len(x)).numpy()
    hidden = (10 * x.shape[1],) * 2
    network = MLPClassifier(hidden, max_iter=1000, random_state=seed)
    splits = KFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # where the sets are alike, nothing is there to converge to
        guess = cross_val_predict(network, both.cpu().numpy(), label, cv=splits)
    return TwoSampleTest(float((guess == label).mean()), 0.5 / math.sqrt(len(both)))
