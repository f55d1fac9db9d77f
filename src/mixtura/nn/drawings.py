"""Drawings of different lengths, as padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Drawings", "StrokeBatch", "pad_text"]


class StrokeBatch(NamedTuple):
    """Drawings side by side, padded to the longest."""

    points: Tensor
    """``(dx, dy, pen)`` of every point, shape ``(B, T, 3)``: the pen stays down (0), leaves the paper after the point
    (1), or the drawing ends there (2); zeros behind the end."""
    mask: Tensor
    """Where there is a point, shape ``(B, T)``."""
    text: Tensor | None
    """Codes of the characters, shape ``(B, U)``, -1 behind the end; None without text."""

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean over all points of ``value`` of shape ``(B, T)``, whatever it is in the padding."""
        return torch.where(self.mask, value, 0.0).sum() / self.mask.sum()

    def means(self, value: Tensor) -> Tensor:
        """Return the mean over the points of each drawing, shape ``(B,)``."""
        return torch.where(self.mask, value, 0.0).sum(-1) / self.mask.sum(-1)


class Drawings:
    """Hold drawings, and what is written in them, ready to be taken in batches.

    Args:
        drawings: arrays of shape ``(n, 3)``: dx, dy, and 1 where the pen leaves the paper after the point, else 0.
        texts: codes of the characters of each drawing, or None.

    Raises:
        ValueError: where there is no drawing, one is malformed or has a number that is not finite, or there is not one
            text for each.

    Example:
        >>> d = Drawings([np.array([[1, 0, 0], [0, 1, 1]]), np.array([[2, 2, 1]])])
        >>> d.batch(torch.tensor([1, 0])).points.tolist()
        [[[2.0, 2.0, 2.0], [0.0, 0.0, 0.0]], [[1.0, 0.0, 0.0], [0.0, 1.0, 2.0]]]
    """

    def __init__(self, drawings: Sequence[NDArray[Any]], texts: Sequence[Sequence[int]] | None = None) -> None:
        if not len(drawings):
            raise ValueError("there is no drawing.")
        if texts is not None and len(texts) != len(drawings):
            raise ValueError(f"there are {len(drawings)} drawings and {len(texts)} texts: each drawing needs one.")
        for i, d in enumerate(drawings):
            if d.ndim != 2 or d.shape[1] != 3 or len(d) == 0:
                raise ValueError(f"drawing {i} has shape {d.shape}; it must be (n, 3) with at least one point.")
        points = np.concatenate(drawings).astype(np.float32)
        self.length = torch.tensor([len(d) for d in drawings])
        """Number of points of each drawing."""
        self._start = self.length.cumsum(0) - self.length
        bad = np.flatnonzero(~np.isfinite(points).all(1) | ((points[:, 2] != 0) & (points[:, 2] != 1)))
        if len(bad):
            i = int(torch.searchsorted(self._start, int(bad[0]), right=True)) - 1
            raise ValueError(
                f"point {bad[0] - int(self._start[i])} of drawing {i} is {points[bad[0]].tolist()}: dx and dy must be "
                "finite, and the pen 0 or 1."
            )
        self.points = torch.from_numpy(points)
        """All points one after another, as of :class:`StrokeBatch`, shape ``(N, 3)``."""
        self.points[self._start + self.length - 1, 2] = 2.0
        self.text = None if texts is None else pad_text(texts)
        """Codes of the characters, shape ``(n, U)``."""

    def __len__(self) -> int:
        return len(self.length)

    def batch(self, rows: Tensor, device: torch.device | str = "cpu") -> StrokeBatch:
        """Return the drawings ``rows``, shape ``(B,)``, as a batch."""
        length = self.length[rows]
        step = torch.arange(int(length.max()))
        mask = step < length.unsqueeze(-1)
        index = torch.where(mask, self._start[rows].unsqueeze(-1) + step, 0)
        points = torch.where(mask.unsqueeze(-1), self.points[index], 0.0)
        text = self.text
        if text is not None:
            text = text[rows]
            text = text[:, : int((text >= 0).sum(-1).max())].to(device)
        return StrokeBatch(points.to(device), mask.to(device), text)

    def batches(self, size: int, spread: Tensor | None = None) -> list[Tensor]:
        """Return the numbers of the drawings in groups of similar length, each at most ``size``.

        Args:
            size: of a group.
            spread: added to the logs of the lengths before they are sorted, shape ``(n,)``, so that the groups differ.
        """
        key = self.length.double().log()
        return list(torch.argsort(key if spread is None else key + spread, stable=True).split(size))


def pad_text(texts: Sequence[Sequence[int]]) -> Tensor:
    """Return codes of characters as one tensor, shape ``(B, U)``, -1 behind the end of a text.

    Raises:
        ValueError: where a text is empty or has a negative code.

    Example:
        >>> pad_text([[3, 1], [2]]).tolist()
        [[3, 1], [2, -1]]
    """
    for i, t in enumerate(texts):
        if len(t) == 0 or min(t) < 0:
            raise ValueError(f"text {i} is {list(t)}: it must hold at least one code, and none below zero.")
    return torch.nn.utils.rnn.pad_sequence([torch.as_tensor(list(t)) for t in texts], True, -1)
