"""Training a network that draws."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mixtura.nn import Drawings, StrokeRNN
from mixtura.training import checkpoint, fit_strokes, isolated_seed, stroke_nll
from tests.helpers import global_state
from tests.nn.test_drawings import _drawings

FLOOR = 0.05
LETTERS = [np.array([[1, 0, 0], [0, 1, 1]]), np.array([[-1, 1, 0], [1, 1, 0], [1, -1, 1]])]


def _rnn(characters: int = 0, hidden: int = 24) -> StrokeRNN:
    with isolated_seed(0):
        return StrokeRNN(hidden, components=3, min_scale=FLOOR, characters=characters, windows=2)


def _written(text: list[int]) -> np.ndarray:
    return np.concatenate([LETTERS[c] for c in text]).astype(np.float32)


def _texts(n: int, seed: int) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(2, size=rng.integers(1, 5)).tolist() for _ in range(n)]


def test_a_pattern_is_learnt_up_to_the_floor() -> None:
    zigzag = np.array([[1, 2, 0], [1, -2, 0], [1, 2, 1], [-2, 1, 0], [0.5, 0.5, 1]], np.float32)
    rnn, before = _rnn(), global_state()
    history = fit_strokes(rnn, Drawings([zigzag] * 64), epochs=50, batch_size=16, learning_rate=0.02, seed=3)
    assert global_state() == before
    best = 2 * np.log(FLOOR) + np.log(2 * np.pi)  # no density is higher
    assert best < history.loss[-1] < best + 0.3
    (drawn,) = rnn.generate(1, temperature=0.01, random_state=0)
    np.testing.assert_allclose(drawn, zigzag, atol=0.05)


def test_what_is_written_is_what_was_asked_for() -> None:
    """Two letters of two and three points; texts that were not in the training."""
    texts = _texts(150, 0)
    rnn = _rnn(characters=2, hidden=24)
    fit_strokes(rnn, Drawings([_written(t) for t in texts], texts), epochs=20, batch_size=8, learning_rate=0.02)
    wanted = [[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0], [1, 0]]
    for text, drawn in zip(wanted, rnn.generate(text=wanted, temperature=0.01, random_state=0), strict=True):
        assert drawn.shape == _written(text).shape, text
        np.testing.assert_allclose(drawn, _written(text), atol=0.15)


def test_nll_is_the_mean_of_the_points_of_each_drawing() -> None:
    rnn, drawings = _rnn(), _drawings(20)
    data = Drawings(drawings)
    found = stroke_nll(rnn, data)
    for i in range(20):
        b = data.batch(torch.tensor([i]))
        assert found[i, 0] == pytest.approx(-rnn(b.points).log_prob(b.points).sum().item(), rel=1e-4)
        assert found[i, 1] == len(drawings[i])


def test_validation_drawings_choose_the_epoch() -> None:
    data, held = Drawings(_drawings(40)), Drawings(_drawings(30, seed=1))
    rnn = _rnn()
    history = fit_strokes(rnn, data, validation=held, epochs=12, batch_size=4, learning_rate=0.05)
    scores = [v for v in history.validation if v is not None]
    assert history.best_epoch == int(np.argmin(scores)) + 1 < 12
    found = stroke_nll(rnn, held)
    assert found[:, 0].sum() / found[:, 1].sum() == pytest.approx(min(scores), rel=1e-4)


def test_a_killed_run_goes_on_to_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_SECONDS", 0.0)
    path, data = tmp_path / "run.ckpt", Drawings(_drawings(30))
    settings: dict[str, Any] = {"epochs": 6, "batch_size": 8, "validation": Drawings(_drawings(9, seed=1))}
    whole = _rnn()
    history = fit_strokes(whole, data, **settings)
    original = checkpoint.Checkpoint.save_now_and_then

    def save(self: checkpoint.Checkpoint, *args: Any) -> None:
        original(self, *args)
        if len(args[4]) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "save_now_and_then", save)
        with pytest.raises(KeyboardInterrupt):
            fit_strokes(_rnn(), data, checkpoint=path, **settings)
    other = Drawings(_drawings(30, seed=5))
    with pytest.raises(ValueError, match="is the checkpoint of a run with other data or settings"):
        fit_strokes(_rnn(), other, checkpoint=path, **settings)
    resumed = _rnn()
    assert fit_strokes(resumed, data, checkpoint=path, **settings) == history
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not path.exists()


def test_what_cannot_be_trained_is_said() -> None:
    data = Drawings(_drawings())
    with pytest.raises(ValueError, match="epochs, batch_size and learning_rate must be positive, got 0"):
        fit_strokes(_rnn(), data, epochs=0)
    with pytest.raises(ValueError, match="wants a text"):
        fit_strokes(_rnn(2), data)
