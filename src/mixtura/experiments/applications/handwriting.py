"""Lines written by hand: a network that is given a text draws it, and another one tries to read that."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mixtura.datasets import random_lines, random_words
from mixtura.experiments.applications.pen import BATCH, COMPONENTS, Line, Pen, draw_lines, learn_to_write
from mixtura.experiments.applications.recogniser import Recogniser, edit_distance, fit_recogniser
from mixtura.experiments.applications.strokes import mean_and_error
from mixtura.experiments.applications.texts import (
    HELD_OUT_LINES,
    HELD_OUT_WORDS,
    VALIDATION_LINES,
    VALIDATION_WORDS,
)
from mixtura.experiments.record import Cell, Curves, Options, Picture, Record, Strokes, Table
from mixtura.training import stroke_nll

__all__ = ["handwriting"]

_KINDS = ("words", "lines")
_LETTERS_OF_A_WORD, _LONGEST, _MOST = (2, 8), 14, 3
"""Of the lines to learn from: letters of a word, characters of a line, words of a line."""
_READABLE = 0.1
"""Character error up to which texts are called readable."""
_SHOWN = 12


@dataclass(frozen=True)
class _Budget:
    """How much of everything."""

    lines: int = 8_000
    epochs: int = 10
    hidden: int = 128
    read: int = 5_000
    reading_epochs: int = 6
    temperatures: tuple[float, ...] = (0.1, 0.3, 0.6, 1.0)
    every: int = 1
    """Of the texts that are kept apart."""


_FULL, _QUICK = _Budget(), _Budget(60, 2, 24, 60, 2, (0.3, 1.0), 12)


def handwriting(options: Options) -> Record:
    """Return how well a reader of drawn lines reads words and lines that a network writes, beside drawn ones."""
    budget = _QUICK if options.quick else _FULL
    held_out = _every(budget.every, HELD_OUT_WORDS, HELD_OUT_LINES)
    validation = _every(budget.every, VALIDATION_WORDS, VALIDATION_LINES)
    choices: list[list[Cell]] = []
    errors: list[list[Cell]] = []
    likelihoods: list[list[Cell]] = []
    pictures: list[Picture] = []
    animation = None
    for seed in options.seeds:
        lines = _practice(budget.lines, seed)
        drawn = draw_lines(lines, seed)
        options.say(f"seed {seed}: {len(lines)} lines of {np.mean([len(d) for d in drawn]):.0f} points on average")
        reader = fit_recogniser(drawn[: budget.read], lines[: budget.read], epochs=budget.reading_epochs, seed=seed)
        real = {kind: draw_lines(texts, seed + 1_000) for kind, texts in held_out.items()}
        errors += [_judged([seed, k, "drawn"], _edits(reader, real[k], held_out[k])) for k in _KINDS]
        options.say(f"seed {seed}: {_both(errors)} of the characters of drawn words and lines are misread")
        start = time.perf_counter()
        pen = learn_to_write(drawn, lines, budget.hidden, budget.epochs, seed)
        seconds = time.perf_counter() - start
        tried = [_tried(pen, reader, validation, t, seed) for t in budget.temperatures]
        choices += tried
        temperature = float(min(tried, key=lambda row: float(row[4] or 0))[1] or 0)
        written = _write(pen, held_out, temperature, seed)
        errors += [_judged([seed, k, "written"], _edits(reader, written[k], held_out[k])) for k in _KINDS]
        options.say(f"seed {seed}: {_both(errors)} of those written at temperature {temperature:g}")
        likelihoods.append([seed, *_likelihoods(pen, real["words"], held_out["words"]), seconds])
        if not pictures:
            pictures, animation = _pictures(pen, real, written, held_out)
    return Record(
        "handwriting",
        "Lines written by hand",
        "A recurrent network is given a text and draws it point by point, looking at its letters through a window that "
        "it moves on by itself, as in Graves 2013. It has learnt from lines of made-up words, drawn with single-stroke "
        "faces of Hershey under random slant, size, width, spacing, speed and tremor, as by so many writers; each next "
        "point is a mixture, as each writer goes on in his own way. Can the English words and lines that it writes, "
        "none of whose words it learnt, be read? A network judges that has learnt to read the same drawn lines and has "
        "never seen a written one.",
        {
            "seeds": list(options.seeds),
            "drawn lines": budget.lines,
            "words of a line": f"1 to {_MOST}",
            "letters of a word": f"{_LETTERS_OF_A_WORD[0]} to {_LETTERS_OF_A_WORD[1]}",
            "characters of a line": f"at most {_LONGEST}",
            "held-out words": len(held_out["words"]),
            "held-out lines": f"{len(held_out['lines'])}, of {_span(held_out['lines'])} characters",
            "validation": f"{len(validation['words'])} words, and lines of four of them",
            "model": f"two LSTMs of {budget.hidden}, {COMPONENTS} Gaussians with full covariance, 10 windows",
            "epochs": budget.epochs,
            "drawings per step": BATCH,
            "lines and epochs of the reader": f"{budget.read}, {budget.reading_epochs}",
            "quick": options.quick,
        },
        _findings(errors, choices, likelihoods),
        [
            Table(
                "What the reader mistakes",
                ("seed", "texts", "by", "character error", "standard error", "texts with an error"),
                errors,
                "Edits that lead from what was read to the text, per character, a space among them, of held-out texts. "
                "Drawn: by new random writers. Written: by the network, which chooses a hand by itself. Neither network"
                " learnt these texts, and no setting was chosen by them. Standard error: over texts.",
            ),
            Table(
                "The choice of the temperature",
                ("seed", "temperature", "words", "lines", "both"),
                choices,
                "Character errors of the texts for validation, as the network writes them; a temperature below one "
                "draws what is likely more often. The one of the least error of both writes the held-out texts.",
            ),
            Table(
                "Negative log-likelihood of the drawn held-out words",
                ("seed", "nats per point", "given another word", "difference per character", "seconds"),
                likelihoods,
                "Of offset and pen together, offsets in standard deviations. Another word: of as many letters. The "
                "difference is what the network has made of the text. Seconds: for learning to write.",
            ),
        ],
        pictures,
        animation,
    )


def _every(step: int, words: Sequence[str], lines: Sequence[str]) -> dict[str, list[str]]:
    return {"words": list(words[::step]), "lines": list(lines[::step])}


def _practice(n: int, seed: int) -> list[str]:
    """Return lines of made-up words, none of which stands in a text that is kept apart."""
    kept = {word for text in (*HELD_OUT_WORDS, *HELD_OUT_LINES, *VALIDATION_WORDS) for word in text.split()}
    words = random_words(6_000, _LETTERS_OF_A_WORD, exclude=kept, random_state=seed)
    return random_lines(n, words, longest=_LONGEST, most=_MOST, random_state=seed)


def _write(pen: Pen, texts: dict[str, list[str]], temperature: float, seed: int) -> dict[str, list[Line]]:
    written = iter(pen.write([text for k in _KINDS for text in texts[k]], temperature, seed))
    return {k: [next(written) for _ in texts[k]] for k in _KINDS}


def _edits(reader: Recogniser, drawings: Sequence[Line], texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the edits of each text and its characters, shape (n, 2)."""
    return np.array(
        [(edit_distance(r, w), len(w)) for r, w in zip(reader.read(drawings), texts, strict=True)], np.float64
    )


def _judged(name: list[Cell], edits: NDArray[np.float64]) -> list[Cell]:
    """Return a row of the table of errors."""
    return [*name, *mean_and_error(*edits.T), float((edits[:, 0] > 0).mean())]


def _tried(pen: Pen, reader: Recogniser, texts: dict[str, list[str]], temperature: float, seed: int) -> list[Cell]:
    """Return a row of the table of temperatures."""
    written = _write(pen, texts, temperature, seed)
    sums = np.array([_edits(reader, written[k], texts[k]).sum(0) for k in _KINDS])
    return [seed, temperature, *(float(edits / n) for edits, n in (*sums, sums.sum(0)))]


def _likelihoods(pen: Pen, drawings: Sequence[Line], words: Sequence[str]) -> tuple[float, float, float]:
    """Return nats per point given the words and given others, and their difference per character."""
    own, other = (stroke_nll(pen.rnn, pen.data(drawings, texts)) for texts in (words, _others(words)))
    nats, points = (float(own[:, 0].sum()), float(other[:, 0].sum())), float(own[:, 1].sum())
    return nats[0] / points, nats[1] / points, (nats[1] - nats[0]) / _characters(words)


def _others(words: Sequence[str]) -> list[str]:
    """Return for each word the next one of as many letters, or itself where there is none."""
    same = {n: [w for w in words if len(w) == n] for n in map(len, words)}
    return [group[(group.index(w) + 1) % len(group)] for w, group in ((w, same[len(w)]) for w in words)]


def _characters(texts: Sequence[str]) -> int:
    return sum(map(len, texts))


def _span(texts: Sequence[str]) -> str:
    lengths = [len(t) for t in texts]
    return f"{min(lengths)} to {max(lengths)}"


def _both(rows: Sequence[Sequence[Cell]]) -> str:
    return " and ".join(f"{row[3]:.1%}" for row in rows[-2:])


def _mean(rows: Sequence[Sequence[Cell]], column: int) -> float:
    return float(np.mean([float(row[column] or 0) for row in rows]))


def _findings(errors: list[list[Cell]], choices: list[list[Cell]], likelihoods: list[list[Cell]]) -> list[str]:
    temperatures = sorted({float(row[1] or 0) for row in choices})
    return [
        *(_finding(kind, [row for row in errors if row[1] == kind]) for kind in _KINDS),
        "Errors of the texts for validation by temperature: "
        + ", ".join(f"{_mean([row for row in choices if row[1] == t], 4):.1%} at {t:g}" for t in temperatures)
        + ".",
        f"Drawn held-out words cost {_mean(likelihoods, 1):.3f} nats per point given the word, and "
        f"{_mean(likelihoods, 2):.3f} given another: {_mean(likelihoods, 3):.1f} nats per character between them.",
    ]


def _finding(kind: str, rows: list[list[Cell]]) -> str:
    drawn, written = ([row for row in rows if row[2] == by] for by in ("drawn", "written"))
    error = _mean(written, 3)
    verdict = "can be read" if error <= _READABLE else "cannot be read" if error > 0.5 else "can be read in part"
    return (
        f"Held-out {kind} that the network writes {verdict}: the reader mistakes {error:.1%} of their characters, and "
        f"{_mean(drawn, 3):.1%} of those of drawn {kind}; it reads {1 - _mean(written, 5):.0%} and "
        f"{1 - _mean(drawn, 5):.0%} of the {kind} without an error."
    )


def _pictures(
    pen: Pen, real: dict[str, list[Line]], written: dict[str, list[Line]], texts: dict[str, list[str]]
) -> tuple[list[Picture], Strokes]:
    def sheet(title: str, kind: str, lines: Sequence[Line], columns: int, aspect: float) -> Strokes:
        n = len(texts[kind])
        shown = range(0, n, max(n // _SHOWN, 1))[:_SHOWN]
        labels = [texts[kind][i] for i in shown]
        return Strokes(f"{kind}, {title}", [lines[i] for i in shown], columns=columns, aspect=aspect, labels=labels)

    pages = [
        [sheet(title, kind, by[kind], columns, aspect) for title, by in (("written", written), ("drawn", real))]
        for kind, columns, aspect in (("words", 4, 3.0), ("lines", 2, 8.0))
    ]
    lines = texts["lines"][:2]
    looks = {line: pen.window(written["lines"][i], line).tolist() for i, line in enumerate(lines)}
    return [
        Picture("Held-out words as the network writes them, and as new writers draw them.", pages[0], columns=1),
        Picture("Held-out lines as the network writes them, and as new writers draw them.", pages[1], columns=1),
        Picture(
            "Where the network looks while it writes two of the lines.",
            [
                Curves(line, range(len(look)), {"window": look}, "point", "character, from 0")
                for line, look in looks.items()
            ],
            columns=2,
        ),
    ], replace(pages[1][0], title="The same lines, as the pen draws them.")
