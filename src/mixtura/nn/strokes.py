"""A recurrent network that draws: a mixture for every next point of a pen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mixtura._random import isolated_seed
from mixtura.distributions import GaussianMixture, StrokePoint
from mixtura.nn.attention import WindowedLSTM, WindowState, one_hot_text
from mixtura.nn.drawings import Drawings, pad_text
from mixtura.nn.heads import CovarianceKind, MixtureHead

__all__ = ["StrokeRNN", "StrokeState"]

_ENOUGH = 10_000
"""Points from which the components start."""


class StrokeState(NamedTuple):
    """What a :class:`StrokeRNN` remembers of a drawing; to be handed back to it."""

    lstm: tuple[Tensor, Tensor]
    """Output and memory of the LSTM."""
    window: WindowState | None
    """Of the window over the text, where there is one."""


class StrokeRNN(nn.Module):
    r"""Predict the next point of a drawing from all points before it, ``p(x_t | x_1, ..., x_{t-1})``, by an LSTM.

    The answer is a :class:`~mixtura.distributions.StrokePoint`: a mixture of Gaussians for the offset beside the state
    of the pen. With a text, a first LSTM moves a soft window over its characters, and the second LSTM reads what both
    see.

    Offsets are in units of the training drawings: divide them by :func:`~mixtura.datasets.stroke_scale`. Drawings on a
    grid reward spikes at its points without limit: let ``min_scale`` be the step of the grid over ``√12``, in the same
    units.

    Args:
        hidden: width of each LSTM.
        components: number of Gaussians K.
        covariance: of the Gaussians, as in :class:`MixtureHead`.
        min_scale: floor of their scales, in units of the offsets; or one for dx and one for dy.
        characters: number of different characters of the texts; 0 for drawings without text.
        windows: number of windows over the text.

    Raises:
        ValueError: where a size is not positive.

    Source:
        Graves 2013, "Generating sequences with recurrent neural networks", sections 4 and 5.

    Example:
        >>> import torch, mixtura as mx
        >>> rnn = mx.nn.StrokeRNN(hidden=32, components=5)
        >>> q = rnn(torch.zeros(4, 10, 3))
        >>> q
        StrokePoint(batch_shape=(4, 10), components=5)
        >>> q.log_prob(torch.zeros(4, 10, 3)).shape
        torch.Size([4, 10])
        >>> len(rnn.generate(3, max_points=20, random_state=0))
        3
    """

    def __init__(
        self,
        hidden: int = 256,
        components: int = 20,
        covariance: CovarianceKind = "full",
        min_scale: float | Sequence[float] = 1e-2,
        characters: int = 0,
        windows: int = 10,
    ) -> None:
        super().__init__()
        if hidden < 1 or windows < 1 or characters < 0:
            raise ValueError(
                "hidden and windows must be positive and characters not negative, "
                f"got {hidden}, {windows} and {characters}."
            )
        self.characters = characters
        self.first = WindowedLSTM(3, hidden, characters, windows) if characters else None
        below = hidden + characters if characters else 0
        self.lstm = nn.LSTM(3 + below, hidden, batch_first=True)
        self.head = MixtureHead(hidden + below, 2, components, covariance, min_scale)
        self.pen = nn.Linear(hidden + below, 3)
        nn.init.zeros_(self.pen.weight)

    def initialize(self, drawings: Drawings) -> None:
        """Start the components, the pen and the pace over the text where the drawings are on average."""
        self.head.initialize(drawings.points[:_ENOUGH, :2])
        state = torch.bincount(drawings.points[:, 2].long(), minlength=3) + 1
        with torch.no_grad():
            self.pen.bias.copy_((state / state.sum()).log())
        if self.first is not None and drawings.text is not None:
            self.first.window.set_pace(float((drawings.text >= 0).sum() / len(drawings.points)))

    def forward(self, points: Tensor, text: Tensor | None = None) -> StrokePoint:
        """Return the distribution of every point given those before it: batch_shape ``(B, T)``.

        Args:
            points: drawings from their first point, ``(dx, dy, pen)`` as of :class:`StrokeBatch`, shape ``(B, T, 3)``.
            text: codes of the characters, shape ``(B, U)``, -1 behind the end; only where the model has characters.

        Raises:
            ValueError: where a shape is wrong, or a text is missing, not wanted or out of range.
        """
        before, letters = self._before(points), self._letters(text, len(points))
        return self._point(self._features(before, letters, None)[0])

    def attention(self, points: Tensor, text: Tensor) -> Tensor:
        """Return the weight of every character at every point, φ of shape ``(B, T, U + 1)``; the last is behind the
        longest text."""
        before, letters = self._before(points), self._letters(text, len(points))
        assert self.first is not None
        assert letters is not None
        return self.first(before, letters)[1]

    def step(
        self, previous: Tensor, state: StrokeState | None = None, text: Tensor | None = None
    ) -> tuple[StrokePoint, StrokeState]:
        """Return the distribution of the next point, batch_shape ``(B,)``, and the state to go on with.

        Args:
            previous: the point before, shape ``(B, 3)``; before the first one ``(0, 0, 1)``.
            state: what the last step returned; None for the first point.
            text: as in :meth:`forward`, at every step the same.
        """
        features, state = self._features(_inputs(previous).unsqueeze(1), self._letters(text, len(previous)), state)
        return self._point(features.squeeze(1)), state

    @torch.no_grad()
    def generate(
        self,
        n: int | None = None,
        *,
        text: Sequence[Sequence[int]] | None = None,
        temperature: float = 1.0,
        max_points: int = 500,
        random_state: int | None = None,
    ) -> list[NDArray[np.float32]]:
        """Draw from the model, point by point, until the pen says that the drawing ends.

        With a text a drawing also ends where the pen leaves the paper and the window has passed the text: ``φ(t, U) >
        φ(t, u)`` for all characters u < U. (In the paper, whose drawings have no end, at once: it cuts off what the
        network draws while the window is ahead.)

        Args:
            n: number of drawings, for a model without text.
            text: codes of the characters of each drawing, for a model with characters.
            temperature: as in :meth:`StrokePoint.sample`.
            max_points: no drawing has more.
            random_state: seed; torch's global generator is put back afterwards. None draws from that.

        Returns:
            Arrays of shape ``(points, 3)`` as of :func:`~mixtura.datasets.read_strokes`, dx and dy in the units of the
            model.

        Raises:
            ValueError: where neither or both of n and text are given, or a number is not positive.
        """
        if (n is None) == (text is None) or (n is not None and n < 1) or max_points < 1:
            raise ValueError(
                "give n, a positive number of drawings, or text, and a positive max_points; "
                f"got n = {n}, {'no' if text is None else len(text)} texts and max_points = {max_points}."
            )
        if random_state is not None:
            with isolated_seed(random_state, self.pen.weight.device):
                return self.generate(n, text=text, temperature=temperature, max_points=max_points)
        device = self.pen.weight.device
        codes = None if text is None else pad_text(text).to(device)
        point = _start(self.pen.weight, n or len(text or ()))
        letters = self._letters(codes, len(point))
        state, drawn = None, []
        ended = torch.zeros(len(point), dtype=torch.bool, device=device)
        while len(drawn) < max_points and not bool(ended.all()):
            features, state = self._features(_inputs(point).unsqueeze(1), letters, state)
            point = self._point(features.squeeze(1)).sample(temperature=temperature)
            if codes is not None and state.window is not None:
                point[_passed(state.window.phi, codes) & (point[:, 2] > 0), 2] = 2.0
            ended = ended | (point[:, 2] == 2)
            drawn.append(point)
        return _cut(torch.stack(drawn, 1).cpu().numpy())

    def _before(self, points: Tensor) -> Tensor:
        """Return what the network reads before each point."""
        if points.dim() != 3 or points.shape[-1] != 3 or points.shape[1] == 0:
            raise ValueError(f"points must have shape (B, T, 3) with T >= 1, got {tuple(points.shape)}.")
        return _inputs(torch.cat([_start(points, len(points)).unsqueeze(1), points[:, :-1]], 1))

    def _letters(self, text: Tensor | None, n: int) -> Tensor | None:
        if (text is not None) != (self.first is not None):
            wrong = "wants a text, one for each drawing" if text is None else "has no characters: it takes no text"
            raise ValueError(f"the model {wrong}.")
        if text is None:
            return None
        if len(text) != n:
            raise ValueError(f"there are {n} drawings and {len(text)} texts.")
        return one_hot_text(text, self.characters).to(self.pen.weight)

    def _features(
        self, before: Tensor, letters: Tensor | None, state: StrokeState | None
    ) -> tuple[Tensor, StrokeState]:
        """Return what the heads read, shape ``(B, T, features)``."""
        window, below = None, before[..., :0]
        if self.first is not None and letters is not None:
            below, _, window = self.first(before, letters, None if state is None else state.window)
        h, lstm = self.lstm(torch.cat([before, below], -1), None if state is None else state.lstm)
        return torch.cat([h, below], -1), StrokeState(lstm, window)

    def _point(self, features: Tensor) -> StrokePoint:
        offset = self.head(features)
        assert isinstance(offset, GaussianMixture)
        return StrokePoint(offset, self.pen(features))


def _start(like: Tensor, n: int) -> Tensor:
    """Return what stands for the point before the first one: the pen is in the air."""
    return like.new_tensor([0.0, 0.0, 1.0]).expand(n, 3)


def _inputs(points: Tensor) -> Tensor:
    """Return points with the pen as the network reads it: up or not."""
    return torch.cat([points[..., :2], (points[..., 2:] > 0).to(points)], -1)


def _passed(phi: Tensor, codes: Tensor) -> Tensor:
    """Return where the place behind a text weighs more than any of its characters, shape ``(B,)``."""
    within = codes >= 0
    behind = phi.gather(1, within.sum(1, keepdim=True)).squeeze(1)
    return behind > phi[:, :-1].masked_fill(~within, -1.0).amax(1)


def _cut(points: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return each drawing up to its end, with the pen up there."""
    end = points[..., 2] == 2
    length = np.where(end.any(1), end.argmax(1) + 1, points.shape[1])
    cut = [p[:k].copy() for p, k in zip(points, length, strict=True)]
    for p in cut:
        p[-1, 2] = 1.0
    return cut
