"""Readers of handwriting as pen strokes: npz files of offsets, and the XML and text of IAM-OnDB."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_iam_strokes", "read_iam_text", "read_strokes", "scale_strokes", "stroke_lines", "stroke_scale"]

Strokes = NDArray[np.float32]
"""Offset from the point before and whether the pen leaves the paper after the point: (dx, dy, pen up), shape (n, 3)."""


def read_strokes(path: str | Path, split: str = "train") -> list[Strokes]:
    """Read the drawings of one split of an npz file of strokes.

    The file holds the arrays ``{split}_points`` of shape ``(N, 3)``, all drawings one after another, and
    ``{split}_offsets``: drawing i is ``points[offsets[i]:offsets[i + 1]]``.

    Args:
        path: such as ``strokes_omniglot.npz``.
        split: such as ``"train"``, ``"valid"`` or ``"test"``.

    Returns:
        A float32 array of shape ``(n, 3)`` per drawing: dx and dy in the units of the file, then 1 where the pen is up
        after the point and 0 where it stays down.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is no npz file, lacks the split, or a drawing is malformed; it names the drawing.

    Source:
        Ha & Eck 2018, "A neural representation of sketch drawings" (format of a point).
    """
    names = (f"{split}_points", f"{split}_offsets")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in names if name in file]
            held = file.files
    except (zipfile.BadZipFile, zlib.error, EOFError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not an npz file of numbers, or a broken one.") from error
    if len(arrays) < 2:
        raise ValueError(f"{path} has no arrays {names[0]} and {names[1]}; it holds: {', '.join(held)}.")
    points, offsets = arrays
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind not in "iuf":
        raise ValueError(f"{names[0]} of {path} must be numbers of shape (N, 3), got {points.dtype} {points.shape}.")
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(offsets) < 2:
        raise ValueError(f"{names[1]} of {path} must be at least two integers, got {offsets.dtype} {offsets.shape}.")
    if offsets[0] != 0 or offsets[-1] != len(points):
        raise ValueError(
            f"{names[1]} of {path} must lead from 0 to the {len(points)} points, but leads from {offsets[0]} to "
            f"{offsets[-1]}."
        )
    bounds = offsets.tolist()
    empty = np.flatnonzero(np.diff(offsets.astype(np.int64)) <= 0)
    if len(empty):
        raise ValueError(f"drawing {empty[0]} of {split} in {path} has no point, or ends before it begins.")
    return [_checked(points[a:b], f"drawing {i} of {split} in {path}") for i, (a, b) in enumerate(pairwise(bounds))]


def stroke_scale(strokes: Sequence[Strokes]) -> NDArray[np.float64]:
    """Return the standard deviations of dx and dy over all points of some drawings, shape ``(2,)``.

    Raises:
        ValueError: where there is no drawing, or one of the two never changes.

    Example:
        >>> stroke_scale([np.array([[1.0, 2.0, 0.0], [-1.0, -2.0, 1.0]], np.float32)])
        array([1., 2.])
    """
    if not len(strokes):
        raise ValueError("there is no drawing to take the scale from.")
    scale = np.concatenate([s[:, :2] for s in strokes]).std(0, dtype=np.float64)
    if not (scale > 0).all():
        raise ValueError(f"dx or dy is the same in all points: their standard deviations are {scale.tolist()}.")
    return scale


def scale_strokes(strokes: Sequence[Strokes], scale: Sequence[float] | NDArray[np.float64]) -> list[Strokes]:
    """Return drawings with dx and dy divided by a scale, that of the training drawings, for all splits alike.

    Example:
        >>> scale_strokes([np.array([[3.0, 4.0, 1.0]], np.float32)], [1.5, 2.0])[0].tolist()
        [[2.0, 2.0, 1.0]]
    """
    divisor = np.array([*scale, 1.0], np.float32)
    return [s / divisor for s in strokes]


def stroke_lines(strokes: Strokes) -> list[NDArray[np.float64]]:
    """Return what the pen draws: the corners of each stroke, shape ``(k, 2)``, y downwards.

    Example:
        >>> [line.tolist() for line in stroke_lines(np.array([[1, 0, 0], [1, 1, 1], [0, 2, 1]], np.float32))]
        [[[1.0, 0.0], [2.0, 1.0]], [[2.0, 3.0]]]
    """
    position = np.cumsum(strokes[:, :2], axis=0, dtype=np.float64)
    return [line for line in np.split(position, np.flatnonzero(strokes[:, 2]) + 1) if len(line)]


def read_iam_strokes(path: str | Path) -> Strokes:
    """Read the line of handwriting in an XML file of IAM-OnDB, such as ``lineStrokes/a01/a01-000/a01-000u-01.xml``.

    The file is ``WhiteboardCaptureSession`` / ``StrokeSet`` / ``Stroke`` / ``Point`` with x and y. The offset of the
    first point is (0, 0); the pen is up after the last point of every stroke. y grows downwards, as on the whiteboard.

    Returns:
        Offsets and pen, float32 of shape ``(n, 3)``, as of :func:`read_strokes`.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is no XML, has no strokes, or a point lacks a number; it names the stroke and the point.

    Source:
        Liwicki & Bunke 2005, "IAM-OnDB, an on-line English sentence database acquired from handwritten text on a
        whiteboard"; to be had from its authors after registration.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} is not an XML file, or a broken one: {error}.") from error
    strokes = root.findall("StrokeSet/Stroke")
    if root.tag != "WhiteboardCaptureSession" or not strokes:
        raise ValueError(
            f"{path} holds no WhiteboardCaptureSession with a StrokeSet of Strokes: it is no line of IAM-OnDB."
        )
    where, up = [], []
    for s, stroke in enumerate(strokes, 1):
        points = stroke.findall("Point")
        if not points:
            raise ValueError(f"stroke {s} of {path} has no point.")
        where += [_position(point, f"point {p} of stroke {s} in {path}") for p, point in enumerate(points, 1)]
        up += [0.0] * (len(points) - 1) + [1.0]
    offsets = np.diff(np.array(where), axis=0, prepend=[where[0]])
    return np.column_stack([offsets, up]).astype(np.float32)


def read_iam_text(path: str | Path) -> list[str]:
    """Read the lines of a transcription of IAM-OnDB, such as ``ascii/a01/a01-000/a01-000u.txt``: what follows ``CSR:``.

    Line k, from 1, is that of the strokes whose name ends in ``-0k.xml``.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is no text, or has no line after ``CSR:``.
    """
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file in UTF-8.") from error
    if "CSR:" not in lines:
        raise ValueError(f"{path} has no line 'CSR:', after which a transcription of IAM-OnDB begins.")
    text = [line for line in lines[lines.index("CSR:") + 1 :] if line]
    if not text:
        raise ValueError(f"{path} has no text after the line 'CSR:'.")
    return text


def _checked(points: NDArray[np.generic], name: str) -> Strokes:
    strokes = points.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(strokes).all(1))
    if len(bad):
        raise ValueError(f"{name} has a number that is not finite in point {bad[0]}.")
    bad = np.flatnonzero((strokes[:, 2] != 0) & (strokes[:, 2] != 1))
    if len(bad):
        raise ValueError(f"{name} has the pen at {strokes[bad[0], 2]:g} in point {bad[0]}: it must be 0 or 1.")
    if strokes[-1, 2] != 1:
        raise ValueError(f"{name} ends with the pen on the paper.")
    return strokes


def _position(point: ElementTree.Element, name: str) -> tuple[float, float]:
    try:
        x, y = float(point.attrib["x"]), float(point.attrib["y"])
    except (KeyError, ValueError) as error:
        raise ValueError(f"{name} has no numbers x and y, but {dict(point.attrib)}.") from error
    if not np.isfinite([x, y]).all():
        raise ValueError(f"{name} is not finite: {dict(point.attrib)}.")
    return x, y
