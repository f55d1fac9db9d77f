"""Drawings as padded batches."""

import numpy as np
import pytest
import torch

from mixtura.nn import Drawings
from mixtura.nn.drawings import pad_text


def _drawings(n: int = 9, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        d = rng.standard_normal((rng.integers(1, 12), 3))
        d[:, 2] = rng.random(len(d)) < 0.3
        d[-1, 2] = 1
        found.append(d.astype(np.float32))
    return found


def test_a_batch_holds_each_drawing_and_nothing_else() -> None:
    drawings = _drawings()
    texts = [[i] * (1 + i % 3) for i in range(9)]
    rows = [5, 0, 7]
    b = Drawings(drawings, texts).batch(torch.tensor(rows))
    assert b.text is not None
    for i, row in enumerate(rows):
        n = len(drawings[row])
        assert b.mask[i].tolist() == [True] * n + [False] * (b.mask.shape[1] - n)
        np.testing.assert_array_equal(b.points[i, :n, :2], drawings[row][:, :2])
        assert b.points[i, : n - 1, 2].tolist() == drawings[row][:-1, 2].tolist()
        assert b.points[i, n - 1, 2] == 2
        assert not b.points[i, n:].any()
        assert b.text[i][b.text[i] >= 0].tolist() == texts[row]
    assert b.mask.shape[1] == max(len(drawings[r]) for r in rows)
    assert b.text.shape[1] == max(len(texts[r]) for r in rows)


def test_means_leave_the_padding_out() -> None:
    drawings = _drawings()
    b = Drawings(drawings).batch(torch.arange(9))
    value = torch.where(b.mask, b.points[..., 0], torch.nan)
    own = [d[:, 0].mean() for d in drawings]
    np.testing.assert_allclose(b.means(value), own, atol=1e-6)
    assert b.mean(value).item() == pytest.approx(np.concatenate(drawings)[:, 0].mean(), rel=1e-5)


def test_batches_hold_every_drawing_once_and_similar_lengths() -> None:
    d = Drawings(_drawings(200))
    groups = d.batches(16)
    assert sorted(torch.cat(groups).tolist()) == list(range(200))
    assert all(len(g) <= 16 for g in groups)
    padded = sum(int(d.length[g].max()) * len(g) for g in groups)
    assert padded < 1.2 * len(d.points)
    other = d.batches(16, 0.1 * torch.randn(200, generator=torch.Generator().manual_seed(0)))
    assert {tuple(sorted(g.tolist())) for g in groups} != {tuple(sorted(g.tolist())) for g in other}


@pytest.mark.parametrize(
    ("drawings", "texts", "message"),
    [
        ([], None, "there is no drawing"),
        ([np.zeros((0, 3))], None, r"drawing 0 has shape \(0, 3\)"),
        ([np.ones((2, 3)), np.zeros((4, 2))], None, r"drawing 1 has shape \(4, 2\)"),
        ([np.ones((2, 3)), np.array([[0, 0, 0], [np.nan, 0, 1]])], None, r"point 1 of drawing 1 is \[nan"),
        ([np.ones((2, 3)), np.array([[0, 0, 0.5]])], None, r"point 0 of drawing 1 is \[0.0, 0.0, 0.5\]"),
        ([np.ones((2, 3))], [[1], [2]], "1 drawings and 2 texts"),
        ([np.ones((2, 3))], [[]], r"text 0 is \[\]"),
    ],
)
def test_what_is_no_drawing_is_said(drawings: list[np.ndarray], texts: list[list[int]] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Drawings(drawings, texts)


def test_codes_below_zero_are_said() -> None:
    with pytest.raises(ValueError, match=r"text 1 is \[0, -1\]"):
        pad_text([[1], [0, -1]])
