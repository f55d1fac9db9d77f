"""What an experiment finds: settings, sentences, tables and pictures, before they become a page or a JSON file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

__all__ = ["Cell", "Curves", "Options", "Paths", "Picture", "Record", "Scatter", "Sheet", "Strokes", "Table"]

Cell = str | int | float | None


@dataclass(frozen=True)
class Options:
    """What every experiment is told."""

    seeds: Sequence[int] = (0,)
    """One run for each."""
    quick: bool = False
    """A small part of the work: shows that it runs, not what it finds."""
    data: Path | None = None
    """Folder of real data, for the experiments that need some."""
    say: Callable[[str], None] = print
    """Called with a line on every step of the work."""


@dataclass(frozen=True)
class Table:
    """Rows of words and numbers; numbers are rounded where they are shown, not here."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True)
class Scatter:
    """Points in the plane, over those of the data."""

    title: str
    points: NDArray[Any]
    reference: NDArray[Any] | None = None


@dataclass(frozen=True)
class Curves:
    """Lines over a common axis; NaN leaves a gap."""

    title: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float]]
    x_label: str = ""
    y_label: str = ""
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Sheet:
    """Grey or colour images, shape (n, H, W) or (n, H, W, 3) in [0, 1], in rows of ``columns``."""

    title: str
    images: NDArray[Any]
    columns: int = 16


@dataclass(frozen=True)
class Paths:
    """Broken lines in the plane that should end at a point, in a frame that panels may share."""

    title: str
    paths: NDArray[Any]
    """Corners, shape (n, P, 2)."""
    target: NDArray[Any]
    """Where they should end, shape (2,)."""
    frame: NDArray[Any]
    """Lower left and upper right corner of what is shown, shape (2, 2)."""
    values: NDArray[Any] | None = None
    """Of each path, shape (n,): the larger, the darker, and the later drawn."""


@dataclass(frozen=True)
class Strokes:
    """Drawings of a pen, each as large as its cell, in rows of ``columns``."""

    title: str
    drawings: Sequence[NDArray[Any]]
    """dx, dy (downwards) and whether the pen leaves the paper after the point, shape (n, 3) each."""
    columns: int = 8
    aspect: float = 1.0
    """Width of a cell over its height."""
    labels: Sequence[str] = ()
    """What is written above each drawing, or nothing."""


@dataclass(frozen=True)
class Picture:
    """Panels beside each other, with what they show."""

    caption: str
    panels: Sequence[Scatter | Curves | Sheet | Paths | Strokes]
    columns: int = 3


@dataclass(frozen=True)
class Record:
    """The result of an experiment."""

    name: str
    title: str
    question: str
    """What is asked, and whose claim it is, in a few sentences."""
    settings: Mapping[str, Any]
    """Data, seeds, steps and whatever else one needs to run it again."""
    findings: Sequence[str]
    """What was measured, in sentences with numbers."""
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = field(default=(), repr=False)
    animation: Strokes | None = field(default=None, repr=False)
    """Drawings that shall be seen while they are drawn."""

    def to_json(self) -> dict[str, Any]:
        """Return all but the points and images, as what JSON can hold."""
        curves = [p for picture in self.pictures for p in picture.panels if isinstance(p, Curves)]
        return {
            "name": self.name,
            "title": self.title,
            "settings": dict(self.settings),
            "findings": list(self.findings),
            "tables": [
                {"title": t.title, "columns": list(t.columns), "rows": [list(r) for r in t.rows]} for t in self.tables
            ],
            "curves": [
                {"title": c.title, "x": list(c.x), "lines": {k: [_number(y) for y in v] for k, v in c.lines.items()}}
                for c in curves
            ],
        }


def _number(y: float) -> float | None:
    """Return None for NaN, which JSON does not know."""
    return None if math.isnan(y) else y
