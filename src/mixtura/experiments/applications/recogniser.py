"""A reader of drawn lines: a small convolutional network that judges whether what a model writes can be read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mixtura.datasets import scale_strokes, stroke_scale
from mixtura.training import isolated_seed

__all__ = ["Recogniser", "edit_distance", "fit_recogniser"]

_ROWS_AT_ONCE = 256
_DILATIONS = (1, 2, 4, 1, 2, 4)
_LONGEST = 6.0
"""Offsets are cut at this many standard deviations: what a model draws in error may be anything."""


class Recogniser(nn.Module):
    """Read strokes: residual convolutions over the points, which see 50 of them, and a character or a blank at each.

    The features of a point are its offset in standard deviations of the training drawings, its pen and its height over
    the middle of the line. Where the line begins on the paper does not matter.

    Args:
        alphabet: the characters it knows.
        scale: standard deviations of dx and dy, see :func:`~mixtura.datasets.stroke_scale`.
        width: channels of the convolutions.

    Source:
        Graves, Fernández, Gomez & Schmidhuber 2006, "Connectionist temporal classification".
    """

    def __init__(
        self, alphabet: str, scale: Sequence[float] | NDArray[np.float64] = (1.0, 1.0), width: int = 64
    ) -> None:
        super().__init__()
        self.alphabet, self.scale = alphabet, np.array(scale, np.float64)
        self.inward = nn.Conv1d(4, width, 1)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, 5, padding=2 * d, dilation=d) for d in _DILATIONS)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in _DILATIONS)
        self.out = nn.Linear(width, len(alphabet) + 1)

    def forward(self, points: Tensor, lengths: Tensor) -> Tensor:
        """Return log-probabilities (n, N, 1 + characters), the blank first, of N drawings padded to (n, N, 4)."""
        there = (torch.arange(len(points)) < lengths[:, None]).to(points)[:, None]
        x = self.inward(points.permute(1, 2, 0)) * there
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = (x + norm(convolution(x).mT).mT.relu()) * there
        return self.out(x.permute(2, 0, 1)).log_softmax(-1)

    def features(self, drawings: Sequence[NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
        """Return drawings padded with zeros to shape (n, N, 4), and their lengths."""
        scaled = [np.clip(s, -_LONGEST, _LONGEST) for s in scale_strokes(drawings, self.scale)]
        rows = []
        for s in scaled:
            s[0, :2] = 0
            y = np.cumsum(s[:, 1])
            rows.append(torch.as_tensor(np.column_stack([s, y - y.mean()]), dtype=torch.float32))
        return nn.utils.rnn.pad_sequence(rows), torch.tensor([len(r) for r in rows])

    @torch.no_grad()
    def read(self, drawings: Sequence[NDArray[np.float32]]) -> list[str]:
        """Return the likeliest character at every point, repeats and blanks left out, for each drawing."""
        self.eval()
        texts = []
        for first in range(0, len(drawings), _ROWS_AT_ONCE):
            points, lengths = self.features(drawings[first : first + _ROWS_AT_ONCE])
            best = self(points, lengths).argmax(-1).T.tolist()
            texts += [self._text(row[:n]) for row, n in zip(best, lengths.tolist(), strict=True)]
        return texts

    def _text(self, path: Sequence[int]) -> str:
        return "".join(self.alphabet[now - 1] for before, now in pairwise([0, *path]) if now not in (0, before))


def fit_recogniser(
    drawings: Sequence[NDArray[np.float32]],
    texts: Sequence[str],
    *,
    epochs: int = 12,
    batch_size: int = 32,
    learning_rate: float = 4e-3,
    seed: int = 0,
) -> Recogniser:
    """Return a recogniser that has learnt the texts of drawings by connectionist temporal classification.

    Raises:
        ValueError: where there are not as many texts as drawings, or none.
    """
    if len(drawings) != len(texts) or not len(texts):
        raise ValueError(f"there must be a text for each drawing: got {len(texts)} texts and {len(drawings)} drawings.")
    with isolated_seed(seed):
        model = Recogniser("".join(sorted(set("".join(texts)))), stroke_scale(drawings))
        known = {character: i for i, character in enumerate(model.alphabet, 1)}
        steps = epochs * -(-len(texts) // batch_size)
        optimizer = torch.optim.Adam(model.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, steps, pct_start=0.2)
        for _ in range(epochs):
            model.train()
            order = torch.randperm(len(texts)).tolist()
            for rows in (order[i : i + batch_size] for i in range(0, len(order), batch_size)):
                points, lengths = model.features([drawings[i] for i in rows])
                wanted = [[known[c] for c in texts[i]] for i in rows]
                loss = nn.functional.ctc_loss(
                    model(points, lengths),
                    torch.tensor([c for w in wanted for c in w]),
                    lengths,
                    torch.tensor([len(w) for w in wanted]),
                    zero_infinity=True,
                )
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
    return model.eval()


def edit_distance(a: str, b: str) -> int:
    """Return the least number of insertions, deletions and substitutions that turn a into b.

    Source:
        Levenshtein 1966; computed row by row as by Wagner & Fischer 1974.

    Example:
        >>> edit_distance("kitten", "sitting")
        3
    """
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
    return row[-1]
