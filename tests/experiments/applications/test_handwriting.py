"""The experiment on handwriting: lines to learn from, the judge's counts, what the findings say, and a quick run."""

import importlib
import json
from typing import Any

import numpy as np
import pytest

from mixtura.experiments import EXPERIMENTS, Options, Strokes
from mixtura.experiments.applications.texts import HELD_OUT_LINES, HELD_OUT_WORDS, VALIDATION_WORDS

pytest.importorskip("HersheyFonts")
HANDWRITING = importlib.import_module("mixtura.experiments.applications.handwriting")


def test_nobody_learns_a_word_that_is_kept_apart_nor_a_line_as_long() -> None:
    lines = HANDWRITING._practice(2_000, seed=0)
    words = {word for line in lines for word in line.split(" ")}
    assert not words & {w for text in (*HELD_OUT_WORDS, *HELD_OUT_LINES, *VALIDATION_WORDS) for w in text.split(" ")}
    assert max(map(len, lines)) < min(map(len, HELD_OUT_LINES))


def test_errors_are_counted_per_character() -> None:
    reader: Any = type("Reader", (), {"read": lambda self, drawings: ["cat", "hrse", "ita"]})()
    seed, name, error, spread, whole = HANDWRITING._judged(
        [7, "name"], HANDWRITING._edits(reader, [], ["cat", "horse", "it a"])
    )
    assert (seed, name) == (7, "name")
    assert error == pytest.approx(2 / 12)
    residual = np.array([0, 1, 1]) - 1 / 6 * np.array([3, 5, 4])
    assert spread == pytest.approx(np.sqrt(np.square(residual).sum() * 3 / 2) / 12)
    assert whole == pytest.approx(2 / 3)


def test_a_temperature_is_judged_by_the_characters_of_words_and_lines_together() -> None:
    reader: Any = type("Reader", (), {"read": lambda self, drawings: drawings})()
    pen: Any = type("Pen", (), {"write": lambda self, texts, temperature, seed: [t.replace("x", "") for t in texts]})()
    row = HANDWRITING._tried(pen, reader, {"words": ["axe", "ox"], "lines": ["an axe for an ox x"]}, 0.3, 5)
    assert row == pytest.approx([5, 0.3, 2 / 5, 3 / 18, 5 / 23])


def test_another_word_has_as_many_letters() -> None:
    assert HANDWRITING._others(["cat", "horse", "dog", "pig", "house"]) == ["dog", "house", "pig", "cat", "horse"]


def test_findings_say_what_the_numbers_say() -> None:
    def found(written: float) -> list[str]:
        errors = [
            [seed, kind, by, 0.01 if by == "drawn" else written + seed / 50, 0.0, 0.2]
            for seed in (0, 1)
            for kind in HANDWRITING._KINDS
            for by in ("drawn", "written")
        ]
        choices = [[0, t, 0.0, 0.0, t / 10] for t in (0.3, 0.6, 1.0)]
        return HANDWRITING._findings(errors, choices, [[0, -1.0, 0.5, 12.0, 1.0], [1, -2.0, 0.5, 14.0, 1.0]])

    words, lines, temperatures, likelihoods = found(0.04)
    assert "words that the network writes can be read: the reader mistakes 5.0% of their characters, and 1.0%" in words
    assert "lines that the network writes can be read: " in lines
    assert "can be read in part" in found(0.3)[1]
    assert "cannot be read" in found(0.6)[1]
    assert "it reads 80% and 80% of the lines" in lines
    assert temperatures.endswith(": 3.0% at 0.3, 6.0% at 0.6, 10.0% at 1.")
    assert "-1.500 nats per point given the word, and 0.500 given another: 13.0 nats" in likelihoods


def test_quick_run() -> None:
    lines: list[str] = []
    record = EXPERIMENTS["handwriting"](Options(quick=True, say=lines.append))
    json.dumps(record.to_json(), allow_nan=False)
    errors, choices, likelihoods = record.tables
    assert [row[1:3] for row in errors.rows] == [[k, by] for by in ("drawn", "written") for k in ("words", "lines")]
    best = min(choices.rows, key=lambda row: float(row[4] or 0))[1]
    assert lines[-1].endswith(f"written at temperature {best:g}")
    assert isinstance(record.animation, Strokes)
    for page in record.pictures[:2]:
        written, drawn = page.panels
        assert isinstance(written, Strokes)
        assert isinstance(drawn, Strokes)
        assert len(written.drawings) == len(drawn.drawings) == len(written.labels)
    assert f"{float(likelihoods.rows[0][1] or 0):.3f} nats per point" in record.findings[3]
