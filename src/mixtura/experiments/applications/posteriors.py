"""How good the answers of a model of an inverse problem are, by the two measures of the literature."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura.estimators import MixtureDensityRegressor
from mixtura.metrics import rational_quadratic_mmd, resimulation_error

__all__ = ["PosteriorErrors", "posterior_errors", "sampling_seconds"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PosteriorErrors:
    """Means over observations."""

    posterior: float
    """Unbiased MMD² between samples of the model and of the exact posterior."""
    standard_error: float
    """Of ``posterior``, over the observations."""
    resimulation: float
    """Mean squared distance between an observation and what the samples lead to, in its squared units."""
    observations: int
    """How many had an exact posterior to compare with."""


def posterior_errors(
    samples: Sequence[Array], exact: Sequence[Array], forward: Callable[[Array], Array], y: Array
) -> PosteriorErrors:
    """Return the errors of samples, those of the i-th observation of shape ``(n_i, D)``, against exact ones.

    Observations of which either has fewer than two are left out. Where the model's samples lead nowhere (NaN), they
    count in the first measure only.
    """
    errors, misses = [], []
    for a, b, target in zip(samples, exact, y, strict=True):
        if min(len(a), len(b)) < 2:
            continue
        errors.append(float(rational_quadratic_mmd(torch.as_tensor(a), torch.as_tensor(b))))
        outcomes = forward(a)
        outcomes = outcomes[np.isfinite(outcomes).all(-1)]
        if len(outcomes):
            misses.append(float(resimulation_error(torch.as_tensor(outcomes), torch.as_tensor(target))))
    n = len(errors)
    spread = float(np.std(errors)) / math.sqrt(n)
    return PosteriorErrors(float(np.mean(errors)), spread, float(np.mean(misses)), n)


def sampling_seconds(model: MixtureDensityRegressor, y: Array, n: int) -> float:
    """Return the seconds that n answers for every row of y take."""
    start = time.perf_counter()
    model.sample(y, n)
    return time.perf_counter() - start
