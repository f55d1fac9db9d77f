"""The reader of drawn words: distances between words by brute force, decoding by hand, and a small alphabet learnt."""

from functools import cache

import numpy as np
import pytest
import torch

from mixtura.experiments.applications.recogniser import Recogniser, edit_distance, fit_recogniser


@cache
def by_definition(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(by_definition(a[1:], b) + 1, by_definition(a, b[1:]) + 1, by_definition(a[1:], b[1:]) + (a[0] != b[0]))


def test_edit_distance_is_its_definition() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b = ("".join(rng.choice(list("abc"), rng.integers(7))) for _ in range(2))
        assert edit_distance(a, b) == by_definition(a, b)


@pytest.mark.parametrize(("a", "b", "edits"), [("intention", "execution", 5), ("sunday", "saturday", 3), ("", "ab", 2)])
def test_edit_distance_of_known_words(a: str, b: str, edits: int) -> None:
    assert edit_distance(a, b) == edits


def test_repeats_and_blanks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Recogniser("ab")
    path = torch.nn.functional.one_hot(torch.tensor([0, 1, 1, 0, 1, 2, 2, 0, 1]), 3).float()[:, None]
    monkeypatch.setattr(model, "forward", lambda points, lengths: path)
    assert model.read([np.zeros((9, 3), np.float32)]) == ["aaba"]
    assert model.read([np.zeros((5, 3), np.float32)]) == ["aa"]


def test_what_is_read_does_not_depend_on_the_neighbours() -> None:
    rng = np.random.default_rng(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Recogniser("abc").eval()
    drawings = [rng.standard_normal((n, 3)).astype(np.float32) for n in (4, 17)]
    together = model(*model.features(drawings))
    for i, d in enumerate(drawings):
        torch.testing.assert_close(model(*model.features([d]))[:, 0], together[: len(d), i])


def test_features_do_not_depend_on_where_the_line_begins() -> None:
    model = Recogniser("a", (2.0, 0.5))
    line = np.array([[1, 2, 0], [4, 1, 1], [-2, -3, 1]], np.float32)
    (points, _), (moved, _) = (
        model.features([line + np.array(at, np.float32)]) for at in (0, [[5, -7, 0], [0] * 3, [0] * 3])
    )
    torch.testing.assert_close(points, moved)
    y = np.array([0, 2, -4])
    torch.testing.assert_close(points[:, 0, 3].numpy(), (y - y.mean()).astype(np.float32))
    assert points[:, 0, :3].tolist() == [[0, 0, 0], [2, 2, 1], [-1, -6, 1]]
    assert line[0].tolist() == [1, 2, 0]


def test_learns_to_read_up_and_down() -> None:
    rng = np.random.default_rng(0)
    marks = {"u": (0.0, 1.0), "d": (0.0, -1.0), "r": (1.0, 0.0)}
    texts = ["".join(rng.choice(list(marks), rng.integers(1, 5))) for _ in range(224)]

    def draw(text: str) -> np.ndarray:
        points = [(*marks[c], up) for c in text for up in (0, 0, 1)]
        return np.array(points, np.float32) + rng.normal(0, 0.1, (len(points), 3)).astype(np.float32) * [1, 1, 0]

    before = torch.get_rng_state()
    drawings = [draw(t).astype(np.float32) for t in texts]
    model = fit_recogniser(drawings[:160], texts[:160], epochs=8)
    assert torch.equal(before, torch.get_rng_state())
    assert model.alphabet == "dru"
    edits = [edit_distance(read, text) for read, text in zip(model.read(drawings[160:]), texts[160:], strict=True)]
    assert sum(edits) < 0.02 * sum(map(len, texts[160:]))
    with pytest.raises(ValueError, match="3 texts and 2 drawings"):
        fit_recogniser(drawings[:2], texts[:3])
