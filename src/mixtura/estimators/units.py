"""Rows in units that an autoencoder learns well."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Literal

import numpy as np
from sklearn.preprocessing import StandardScaler

from mixtura.estimators.inputs import Array

__all__ = ["Standardize", "find_units"]

Standardize = bool | Literal["auto"]


def find_units(X: Array, image_shape: Sequence[int] | None, standardize: Standardize) -> tuple[Array, Array]:
    """Return a shift and a positive scale for every column of X, shape (D,): networks see ``(X - shift) / scale``.

    Columns are standardised, or centered and all divided by one number, the root of their mean variance. Pixels lie in
    [0, 1]: where they do not, all are divided by the largest, with a warning.

    Args:
        X: finite numbers, shape (n, D), not all rows the same.
        image_shape: ``(C, H, W)`` where rows are images, else None.
        standardize: whether every column has a scale of its own; ``"auto"`` says no to pixels and yes to others.

    Raises:
        ValueError: where rows do not fit the image, a pixel is negative, or pixels are to be standardised.

    Example:
        >>> import numpy as np
        >>> X = np.array([[0.0, 10.0], [2.0, 30.0]])
        >>> find_units(X, None, standardize=True)
        (array([ 1., 20.]), array([ 1., 10.]))
    """
    D = X.shape[1]
    if standardize not in (True, False, "auto"):
        raise ValueError(f"standardize must be True, False or 'auto', got {standardize!r}.")
    if image_shape is None:
        scaler = StandardScaler(with_std=bool(standardize)).fit(X)
        mean, scale = np.asarray(scaler.mean_), scaler.scale_
        return mean, np.full(D, X.var(0).mean() ** 0.5 or 1.0) if scale is None else np.asarray(scale)
    if standardize is True:
        raise ValueError(
            "pixels share a unit, which standardize=True would undo: leave it 'auto', or omit image_shape."
        )
    if math.prod(image_shape) != D:
        raise ValueError(
            f"images of shape {tuple(image_shape)} have {math.prod(image_shape)} values, but X has {D} columns."
        )
    if X.min() < 0:
        raise ValueError(f"pixels must not be negative, got {X.min():g}: shift them, or omit image_shape.")
    most = float(X.max())
    if most > 1:
        warnings.warn(
            f"pixels reach {most:g}: they were divided by it to lie in [0, 1], and results come back in your units.",
            stacklevel=3,
        )
    return np.zeros(D), np.full(D, max(most, 1.0))
