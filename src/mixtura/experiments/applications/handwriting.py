"""Words written by hand: a network that is given a text draws it, and another one tries to read that."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura.datasets import draw_text, random_words, random_writer, scale_strokes, stroke_scale
from mixtura.experiments.applications.recogniser import Recogniser, edit_distance, fit_recogniser
from mixtura.experiments.applications.strokes import mean_and_error
from mixtura.experiments.record import Cell, Curves, Options, Picture, Record, Strokes, Table
from mixtura.nn import Drawings, StrokeRNN
from mixtura.training import fit_strokes, isolated_seed, stroke_nll

__all__ = ["HELD_OUT_WORDS", "Pen", "codes", "draw_words", "handwriting", "learn_to_write"]

Line = NDArray[np.float32]

_HELD_OUT = """
able about above across after again air animal answer apple baby beauty begin below bird black blood book
bridge bring brother build cause change child circle city clear cloud cold colour common complete country
cover cross dance dark decide deep degree direct doctor dream earth eight engine every example family field
figure final fire fish flower follow force friend garden glass golden great green ground group happy heart
heavy horse hour house hundred island jump key king language laugh letter light machine market measure moon
morning mountain music natural night number ocean order paper pattern picture plant point power question quick
quiet reason record river round science second sentence seven shape simple six square star stone story strange
summer surface system table teacher thing travel tree value village voice water weather week wheel window
winter wonder world yellow young zero
"""
HELD_OUT_WORDS = tuple(_HELD_OUT.split())
"""English words of three to eight letters; nobody learns them."""
_ALPHABET = "abcdefghijklmnopqrstuvwxyz "
"""The space stands behind every word: who looks ahead sees where it ends."""
_LENGTHS = (3, 8)
_TEMPERATURES = (0.3, 0.6, 1.0)
_FIRST = 0.3
"""Temperature of the pictures and of the finding."""
_READABLE = 0.1
"""Character error up to which words are called readable."""
_SHOWN, _COLUMNS = 24, 4


@dataclass(frozen=True)
class _Budget:
    """How much of everything."""

    words: int = 6_000
    epochs: int = 16
    hidden: int = 128
    reading_epochs: int = 8


_FULL, _QUICK = _Budget(), _Budget(words=120, epochs=2, hidden=24, reading_epochs=2)
_BATCH, _RATE, _COMPONENTS = 32, 8e-3, 10


@dataclass(frozen=True)
class Pen:
    """A network that writes, with what it needs to go from letters to heights of a capital."""

    rnn: StrokeRNN
    scale: NDArray[np.float64]
    """Standard deviations of the offsets that it was trained on, shape (2,)."""

    def write(self, words: Sequence[str], temperature: float = _FIRST, random_state: int | None = 0) -> list[Line]:
        """Return each word, in letters a to z, as strokes in heights of a capital, each in a hand of its own."""
        longest = 30 * max(map(len, words))
        drawn = self.rnn.generate(
            text=codes(words), temperature=temperature, max_points=longest, random_state=random_state
        )
        return scale_strokes(drawn, 1 / self.scale)

    def window(self, drawing: Line, word: str) -> NDArray[np.float32]:
        """Return where in the word the network looks before each point, in characters from the first."""
        b = self.data([drawing], [word]).batch(torch.tensor([0]))
        assert b.text is not None
        with torch.no_grad():
            phi = self.rnn.attention(b.points, b.text)[0]
        return ((phi @ torch.arange(phi.shape[-1]).to(phi)) / phi.sum(-1)).numpy()

    def data(self, drawings: Sequence[Line], words: Sequence[str]) -> Drawings:
        """Return words and drawings in heights of a capital as the network takes them."""
        return Drawings(scale_strokes(drawings, self.scale), codes(words))


def handwriting(options: Options) -> Record:
    """Return how well a reader of drawn words reads those that a network writes, beside drawn ones."""
    budget = _QUICK if options.quick else _FULL
    held_out = list(HELD_OUT_WORDS)[:: 10 if options.quick else 1]
    errors: list[list[Cell]] = []
    likelihoods: list[list[Cell]] = []
    pictures: list[Picture] = []
    animation = None
    for seed in options.seeds:
        words = random_words(budget.words, _LENGTHS, exclude=HELD_OUT_WORDS, random_state=seed)
        drawn, real = draw_words(words, seed), draw_words(held_out, seed + 1_000)
        options.say(f"seed {seed}: {len(words)} words of {np.mean([len(d) for d in drawn]):.0f} points on average")
        reader = fit_recogniser(drawn, words, epochs=budget.reading_epochs, seed=seed)
        errors.append(_judged("drawn", seed, reader, real, held_out))
        options.say(f"seed {seed}: {errors[-1][2]:.1%} of the characters of drawn words are misread")
        start = time.perf_counter()
        pen = learn_to_write(drawn, words, budget.hidden, budget.epochs, seed)
        seconds = time.perf_counter() - start
        for t in _TEMPERATURES:
            written = pen.write(held_out, t, seed)
            errors.append(_judged(_written(t), seed, reader, written, held_out))
            options.say(f"seed {seed}: {errors[-1][2]:.1%} of those written at temperature {t:g}")
            if t == _FIRST and not pictures:
                pictures, animation = _pictures(pen, real, written, held_out)
        nll = [stroke_nll(pen.rnn, pen.data(real, text)) for text in (held_out, _others(held_out))]
        own, other = (float(n[:, 0].sum() / n[:, 1].sum()) for n in nll)
        likelihoods.append([seed, own, other, float((nll[1] - nll[0])[:, 0].sum() / _characters(held_out)), seconds])
    return Record(
        "handwriting",
        "Words written by hand",
        "A recurrent network is given a word and draws it point by point, looking at its letters through a window that "
        "it moves on by itself, as in Graves 2013. It has learnt from made-up words, drawn with single-stroke faces of "
        "Hershey under random slant, size, width, spacing, speed and tremor, as by so many writers; each next point is "
        "a mixture, as each writer goes on in his own way. Can the English words that it writes, none of which it "
        "learnt, be read? A network judges that has learnt to read the same drawn words and has never seen a written "
        "one.",
        {
            "seeds": list(options.seeds),
            "drawn words": budget.words,
            "letters of a word": f"{_LENGTHS[0]} to {_LENGTHS[1]}",
            "held-out words": len(held_out),
            "model": f"two LSTMs of {budget.hidden}, {_COMPONENTS} Gaussians with full covariance, 10 windows",
            "epochs": budget.epochs,
            "drawings per step": _BATCH,
            "epochs of the reader": budget.reading_epochs,
            "quick": options.quick,
        },
        _findings(errors, likelihoods),
        [
            Table(
                "What the reader mistakes",
                ("words", "seed", "character error", "standard error", "words with an error"),
                errors,
                "Edits that lead from what was read to the word, per character, of held-out words that neither network "
                "learnt. Drawn: by new random writers. Written: by the network, which chooses a hand by itself; a "
                "temperature below one draws what is likely more often. Standard error: over words.",
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


def learn_to_write(drawings: Sequence[Line], words: Sequence[str], hidden: int, epochs: int, seed: int = 0) -> Pen:
    """Return the network that has learnt to draw words from drawings of others."""
    with isolated_seed(seed):
        pen = Pen(StrokeRNN(hidden, _COMPONENTS, characters=len(_ALPHABET)), stroke_scale(drawings))
    data = pen.data(drawings, words)
    fit_strokes(pen.rnn, data, epochs=epochs, batch_size=_BATCH, learning_rate=_RATE, seed=seed)
    return pen


def draw_words(words: Sequence[str], seed: int = 0) -> list[Line]:
    """Return each word as drawn by a writer of its own."""
    rng = np.random.default_rng(seed)
    return [draw_text(word, random_writer(rng), rng) for word in words]


def codes(words: Sequence[str]) -> list[list[int]]:
    """Return the places in the alphabet, from 0, of the letters of each word and of the space behind it."""
    return [[_ALPHABET.index(c) for c in f"{word} "] for word in words]


def _judged(name: str, seed: int, reader: Recogniser, drawings: Sequence[Line], words: Sequence[str]) -> list[Cell]:
    """Return a row of the table of errors."""
    edits = np.array([edit_distance(r, w) for r, w in zip(reader.read(drawings), words, strict=True)])
    return [name, seed, *mean_and_error(edits, np.array([len(w) for w in words])), float((edits > 0).mean())]


def _written(temperature: float) -> str:
    return f"written at temperature {temperature:g}"


def _others(words: Sequence[str]) -> list[str]:
    """Return for each word the next one of as many letters, or itself where there is none."""
    same = {n: [w for w in words if len(w) == n] for n in map(len, words)}
    return [group[(group.index(w) + 1) % len(group)] for w, group in ((w, same[len(w)]) for w in words)]


def _characters(words: Sequence[str]) -> int:
    return sum(map(len, words))


def _mean(rows: Sequence[Sequence[Cell]], column: int) -> float:
    return float(np.mean([float(row[column] or 0) for row in rows]))


def _findings(errors: list[list[Cell]], likelihoods: list[list[Cell]]) -> list[str]:
    error = {name: _mean([r for r in errors if r[0] == name], 2) for name in dict.fromkeys(r[0] for r in errors)}
    whole = {name: 1 - _mean([r for r in errors if r[0] == name], 4) for name in error}
    own, first = error["drawn"], error[_written(_FIRST)]
    verdict = "can be read" if first <= _READABLE else "cannot be read" if first > 0.5 else "can be read in part"
    best = min(_TEMPERATURES, key=lambda t: error[_written(t)])
    return [
        f"Held-out words written at temperature {_FIRST:g} {verdict}: the reader mistakes {first:.1%} of their "
        f"characters, and {own:.1%} of those of drawn words; it reads {whole[_written(_FIRST)]:.0%} and "
        f"{whole['drawn']:.0%} of the words without an error.",
        "Errors by temperature: "
        + ", ".join(f"{error[_written(t)]:.1%} at {t:g}" for t in _TEMPERATURES)
        + f"; fewest at {best:g}.",
        f"Drawn held-out words cost {_mean(likelihoods, 1):.3f} nats per point given the word, and "
        f"{_mean(likelihoods, 2):.3f} given another: {_mean(likelihoods, 3):.1f} nats per character between them.",
    ]


def _pictures(
    pen: Pen, real: Sequence[Line], written: Sequence[Line], words: Sequence[str]
) -> tuple[list[Picture], Strokes]:
    shown = range(0, len(words), max(len(words) // _SHOWN, 1))[:_SHOWN]
    sheets = [
        Strokes(title, [lines[i] for i in shown], columns=_COLUMNS, aspect=3.0, labels=[words[i] for i in shown])
        for title, lines in ((_written(_FIRST), written), ("drawn", real))
    ]
    looks = {words[i]: pen.window(written[i], words[i]).tolist() for i in shown[:4]}
    return [
        Picture("Held-out words as the network writes them, and as new writers draw them.", sheets, columns=1),
        Picture(
            "Where the network looks while it writes four of the words.",
            [
                Curves(word, range(len(look)), {"window": look}, "point", "letter, from 0")
                for word, look in looks.items()
            ],
            columns=4,
        ),
    ], replace(sheets[0], title=f"The same words, {_written(_FIRST)}, as the pen draws them.")
