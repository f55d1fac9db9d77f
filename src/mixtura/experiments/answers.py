"""What the answers of an autoencoder are worth: their errors, how much they differ, how near they are to real data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from mixtura.experiments.record import Sheet
from mixtura.metrics.features import as_pair, as_rows, distance_blocks
from mixtura.nn import EncoderMixtureDecoder
from mixtura.training import isolated_seed

__all__ = [
    "Answers",
    "answers",
    "answers_sheet",
    "best_error",
    "different_answers",
    "distance_apart",
    "nearest_distance",
]

_ROWS = 500


@dataclass(frozen=True)
class Answers:
    """Hold q(X|Y) at the codes of B rows, without noise, and draws of its centers."""

    weights: Tensor
    """Shape ``(B, K)``."""
    centers: Tensor
    """Shape ``(B, K, D)``."""
    drawn: Tensor
    """Centers drawn by their weights, shape ``(B, n, D)``."""

    def mean_error(self, x: Tensor) -> float:
        """Return the squared distance of a drawn center from its row, on average over all centers by weight."""
        squares = (self.centers - x.flatten(1).unsqueeze(1)).square().sum(-1)
        return (self.weights * squares).sum(-1).double().mean().item()

    def by_weight(self, n: int) -> Tensor:
        """Return the n centers of every row that weigh most, in that order, shape ``(B, n, D)``."""
        order = self.weights.argsort(-1, descending=True)[:, :n, None]
        return self.centers.take_along_dim(order, 1)


def answers(
    model: EncoderMixtureDecoder, x: Tensor, labels: Tensor | None = None, *, draws: int = 30, seed: int = 0
) -> Answers:
    """Return what a model answers to the codes of x, in evaluation mode."""
    training = model.training
    model.eval()
    with torch.no_grad(), isolated_seed(seed, x.device):
        parts = []
        for i in range(0, len(x), _ROWS):
            given = None if labels is None else labels[i : i + _ROWS]
            parts.append(model(x[i : i + _ROWS], given, noise=False))
        weights = torch.cat([q.log_weights.exp() for q in parts])
        centers = torch.cat([q.loc for q in parts])
        chosen = torch.multinomial(weights, draws, replacement=True)
    model.train(training)
    return Answers(weights, centers, centers.take_along_dim(chosen.unsqueeze(-1), 1))


def answers_sheet(title: str, images: Tensor, columns: Sequence[Tensor], rows: int) -> Sheet:
    """Return a sheet whose rows are an image and the answers to it, each in a frame of one pixel.

    Args:
        title: of the sheet.
        images: shape ``(n, C, H, W)``, C of 1 or 3.
        columns: answers to them, each of shape ``(n, k, C·H·W)``.
        rows: number of images that are shown.
    """
    parts = [t[:rows] for t in (images.flatten(1).unsqueeze(1), *columns)]
    wide = sum(t.shape[1] for t in parts)
    sheet = pad(torch.cat(parts, 1).reshape(-1, *images.shape[1:]), (1, 1, 1, 1), value=1.0).movedim(1, -1)
    return Sheet(title, (sheet.squeeze(-1) if sheet.shape[-1] == 1 else sheet).numpy(), wide)


def best_error(points: Tensor, x: Tensor) -> float:
    """Return the mean squared distance of rows x ``(B, D)`` from the nearest of their own points ``(B, n, D)``.

    Example:
        >>> best_error(torch.tensor([[[0.0], [3.0]]]), torch.tensor([[2.0]]))
        1.0
    """
    return (points - x.flatten(1).unsqueeze(1)).square().sum(-1).amin(-1).double().mean().item()


def distance_apart(drawn: Tensor) -> float:
    """Return the mean distance of two different draws of the same row, from ``(B, n, D)`` with n >= 2.

    Example:
        >>> distance_apart(torch.tensor([[[0.0], [3.0]], [[1.0], [1.0]]]))
        1.5
    """
    n = drawn.shape[1]
    exact = "donot_use_mm_for_euclid_dist"
    sums = torch.stack([torch.cdist(row, row, compute_mode=exact).double().sum() for row in drawn])
    return (sums.mean() / (n * (n - 1))).item()


def nearest_distance(points: Tensor, real: Tensor) -> float:
    """Return the mean distance of points ``(..., D)`` from the nearest real row ``(N, D)``.

    Example:
        >>> nearest_distance(torch.tensor([[[0.0], [3.0]]]), torch.tensor([[1.0], [5.0]]))
        1.5
    """
    a, b = as_pair(points.reshape(-1, points.shape[-1]), real, ("points", "real"))
    return torch.cat([distances.amin(1) for _, distances in distance_blocks(a, b)]).mean().item()


def different_answers(centers: Tensor, weights: Tensor, variance: float) -> float:
    r"""Return how many different answers a code has, ``1 / E_Y Σ_kl w_k w_l exp(-‖c_k - c_l‖² / 4v)``.

    This is the norm ``E_Y <q, q>`` of the conditional cost, without its constant and inverted: 1 where all centers of a
    code that weigh anything are the same, K where all weigh alike and no kernel of the variance v connects two.

    Args:
        centers: shape ``(B, K, D)``.
        weights: shape ``(B, K)``.
        variance: v.

    Example:
        >>> two = torch.tensor([[[0.0], [9.0]]])
        >>> different_answers(two, torch.tensor([[0.5, 0.5]]), 1e-2)
        2.0
        >>> different_answers(two, torch.tensor([[1.0, 0.0]]), 1e-2)
        1.0
    """
    norms = []
    for c, w in zip(centers, weights.double(), strict=True):
        rows = as_rows(c, "centers")
        for i, distances in distance_blocks(rows, rows):
            norms.append(w[i] @ (distances.square() / (-4 * variance)).exp() @ w)
    return len(centers) / math.fsum(t.item() for t in norms)
