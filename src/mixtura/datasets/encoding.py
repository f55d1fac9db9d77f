"""From the columns of a table to numbers, and the same again for the next table."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars

__all__ = ["TableEncoder", "read_targets"]

Array = NDArray[np.float64]

_CATEGORIES = 20
"""Texts of a column that get an input of their own; rarer ones share all zeros."""
_MOSTLY = 0.95
"""Share of a text column that must read as numbers for the rest to count as missing."""


@dataclass(frozen=True)
class _Column:
    name: str
    median: float | None
    """What stands for a missing number; None for a column of texts."""
    categories: list[str]
    missing: bool
    """Whether an input of its own says that the value is missing."""


@dataclass
class TableEncoder:
    """Turn columns into inputs: numbers as they are, texts one-hot, missing values as the median beside an indicator.

    Columns that tell a model nothing it can use again are left out, and ``notes`` says which and why: dates, texts that
    identify a row, columns without any value.
    """

    columns: list[_Column] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """A sentence about every column that was not taken as it is."""

    @classmethod
    def fit(cls, frame: polars.DataFrame) -> Self:
        """Learn the encoding of every column of ``frame``.

        Raises:
            ValueError: where no column is left.
        """
        self = cls()
        for series in frame:
            column = self._learn(series.fill_nan(None) if series.dtype.is_float() else series)
            self.columns += [] if column is None else [column]
        if not self.columns:
            raise ValueError(" ".join(["no column is left to learn from.", *self.notes]))
        return self

    def _learn(self, series: polars.Series) -> _Column | None:
        name = series.name
        if series.dtype.is_temporal():
            self.notes.append(
                f"Column '{name}' holds dates and is left out: a date never comes again. To use it, add columns that "
                "do, such as the month, the weekday, the day of the year or the time since an event."
            )
            return None
        if series.dtype.is_nested() or str(series.dtype) in ("Object", "Binary"):
            self.notes.append(f"Column '{name}' is left out: it holds {series.dtype}, not numbers or texts.")
            return None
        present = series.drop_nulls()
        if not len(present):
            self.notes.append(f"Column '{name}' is left out: it holds no value at all.")
            return None
        unread = present.filter(_numbers(present).is_null())
        if len(unread) <= (1 - _MOSTLY) * len(present):
            return self._number_column(series, unread)
        return self._text_column(series, present.cast(str))

    def _number_column(self, series: polars.Series, unread: polars.Series) -> _Column:
        if len(unread):
            self.notes.append(
                f"Column '{series.name}': {len(unread)} texts among numbers, such as '{unread[0]}', count as missing."
            )
        numbers = _numbers(series)
        _refuse_infinite(numbers, f"column '{series.name}'")
        median = float(np.median(numbers.drop_nulls().to_numpy()))
        return _Column(series.name, median, [], bool(numbers.null_count()))

    def _text_column(self, series: polars.Series, texts: polars.Series) -> _Column | None:
        counts = texts.alias("text").value_counts(name="rows").sort(["rows", "text"], descending=[True, False])
        if len(counts) > max(_CATEGORIES, 0.5 * len(texts)):
            self.notes.append(
                f"Column '{series.name}' is left out: its {len(counts)} different texts in {len(texts)} rows name rows "
                "rather than describe them."
            )
            return None
        if len(counts) > _CATEGORIES:
            self.notes.append(
                f"Column '{series.name}': only its {_CATEGORIES} most frequent of {len(counts)} texts are told apart."
            )
        return _Column(series.name, None, sorted(counts["text"][:_CATEGORIES]), bool(series.null_count()))

    @property
    def feature_names(self) -> list[str]:
        """Names of the inputs, in their order."""
        names: list[str] = []
        for c in self.columns:
            names += [c.name] if c.median is not None else [f"{c.name} = {text}" for text in c.categories]
            names += [f"{c.name} is missing"] if c.missing else []
        return names

    def transform(self, frame: polars.DataFrame) -> Array:
        """Return the inputs of every row, shape (n, len(feature_names)).

        Raises:
            ValueError: where a column is missing, or holds texts in place of numbers, or infinity.
        """
        absent = [c.name for c in self.columns if c.name not in frame.columns]
        if absent:
            raise ValueError(
                f"the table lacks {len(absent)} of the {len(self.columns)} columns that the model was fitted with: "
                f"{_listed(absent)}. It has: {_listed(frame.columns)}."
            )
        parts: list[Array] = []
        for c in self.columns:
            series = frame[c.name]
            if c.median is not None:
                numbers = _numbers(series)
                if numbers.is_null().all() and series.is_not_null().any():
                    raise ValueError(
                        f"column '{c.name}' held numbers when the model was fitted, but holds {series.dtype} now."
                    )
                _refuse_infinite(numbers, f"column '{c.name}'")
                parts.append(numbers.fill_null(c.median).to_numpy())
                missing = numbers.is_null()
            else:
                texts = series.cast(str)
                parts += [(texts == text).fill_null(False).cast(float).to_numpy() for text in c.categories]
                missing = texts.is_null()
            if c.missing:
                parts.append(missing.cast(float).to_numpy())
        return np.column_stack(parts).astype(np.float64)

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the encoding as JSON can hold it."""
        return [asdict(c) for c in self.columns]

    @classmethod
    def from_dict(cls, state: list[dict[str, Any]]) -> Self:
        """Return the encoder that :meth:`to_dict` described."""
        return cls([_Column(**c) for c in state])


def read_targets(frame: polars.DataFrame, names: list[str]) -> tuple[Array, NDArray[np.bool_]]:
    """Return the targets of the rows that have them all, shape (n, T), and which rows those are.

    Raises:
        ValueError: where a target is not a column, or holds dates, texts or infinity; it names the first bad row.
    """
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise ValueError(f"there is no column {_listed(absent)}; the columns are: {_listed(frame.columns)}.")
    columns = []
    for name in names:
        series = frame[name]
        if series.dtype.is_temporal():
            raise ValueError(f"target '{name}' holds dates: give the time since a fixed date as a number instead.")
        numbers = _numbers(series)
        bad = (numbers.is_null() & series.is_not_null()).arg_true()
        if len(bad):
            raise ValueError(
                f"target '{name}' must hold numbers, but row {bad[0] + 1} holds the text '{series[int(bad[0])]}' "
                "(the first row below the header is row 1)."
            )
        _refuse_infinite(numbers, f"target '{name}'")
        columns.append(numbers.fill_null(np.nan).to_numpy())
    y = np.column_stack(columns)
    complete = np.asarray(~np.isnan(y).any(1))
    return y[complete], complete


def _numbers(series: polars.Series) -> polars.Series:
    """Return the column as floats, missing where a value is no number."""
    if str(series.dtype) in ("String", "Categorical", "Enum"):
        series = series.cast(str).str.strip_chars()
    return series.cast(float, strict=False).fill_nan(None)


def _refuse_infinite(numbers: polars.Series, what: str) -> None:
    bad = numbers.is_infinite().fill_null(False).arg_true()
    if len(bad):
        raise ValueError(f"{what} holds infinity in row {bad[0] + 1}: give a finite number or leave the cell empty.")


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{n}'" for n in names[:30])
    return shown + (f" and {len(names) - 30} more" if len(names) > 30 else "")
