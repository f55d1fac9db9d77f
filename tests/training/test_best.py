"""The weights that are kept against the ones that were offered."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from mixtura.training.best import Best


class Networks(nn.Module):
    """Parameters of E networks, and a buffer that they share."""

    level: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(*shape, 4))
        self.register_buffer("level", torch.zeros(5))

    def now(self, value: float) -> Networks:
        with torch.no_grad():
            self.weight.fill_(value)
            self.level.fill_(value)
        return self


SCORES = [[3.0, 1.0, math.nan], [2.0, 5.0, 7.0], [4.0, 0.5, 6.0], [2.0, math.nan, math.inf]]


def test_each_network_keeps_its_own_best_epoch() -> None:
    model = Networks(3)
    best = Best(model, (3,))
    for epoch, scores in enumerate(SCORES, 1):
        best.offer(model.now(float(epoch)), torch.tensor(scores), epoch)
    assert best.epochs == [2, 3, 3]
    assert best.weights["weight"][:, 0].tolist() == [2.0, 3.0, 3.0]
    assert best.scores.tolist() == [2.0, 0.5, 6.0]


def test_one_network_keeps_the_best_and_the_first_of_equals() -> None:
    model = Networks()
    best = Best(model, ())
    for epoch, score in enumerate([3.0, 2.0, 2.0, math.nan, 5.0], 1):
        best.offer(model.now(float(epoch)), torch.tensor(score), epoch)
    assert (best.epochs, best.weights["weight"].tolist()) == ([2], [2.0] * 4)


def test_without_scores_the_last_is_kept() -> None:
    for shape in ((), (2,)):
        model = Networks(*shape)
        best = Best(model, shape)
        for epoch in (1, 2, 3):
            best.offer(model.now(float(epoch)), None, epoch)
        assert best.epochs == [3] * (shape[0] if shape else 1)
        assert best.weights["weight"].unique().tolist() == [3.0]
        assert best.weights["level"].unique().tolist() == [3.0]


def test_a_network_that_never_had_a_score_is_told_by_its_epoch() -> None:
    best = Best(Networks(2), (2,))
    best.offer(Networks(2).now(1.0), torch.tensor([1.0, math.nan]), 1)
    assert best.epochs == [1, 0]


def test_restored_state_goes_on_as_if_nothing_had_happened() -> None:
    model = Networks(3)
    whole, first = Best(model, (3,)), Best(model, (3,))
    for epoch, scores in enumerate(SCORES, 1):
        whole.offer(model.now(float(epoch)), torch.tensor(scores), epoch)
    for epoch in (1, 2):
        first.offer(model.now(float(epoch)), torch.tensor(SCORES[epoch - 1]), epoch)
    state: dict[str, Any] = first.state()
    second = Best(model, (3,))
    epochs = second.epochs  # a history has them: the list stays the same one
    second.restore(state)
    for epoch in (3, 4):
        second.offer(model.now(float(epoch)), torch.tensor(SCORES[epoch - 1]), epoch)
    assert epochs is second.epochs
    assert (second.epochs, second.scores.tolist()) == (whole.epochs, whole.scores.tolist())
    assert torch.equal(second.weights["weight"], whole.weights["weight"])
