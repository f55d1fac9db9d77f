"""The pen that learns from drawn lines: texts as numbers, units there and back, and where it looks."""

import numpy as np
import pytest
import torch

from mixtura.nn import StrokeRNN

pytest.importorskip("HersheyFonts")

from mixtura.experiments.applications.pen import Pen, codes, draw_lines


def _pen(scale: tuple[float, float]) -> Pen:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Pen(StrokeRNN(16, 3, characters=28), np.array(scale))


def test_an_end_stands_behind_every_text() -> None:
    assert codes(["a cab", "z"]) == [[0, 26, 2, 0, 1, 27], [25, 27]]


def test_texts_are_written_in_the_units_they_were_drawn_in() -> None:
    one, other = (_pen(scale).write(["cat", "a horse"], 1.0, 3) for scale in ((1.0, 1.0), (0.5, 0.25)))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(b, a * np.array([0.5, 0.25, 1]), rtol=1e-6)
    drawn = draw_lines(["cat"], seed=1)
    points = _pen((0.5, 0.25)).data(drawn, ["cat"]).points.numpy()
    np.testing.assert_allclose(points[:, :2], drawn[0][:, :2] / [0.5, 0.25], rtol=1e-6)


def test_the_window_is_the_mean_of_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    pen = _pen((1.0, 1.0))
    phi = torch.tensor([[[1.0, 0, 0, 0], [1, 0, 3, 0], [0, 0, 0, 0.5]]])
    monkeypatch.setattr(pen.rnn, "attention", lambda points, text: phi)
    assert pen.window(np.zeros((3, 3), np.float32), "cat").tolist() == [0, 1.5, 3]
