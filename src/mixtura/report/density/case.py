"""What a report on a density is about."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from mixtura.costs import COSTS
from mixtura.distributions import GaussianMixture
from mixtura.estimators import MixtureDensityEstimator
from mixtura.metrics import precision_recall
from mixtura.report.density.scores import Comparison, DensityScores, baselines
from mixtura.report.scores import Score
from mixtura.report.words import clean
from mixtura.training import isolated_seed

__all__ = ["DensityCase"]

Array = NDArray[np.float64]
_CHUNK = 4096
_SCORED = 2000
"""Test rows at most: the likelihood of more is known well enough."""
_COMPARED = 1000
"""Rows on each side of a comparison: the cost takes a matrix of all pairs."""
_NEIGHBOURS = 5
_SEED = 0


@dataclass(frozen=True)
class DensityCase:
    """A fitted density with its data, its samples and its scores."""

    model: MixtureDensityEstimator
    train: Array
    """Rows that it was fitted on, shape (n, D)."""
    test: Array
    """Rows that it has not seen, shape (m, D)."""
    rows: int
    """Test rows given, of which at most 2,000 at random are scored."""
    names: tuple[str, ...]
    samples: Array
    """Of the density, as many as training rows but at most 2,000, shape (s, D)."""
    centers: Array
    """As many."""
    scores: DensityScores

    @classmethod
    def build(
        cls,
        model: MixtureDensityEstimator,
        train: ArrayLike,
        test: ArrayLike,
        column_names: Sequence[str] | None = None,
    ) -> Self:
        """Sample and score; the arguments are those of :func:`~mixtura.report.density_report`.

        Raises:
            ValueError: where the data do not fit the model or the names.
        """
        D = model.mixture_.event_shape.numel()
        x, held = _rows(train, "train", D), _rows(test, "test", D)
        names = _names(column_names, getattr(model, "feature_names_in_", None), D)
        order = np.random.default_rng(_SEED)
        rows, held = len(held), held[np.sort(order.permutation(len(held))[:_SCORED])]
        seeded = copy(model).set_params(random_state=_SEED)  # the same report is written again
        samples, centers = (np.asarray(draw(_SCORED)) for draw in (seeded.sample, seeded.centers))
        fresh = x[order.permutation(len(x))]
        scores = DensityScores(
            Score("mixture density", _log_prob(model.mixture_, held), (), ()),
            *baselines(x, held),
            _compare("samples of the model", model, held, samples, centers),
            _compare("training rows instead", model, held, fresh, fresh),
        )
        return cls(model, x, held, rows, names, samples, centers, scores)

    @property
    def width(self) -> Array:
        """Standard deviation of the density's components in units of every column, shape (D,)."""
        return self.model.variance_**0.5 * self.model.scale_


def _log_prob(mixture: GaussianMixture, x: Array) -> Array:
    with torch.no_grad():
        return torch.cat([mixture.log_prob(chunk) for chunk in torch.as_tensor(x).split(_CHUNK)]).numpy()


def _compare(name: str, model: MixtureDensityEstimator, test: Array, rows: Array, centers: Array) -> Comparison:
    """Compare the test rows with as many others: their neighbourhoods, and the cost of their centers."""
    n = min(len(test), len(rows), _COMPARED)
    z, other, c = (torch.as_tensor((a[:n] - model.mean_) / model.scale_) for a in (test, rows, centers))
    near = precision_recall(z, other, _NEIGHBOURS) if n > 2 * _NEIGHBOURS else None
    cost: Any = COSTS[model.cost]
    p, q = (GaussianMixture.from_samples(a, model.plan_.annealing.target) for a in (z, c))
    with torch.no_grad(), isolated_seed(_SEED):
        found = cost(p, q)
        limit = found.log_bound
    if limit is None:
        return Comparison(name, None, None, near)
    return Comparison(name, found.gap.item(), limit.item(), near)


def _rows(x: ArrayLike, name: str, D: int) -> Array:
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != D or len(x) == 0 or not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite numbers of shape (n, {D}) with n >= 1, got shape {x.shape}.")
    return x


def _names(given: Sequence[str] | None, seen: Sequence[str] | None, D: int) -> tuple[str, ...]:
    numbered = ["column"] if D == 1 else [f"column {d + 1}" for d in range(D)]
    chosen = given if given is not None else seen if seen is not None else numbered
    if len(chosen) != D:
        raise ValueError(f"column_names has {len(chosen)} names, but there are {D}.")
    return tuple(clean(name) or blank for name, blank in zip(chosen, numbered, strict=True))
