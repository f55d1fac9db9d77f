"""What a report on an autoencoder is about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixtura.estimators import MixtureAutoencoder
from mixtura.report.autoencoder.scores import AutoencoderScores, score

__all__ = ["AutoencoderCase"]

Array = NDArray[np.float64]
_SCORED = 500
"""Test rows at most."""
_DRAWN = 1000
_SEED = 0


@dataclass(frozen=True)
class AutoencoderCase:
    """A fitted autoencoder with its data, its samples and its scores."""

    model: MixtureAutoencoder
    rivals: Mapping[str, MixtureAutoencoder]
    """By name, what it is compared with."""
    train: Array
    """Rows that it was fitted on, shape (n, D)."""
    test: Array
    """Rows that it has not seen, 500 at most at random, shape (m, D)."""
    rows: int
    """Test rows given."""
    image_shape: tuple[int, ...] | None
    """``(C, H, W)`` where a row is a picture."""
    classes: Array | None
    """Of the test rows, shape (m,); where there are any."""
    samples: Array
    """Of the model, shape (1,000, D)."""
    scores: AutoencoderScores

    @classmethod
    def build(
        cls,
        model: MixtureAutoencoder,
        train: ArrayLike,
        test: ArrayLike,
        rivals: Mapping[str, MixtureAutoencoder],
        image_shape: Sequence[int] | None,
        classes: ArrayLike | None,
    ) -> Self:
        """Sample and score; the arguments are those of :func:`~mixtura.report.autoencoder_report`.

        Raises:
            ValueError: where the data do not fit the models, or each other.
        """
        D, given = model.n_features_in_, image_shape if image_shape is not None else model.image_shape
        x, held = _rows(train, "train", D), _rows(test, "test", D)
        if given is not None and (len(given) != 3 or math.prod(given) != D):
            raise ValueError(f"image_shape must be (C, H, W) with a product of {D}, got {tuple(given)}.")
        labels = None if classes is None else np.asarray(classes)
        if labels is not None and labels.shape != held.shape[:1]:
            raise ValueError(f"classes must have the shape ({len(held)},) of the test rows, got {labels.shape}.")
        for name, rival in rivals.items():
            if rival.scale_.shape != model.scale_.shape or not np.allclose(rival.scale_, model.scale_, rtol=1e-3):
                raise ValueError(f"“{name}” sees X in other units than the model: fit both on the same rows.")
        chosen = np.sort(np.random.default_rng(_SEED).permutation(len(held))[:_SCORED])
        v = model.plan_.annealing.target
        first, *others = (
            score(name, m, v, x, held[chosen]) for name, m in {"mixture autoencoder": model, **rivals}.items()
        )
        return cls(
            model,
            rivals,
            x,
            held[chosen],
            len(held),
            None if given is None else tuple(given),
            None if labels is None else labels[chosen],
            copy(model).set_params(random_state=_SEED).sample(_DRAWN),
            AutoencoderScores(first, tuple(others)),
        )


def _rows(x: ArrayLike, name: str, D: int) -> Array:
    x = np.asarray(x, dtype=np.float64)
    x = x.reshape(len(x), -1) if x.ndim == 4 else x
    if x.ndim != 2 or x.shape[1] != D or len(x) < 2 or not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite numbers of shape (n, {D}) with n >= 2, got shape {x.shape}.")
    return x
