"""A pen that learns to write lines from drawn ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura.datasets import draw_text, random_writer, scale_strokes, stroke_scale
from mixtura.nn import Drawings, StrokeRNN
from mixtura.training import fit_strokes, isolated_seed

__all__ = ["BATCH", "COMPONENTS", "Line", "Pen", "codes", "draw_lines", "learn_to_write"]

Line = NDArray[np.float32]
"""Strokes as of :func:`~mixtura.datasets.read_strokes`."""
BATCH, RATE, COMPONENTS = 24, 8e-3, 10
_LETTERS = "abcdefghijklmnopqrstuvwxyz "
_POINTS_A_LETTER = 20
"""At most: a line that does not end is cut off."""


@dataclass(frozen=True)
class Pen:
    """A network that writes, with what it needs to go from letters to heights of a capital."""

    rnn: StrokeRNN
    scale: NDArray[np.float64]
    """Standard deviations of the offsets that it was trained on, shape (2,)."""

    def write(self, texts: Sequence[str], temperature: float, random_state: int | None = 0) -> list[Line]:
        """Return each text, in letters a to z and spaces, as strokes in heights of a capital, each in a hand of its
        own."""
        longest = _POINTS_A_LETTER * max(map(len, texts))
        drawn = self.rnn.generate(
            text=codes(texts), temperature=temperature, max_points=longest, random_state=random_state
        )
        return scale_strokes(drawn, 1 / self.scale)

    def window(self, drawing: Line, text: str) -> NDArray[np.float32]:
        """Return where in the text the network looks before each point, in characters from the first."""
        b = self.data([drawing], [text]).batch(torch.tensor([0]))
        assert b.text is not None
        with torch.no_grad():
            phi = self.rnn.attention(b.points, b.text)[0]
        return ((phi @ torch.arange(phi.shape[-1]).to(phi)) / phi.sum(-1)).numpy()

    def data(self, drawings: Sequence[Line], texts: Sequence[str]) -> Drawings:
        """Return texts and drawings in heights of a capital as the network takes them."""
        return Drawings(scale_strokes(drawings, self.scale), codes(texts))


def learn_to_write(drawings: Sequence[Line], texts: Sequence[str], hidden: int, epochs: int, seed: int = 0) -> Pen:
    """Return the network that has learnt to draw texts from drawings of others."""
    with isolated_seed(seed):
        pen = Pen(StrokeRNN(hidden, COMPONENTS, characters=len(_LETTERS) + 1), stroke_scale(drawings))
    data = pen.data(drawings, texts)
    fit_strokes(pen.rnn, data, epochs=epochs, batch_size=BATCH, learning_rate=RATE, seed=seed)
    return pen


def draw_lines(texts: Sequence[str], seed: int = 0) -> list[Line]:
    """Return each text as drawn by a writer of its own."""
    rng = np.random.default_rng(seed)
    return [draw_text(text, random_writer(rng), rng) for text in texts]


def codes(texts: Sequence[str]) -> list[list[int]]:
    """Return numbers from 0 for the letters and spaces of each text, and the next one for its end: who looks ahead sees
    it, and takes it for no space between words."""
    return [[*map(_LETTERS.index, text), len(_LETTERS)] for text in texts]
