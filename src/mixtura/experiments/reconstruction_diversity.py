"""One code of one dimension, thirty answers: are they different, right and real?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from mixtura.experiments.answers import Answers, answers, answers_sheet, best_error, distance_apart, nearest_distance
from mixtura.experiments.classifier import ImageClassifier, confidence
from mixtura.experiments.coding import CODE_VARIANCE, NOISELESS, Coded, autoencoder_for, learn_code, moons
from mixtura.experiments.digits import read_digits
from mixtura.experiments.record import Cell, Options, Picture, Record, Scatter, Table
from mixtura.metrics import diversity

__all__ = ["reconstruction_diversity"]

_CENTERS = 30
_MOONS, _IMAGES = 800, 5000
_STEPS = {"moons": 2400, "digits": 1000, "MNIST": 300}
_QUICK = 64
_SHOWN, _COLUMNS = 10, 16
_JUDGED = 5
"""Draws of every input that the classifier judges and whose nearest real row is looked for."""
_MIXTURE, _STANDARD, _REAL = "30 centers", "standard autoencoder", "other real rows"
_ASKED = {"moons": 0.5, "digits": 0.75, "MNIST": 0.75}
"""Best of 30 over the standard autoencoder's error, at most."""


@dataclass(frozen=True)
class _Data:
    name: str
    train: Tensor
    """Rows, or images."""
    test: Tensor
    classifier: ImageClassifier | None = None


@dataclass(frozen=True)
class _Scores:
    data: str
    seed: int
    model: str
    best: float
    best_drawn: float
    mean: float
    apart: float
    nearest: float
    agreement: float | None
    confidence: float | None

    def cells(self) -> list[Cell]:
        numbers = [self.best, self.best_drawn, self.mean, self.apart, self.nearest, self.agreement, self.confidence]
        return [self.data, self.model, self.seed, *(None if n is None or math.isnan(n) else n for n in numbers)]


def reconstruction_diversity(options: Options) -> Record:
    """Return how good and how different thirty answers to a code of one dimension are, on points and on digits."""
    digits = read_digits(options)
    name = "digits" if digits.train.shape[-1] == 8 else "MNIST"
    images = _Data(name, digits.train[:_IMAGES], digits.test[:400], digits.classifier)
    if name == "digits":
        images = _Data(name, images.train.flatten(1), images.test.flatten(1), digits.classifier)
    scores: list[_Scores] = []
    pictures: list[Picture] = []
    seconds: dict[str, list[float]] = {}
    for seed in options.seeds:
        points = _Data("moons", moons(_MOONS, seed), moons(_MOONS, seed + 10_000))
        for data in (points, images) if name == "digits" or seed == options.seeds[0] else (points,):
            found, coded = _run(data, _QUICK if options.quick else _STEPS[data.name], seed)
            scores += [_score(data, seed, model, a) for model, a in found.items()]
            seconds.setdefault(data.name, []).append(coded.seconds)
            if seed == options.seeds[0]:
                pictures.append(_picture(data, found))
                scores.append(_floor(data, seed))
            options.say(
                "; ".join(_line(s) for s in scores if s.model != _REAL and (s.data, s.seed) == (data.name, seed))
            )
    shape = "x".join(map(str, digits.train.shape[-2:]))
    return Record(
        "reconstruction-diversity",
        "One code, thirty answers",
        "Where a code is small, many X share it. A standard autoencoder answers with their mean, which may be like "
        "none of them; the mixture decoder of the second paper lists them. Both have the same layers and a code of one "
        "dimension. Asked for: the best of 30 answers has at most half the squared error of the standard autoencoder "
        "on moons and three quarters of it on digits, while the answers are as near to real data. The last has a "
        "limit: an answer drawn from p(X|Y) itself is as far from the nearest training row as any other real row is; "
        "only an average, which lies where data is densest, can be nearer.",
        {
            "data": f"{_MOONS} samples of two moons with noise of sd 0.1 and as many others to judge by; "
            f"{len(images.train):,} digits of {shape} pixels, 400 others to judge by",
            "seeds": list(options.seeds),
            "steps": _QUICK if options.quick else {d: _STEPS[d] for d in ("moons", name)},
            "mixture": f"{_CENTERS} centers, conditional cost, noise of variance {CODE_VARIANCE} on the codes",
            "standard autoencoder": "one center, squared error, no noise on the codes",
            "network": "two layers of 128; for 28 x 28 pixels convolutions from 32 channels and a layer of 128",
            "seconds of training, 30 centers": {d: round(sum(s) / len(s), 1) for d, s in seconds.items()},
            "judge": f"classifier trained here, {digits.accuracy:.1%} right",
            "quick": options.quick,
        },
        _findings(scores),
        [_table(scores)],
        pictures,
    )


def _run(data: _Data, steps: int, seed: int) -> tuple[dict[str, Answers], Coded]:
    hidden = (128, 128) if data.train.dim() == 2 else (128, 32)
    mixture = autoencoder_for(data.train, centers=_CENTERS, hidden=hidden, seed=seed)
    standard = autoencoder_for(data.train, centers=1, hidden=hidden, code_variance=NOISELESS, seed=seed)
    coded = learn_code(mixture, data.train, steps=steps, seed=seed)
    learn_code(standard, data.train, "squared_error", steps=steps, seed=seed)
    return {m: answers(net, data.test) for m, net in ((_MIXTURE, mixture), (_STANDARD, standard))}, coded


def _score(data: _Data, seed: int, model: str, a: Answers) -> _Scores:
    some = a.drawn[:, :_JUDGED]
    return _Scores(
        data.name,
        seed,
        model,
        best_error(a.centers, data.test),
        best_error(a.drawn, data.test),
        a.mean_error(data.test),
        distance_apart(a.drawn),
        nearest_distance(some, data.train.flatten(1)),
        *_opinion(data, some),
    )


def _opinion(data: _Data, points: Tensor) -> tuple[float | None, float | None]:
    """Return the share of points of the class of their input, both by the classifier, and how sure it is of them."""
    if data.classifier is None:
        return None, None
    side = round(data.test[0].numel() ** 0.5)
    of = data.classifier.predict_proba(data.test.reshape(-1, 1, side, side)).argmax(-1)
    p = data.classifier.predict_proba(points.reshape(-1, 1, side, side))
    same = p.argmax(-1).reshape(len(of), -1) == of.unsqueeze(-1)
    return same.double().mean().item(), confidence(p)


def _floor(data: _Data, seed: int) -> _Scores:
    """Return what the rows that judge score themselves, where that means anything."""
    rows, nan = data.test.flatten(1), math.nan
    nearest, sure = nearest_distance(rows, data.train.flatten(1)), _opinion(data, rows.unsqueeze(1))[1]
    return _Scores(data.name, seed, _REAL, nan, nan, nan, diversity(rows), nearest, None, sure)


def _line(s: _Scores) -> str:
    return f"{s.data} seed {s.seed}, {s.model}: best {s.best:.4g}, nearest real {s.nearest:.3g}"


def _mean(scores: list[_Scores], data: str, model: str, name: str) -> float:
    found = [getattr(s, name) for s in scores if (s.data, s.model) == (data, model)]
    return sum(found) / len(found)


def _findings(scores: list[_Scores]) -> list[str]:
    found: list[str] = []
    for data in dict.fromkeys(s.data for s in scores):

        def pairs(a: str, b: str, data: str = data) -> list[float]:
            own, other = ([s for s in scores if (s.data, s.model) == (data, m)] for m in (_MIXTURE, _STANDARD))
            return [getattr(x, a) / getattr(y, b) for x, y in zip(own, other, strict=True)]

        best, drawn, near = pairs("best", "best"), pairs("best_drawn", "best"), pairs("nearest", "nearest")
        reached = sum(r <= _ASKED[data] for r in best)
        found.append(
            f"{data}: the best of 30 centers has {_range(best)} of the squared error of the standard autoencoder "
            f"(asked for at most {_ASKED[data]}: reached in {reached} of {len(best)} seeds); the best of 30 draws by "
            f"weight, {_range(drawn)}."
        )
        real = _mean(scores, data, _REAL, "nearest")
        found.append(
            f"{data}: an answer is {_mean(scores, data, _MIXTURE, 'nearest'):.3g} from the nearest real row, the "
            f"standard autoencoder's {_mean(scores, data, _STANDARD, 'nearest'):.3g}, other real rows {real:.3g} (as "
            f"near as the autoencoder's in {sum(r <= 1 for r in near)} of {len(near)} seeds; exact "
            "answers would be as near as real rows)."
        )
        found.append(
            f"{data}: two answers to one input are {_mean(scores, data, _MIXTURE, 'apart'):.3g} apart, two real rows "
            f"{_mean(scores, data, _REAL, 'apart'):.3g}."
        )
    judged = [s for s in scores if s.agreement is not None]
    if judged:
        d = judged[0].data
        words = [
            f"{m} {_mean(judged, d, m, 'agreement'):.0%}, and is sure of {_mean(judged, d, m, 'confidence'):.0%}"
            for m in (_MIXTURE, _STANDARD)
        ]
        found.append(
            f"{d}: the classifier gives an answer the class of its input: {'; '.join(words)}. Of real images it is "
            f"sure of {_mean(scores, d, _REAL, 'confidence'):.0%}."
        )
    return found


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:.2g}" if len(values) == 1 else f"{low:.2g} to {high:.2g}"


def _table(scores: list[_Scores]) -> Table:
    return Table(
        "Answers to the codes of rows that training never saw",
        (
            "data",
            "model",
            "seed",
            "best of 30",
            "best drawn",
            "mean error",
            "apart",
            "nearest",
            "agreement",
            "confidence",
        ),
        [s.cells() for s in scores],
        "Errors are squared distances from the input. Best of 30: the nearest of all centers; drawn: of 30 draws by "
        "weight. Apart and nearest: distance of two of these draws, and of one from the nearest training row. "
        "Agreement: draws to which the classifier gives the class of the input. Other real rows: those judged by.",
    )


def _picture(data: _Data, found: dict[str, Answers]) -> Picture:
    if data.train.shape[1:] == (2,):
        return Picture(
            "One draw for each of 800 other samples (blue), over the data (grey).",
            [Scatter(f"{data.name}, {m}", a.drawn[:, 0].numpy(), data.train.numpy()) for m, a in found.items()],
            columns=2,
        )
    side = round(data.test[0].numel() ** 0.5)
    columns = [found[_STANDARD].centers, found[_MIXTURE].by_weight(_COLUMNS - 2)]
    return Picture(
        f"In every row: an input, the answer of the standard autoencoder, and {_COLUMNS - 2} of the 30 centers, those "
        "that weigh most first.",
        [answers_sheet(data.name, data.test.reshape(-1, 1, side, side), columns, _SHOWN)],
        columns=1,
    )
