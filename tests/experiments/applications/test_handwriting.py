"""The experiment on handwriting: words kept apart, units there and back, the judge's counts, and a quick run."""

import importlib
import json
from typing import Any

import numpy as np
import pytest
import torch

from mixtura.datasets import random_words
from mixtura.experiments import EXPERIMENTS, Options, Strokes
from mixtura.nn import StrokeRNN

pytest.importorskip("HersheyFonts")
HANDWRITING = importlib.import_module("mixtura.experiments.applications.handwriting")


def _pen(scale: tuple[float, float]) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return HANDWRITING.Pen(StrokeRNN(16, 3, characters=27), np.array(scale))


def test_held_out_words_are_different_and_of_the_lengths_that_are_learnt() -> None:
    words = HANDWRITING.HELD_OUT_WORDS
    assert len(set(words)) == len(words) > 100
    assert {len(w) for w in words} == set(range(3, 9))
    assert not set(words) & set(random_words(500, (3, 8), exclude=words, random_state=0))


def test_a_space_stands_behind_every_word() -> None:
    assert HANDWRITING.codes(["cab", "z"]) == [[2, 0, 1, 26], [25, 26]]


def test_words_are_written_in_the_units_they_were_drawn_in() -> None:
    one, other = (_pen(scale).write(["cat", "horse"], 1.0, 3) for scale in ((1.0, 1.0), (0.5, 0.25)))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(b, a * np.array([0.5, 0.25, 1]), rtol=1e-6)
    drawn = HANDWRITING.draw_words(["cat"], seed=1)
    points = _pen((0.5, 0.25)).data(drawn, ["cat"]).points.numpy()
    np.testing.assert_allclose(points[:, :2], drawn[0][:, :2] / [0.5, 0.25], rtol=1e-6)


def test_the_window_is_the_mean_of_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    pen = _pen((1.0, 1.0))
    phi = torch.tensor([[[1.0, 0, 0, 0], [1, 0, 3, 0], [0, 0, 0, 0.5]]])
    monkeypatch.setattr(pen.rnn, "attention", lambda points, text: phi)
    assert pen.window(np.zeros((3, 3), np.float32), "cat").tolist() == [0, 1.5, 3]


def test_errors_are_counted_per_character() -> None:
    reader: Any = type("Reader", (), {"read": lambda self, drawings: ["cat", "hrse", "it"]})()
    name, seed, error, spread, whole = HANDWRITING._judged("name", 7, reader, [], ["cat", "horse", "at"])
    assert (name, seed) == ("name", 7)
    assert error == pytest.approx(2 / 10)
    residual = np.array([0, 1, 1]) - 0.2 * np.array([3, 5, 2])
    assert spread == pytest.approx(np.sqrt(np.square(residual).sum() * 3 / 2) / 10)
    assert whole == pytest.approx(2 / 3)


def test_another_word_has_as_many_letters() -> None:
    assert HANDWRITING._others(["cat", "horse", "dog", "pig", "house"]) == ["dog", "house", "pig", "cat", "horse"]


def test_findings_say_what_the_numbers_say() -> None:
    def found(written: float) -> list[str]:
        names = ["drawn", *map(HANDWRITING._written, HANDWRITING._TEMPERATURES)]
        errors = [[n, s, 0.01 if n == "drawn" else written + s / 50, 0.0, 0.2] for n in names for s in (0, 1)]
        return HANDWRITING._findings(errors, [[0, -1.0, 0.5, 12.0, 1.0], [1, -2.0, 0.5, 14.0, 1.0]])

    assert "can be read: the reader mistakes 5.0% of their characters, and 1.0%" in found(0.04)[0]
    assert "can be read in part" in found(0.3)[0]
    assert "cannot be read" in found(0.6)[0]
    assert "it reads 80% and 80% of the words" in found(0.6)[0]
    assert "-1.500 nats per point given the word, and 0.500 given another: 13.0 nats" in found(0.6)[2]


def test_quick_run() -> None:
    lines: list[str] = []
    record = EXPERIMENTS["handwriting"](Options(quick=True, say=lines.append))
    json.dumps(record.to_json(), allow_nan=False)
    errors, likelihoods = record.tables
    assert [row[0] for row in errors.rows] == ["drawn", *map(HANDWRITING._written, HANDWRITING._TEMPERATURES)]
    assert isinstance(record.animation, Strokes)
    written, drawn = record.pictures[0].panels
    assert isinstance(written, Strokes)
    assert isinstance(drawn, Strokes)
    assert len(written.drawings) == len(drawn.drawings) == len(written.labels)
    assert f"{float(likelihoods.rows[0][1] or 0):.3f} nats per point" in record.findings[2]
