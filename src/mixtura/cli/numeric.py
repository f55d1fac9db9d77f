"""The columns of a table that a density is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mixtura.datasets import TableEncoder

if TYPE_CHECKING:
    import polars

__all__ = ["numeric_columns"]

_SAME = 1e-10
"""Share of a column's variance that another may leave unexplained and still be a copy."""


def numeric_columns(frame: polars.DataFrame) -> tuple[NDArray[np.float64], list[str], list[str]]:
    """Return the numbers of the rows that lack none, shape (n, D), the names of the columns, and a sentence about
    everything that was left out.

    Texts and dates are left out, for a density over indicators of texts is none; so are columns with one value, and
    exact copies of earlier columns but for their unit, on which a density has no finite likelihood.

    Raises:
        ValueError: where no column is left, or one holds infinity.
    """
    texts = [c.name for c in TableEncoder.fit(frame).columns if c.median is None]
    notes = [f"Column '{name}' holds texts and is left out: a density is over numbers." for name in texts]
    if len(texts) == frame.width:
        raise ValueError(" ".join(["no column of numbers is left.", *notes]))
    encoder = TableEncoder.fit(frame.drop(texts))
    notes += encoder.notes
    X, shown, flags = encoder.transform(frame), [], []
    for c in encoder.columns:
        shown.append(len(shown) + len(flags))
        flags += [len(shown) + len(flags)] if c.missing else []
    complete = (X[:, flags] == 0).all(1)
    if not complete.all():
        notes.append(f"{(~complete).sum()} of {len(complete)} rows lack a value and are left out.")
    X, names = X[complete][:, shown], [c.name for c in encoder.columns]
    kept: list[int] = []
    for d, name in enumerate(names):
        if len(X) and np.ptp(X[:, d]) == 0:
            notes.append(f"Column '{name}' is left out: it holds {X[0, d]:g} in every row.")
            continue
        original = next((names[k] for k in kept if _is_copy(X[:, d], X[:, k])), None)
        if original is not None:
            notes.append(f"Column '{name}' is left out: it repeats '{original}', maybe in another unit.")
            continue
        kept.append(d)
    if not kept:
        raise ValueError(" ".join(["no column of numbers that differ is left.", *notes]))
    return X[:, kept], [names[d] for d in kept], notes


def _is_copy(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    if len(a) < 3:
        return False
    a, b = a - a.mean(), b - b.mean()
    return bool(1 - (a @ b) ** 2 / ((a @ a) * (b @ b)) < _SAME)
