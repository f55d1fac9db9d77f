"""Folds against what they promise: no row on both sides, none held back twice before all are."""

from __future__ import annotations

import pytest
import torch

from mixtura.training import Folds, isolated_seed


def draw(rows: int, members: int, share: float, seed: int = 0) -> Folds:
    with isolated_seed(seed):
        return Folds.draw(rows, members, share)


@pytest.mark.parametrize("rows", [1, 2, 3, 10, 101])
@pytest.mark.parametrize("members", [1, 2, 5, 12])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 1 / 3, 0.5, 0.7, 0.999999])
def test_every_row_is_learnt_from_or_held_back(rows: int, members: int, share: float) -> None:
    folds = draw(rows, members, share)
    held = int(share * rows)
    assert folds.held.shape == (members, held)
    assert folds.train.shape == (members, rows - held)  # never empty
    both = torch.cat([folds.train, folds.held], 1).sort(1).values
    assert torch.equal(both, torch.arange(rows).expand(members, rows))


@pytest.mark.parametrize(("rows", "members", "share"), [(100, 5, 0.2), (100, 10, 0.1), (103, 7, 0.1), (10, 8, 0.3)])
def test_networks_hold_back_different_rows_as_long_as_they_suffice(rows: int, members: int, share: float) -> None:
    held = draw(rows, members, share).held
    per_round = rows // held.shape[1]
    for start in range(0, members, per_round):
        together = held[start : start + per_round].flatten()
        assert len(together.unique()) == len(together)


def test_a_second_round_is_another_permutation() -> None:
    held = draw(100, 20, 0.1).held.sort(1).values
    assert len({tuple(h.tolist()) for h in held}) == 20


def test_order_of_rows_has_no_say() -> None:
    """Over many draws every row is held back as often as every other."""
    count = torch.zeros(20)
    for seed in range(400):
        count[draw(20, 3, 0.2, seed).held.flatten()] += 1
    expected = 400 * 3 * 4 / 20
    assert float((count - expected).abs().max()) < 5 * expected**0.5


def test_moves_to_a_device() -> None:
    folds = draw(10, 2, 0.2).to("meta")
    assert folds.train.device.type == folds.held.device.type == "meta"
