"""Text drawn as pen strokes with the single-stroke faces of A. V. Hershey, in as many hands as one likes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mixtura._optional import require

__all__ = ["WRITING_FACES", "Writer", "draw_text", "random_writer"]

Seed = int | np.random.Generator | None
Points = NDArray[np.float64]

_FACES: dict[str, tuple[str, Callable[[str], str]]] = {
    "plain": ("futural", str),
    "script": ("scripts", str),
    "capitals": ("futural", str.upper),
}
"""Hershey's face and what is done to the text. The other Latin faces of the package draw every line twice or thrice."""
WRITING_FACES = tuple(_FACES)
"""The faces a writer may have."""
_CAPITAL, _BASE = 21.0, 9.0
"""Height of a capital, and where the baseline lies, in units of the faces; there y grows downwards."""
_TURN = math.radians(75)
"""A turn that takes the pen as long as a stride."""
_TREMOR = 2.0
"""Over how many points the jitter of the pen is correlated."""


@dataclass(frozen=True)
class Writer:
    """A hand: a face and what is done to it. Lengths are in heights of a plain capital.

    Example:
        >>> Writer("script", slant=0.2)
        Writer(face='script', slant=0.2, width=1.0, size=1.0, spacing=0.0, stride=0.5, jitter=0.0)
    """

    face: str = "plain"
    """One of :data:`WRITING_FACES`: small letters, joined script, or capitals for all letters."""
    slant: float = 0.0
    """Tangent of the angle by which uprights lean to the right."""
    width: float = 1.0
    """Factor on the width of letters alone."""
    size: float = 1.0
    """Factor on the size of the whole line."""
    spacing: float = 0.0
    """Added between two letters, times ``size``."""
    stride: float = 0.5
    """Distance of two points on a straight line, times ``size``: the speed of the pen. Points are closer in turns."""
    jitter: float = 0.0
    """Standard deviation of the smooth tremor of x and of y, times ``size``."""


def random_writer(random_state: Seed = None) -> Writer:
    """Draw a writer: any face; width, size and stride up to a quarter more or less; slant from -.1 to .4.

    Example:
        >>> random_writer(1) == random_writer(1), random_writer(1) == random_writer(2)
        (True, False)
    """
    rng = np.random.default_rng(random_state)
    face = WRITING_FACES[rng.integers(len(WRITING_FACES))]
    width, size, stride = np.exp(rng.uniform(-1, 1, 3) * math.log(1.25)).tolist()
    return Writer(
        face,
        slant=float(rng.uniform(-0.1, 0.4)),
        width=width,
        size=size,
        spacing=float(rng.uniform(-0.03, 0.12)),
        stride=0.5 * stride,
        jitter=float(rng.uniform(0.01, 0.025)),
    )


def draw_text(text: str, writer: Writer | None = None, random_state: Seed = None) -> NDArray[np.float32]:
    """Return a line of text as pen strokes, in the format of :func:`read_strokes`.

    The pen needs the same time for a stride along a line and for a turn of 75 degrees, and leaves a point at every
    tick. The first offset leads from the left end of the baseline to the first point; y grows downwards.

    Args:
        text: printable ASCII characters, of which not all are spaces.
        writer: the hand; a plain, upright one if None.
        random_state: of the tremor.

    Returns:
        dx, dy in heights of a plain capital, and 1 where the pen is up after the point: float32 of shape ``(n, 3)``.

    Raises:
        ImportError: where ``Hershey-Fonts`` is not installed.
        ValueError: where the text has nothing to draw, or a character that the face lacks, or the face is unknown.

    Source:
        Hershey 1967, "Calligraphy for computers", whose faces the package Hershey-Fonts holds.

    Example:
        >>> strokes = draw_text("T", Writer(stride=2))
        >>> strokes.round(2)  # down the stem, then the bar
        array([[ 0.38, -1.  ,  0.  ],
               [ 0.  ,  1.  ,  1.  ],
               [-0.33, -1.  ,  0.  ],
               [ 0.67,  0.  ,  1.  ]], dtype=float32)
    """
    writer = Writer() if writer is None else writer
    if writer.face not in _FACES:
        raise ValueError(f"there is no face {writer.face!r}; there are: {', '.join(_FACES)}.")
    face, changed = _FACES[writer.face]
    strokes = _line(changed(text), face, writer)
    if not strokes:
        raise ValueError(f"there is nothing to draw in the text {text!r}.")
    points = [_paced(s, writer.stride * _CAPITAL) for s in strokes]
    xy = np.concatenate(points)
    x, y = xy[:, 0], xy[:, 1] - _BASE
    xy = np.column_stack([x * writer.width - writer.slant * y, y]) / _CAPITAL
    xy += writer.jitter * _tremor(len(xy), np.random.default_rng(random_state))
    up = np.concatenate([np.arange(len(p)) == len(p) - 1 for p in points])
    return np.column_stack([writer.size * np.diff(xy, axis=0, prepend=0), up]).astype(np.float32)


def _line(text: str, face: str, writer: Writer) -> list[Points]:
    """Return the corners of the strokes of a line in units of the face; one that begins where another ended goes on."""
    glyphs, strokes, left, gap = _glyphs(face), [], 0.0, writer.spacing * _CAPITAL / writer.width
    for character in text:
        if character not in glyphs:
            raise ValueError(f"the face {writer.face!r} cannot draw {character!r} in {text!r}: only printable ASCII.")
        corners, width = glyphs[character]
        for i, c in enumerate(corners):
            placed = c + np.array([left, 0.0])
            between = np.array([gap if i == 0 else 0.0, 0.0])
            if strokes and np.allclose(strokes[-1][-1] + between, placed[0]):
                strokes[-1] = np.concatenate([strokes[-1], placed])
            else:
                strokes.append(placed)
        left += width + gap
    return strokes


@cache
def _glyphs(face: str) -> dict[str, tuple[list[Points], float]]:
    """Return for each character the corners of its strokes, from its left margin on, and its width."""
    fonts = require("HersheyFonts", "Drawing text as pen strokes", "handwriting").HersheyFonts()
    fonts.load_default_font(face)
    return {
        name: (
            [np.array(s, np.float64) - [glyph.left_offset, 0.0] for s in map(list, glyph.strokes) if len(s) > 1],
            float(glyph.char_width),
        )
        for name, glyph in fonts.all_glyphs.items()
        if " " <= name <= "~"
    }


def _paced(corners: Points, stride: float) -> Points:
    """Return points of a broken line at equal times, its two ends among them.

    A turn at a corner takes its time half before and half after it; no part is slower than a quarter of the speed.
    """
    step = np.diff(corners, axis=0)
    length = np.hypot(*step.T)
    kept = length > 0
    corners, step, length = corners[np.append(True, kept)], step[kept], length[kept]
    turn = np.abs(np.diff(np.unwrap(np.arctan2(step[:, 1], step[:, 0])))) / _TURN
    waits = (np.append(turn, 0) + np.append(0, turn)) / 2
    time = np.append(0, np.cumsum(np.minimum(length / stride + waits, 4 * length / stride)))
    ticks = np.linspace(0, time[-1], max(round(time[-1]), 1) + 1)
    return np.column_stack([np.interp(ticks, time, corners[:, i]) for i in range(2)])


def _tremor(n: int, rng: np.random.Generator) -> Points:
    """Return smooth noise of unit variance: white noise under a Gaussian window of :data:`_TREMOR` points."""
    reach = int(4 * _TREMOR)
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _TREMOR) ** 2)
    window /= np.sqrt(np.square(window).sum())
    noise = rng.standard_normal((2, n + 2 * reach))
    return np.stack([np.convolve(row, window, "valid") for row in noise], 1)
