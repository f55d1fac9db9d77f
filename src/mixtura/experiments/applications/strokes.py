"""Characters drawn point by point: what a mixture with full covariance knows of the next point that others do not."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixtura.datasets import data_file, read_strokes, scale_strokes, stroke_scale
from mixtura.distributions import Diagonal, GaussianMixture, StrokePoint
from mixtura.experiments.record import Cell, Options, Picture, Record, Strokes, Table
from mixtura.nn import Drawings, StrokeRNN
from mixtura.nn.heads import CovarianceKind
from mixtura.training import fit_strokes, isolated_seed, stroke_nll

__all__ = [
    "Characters",
    "characters",
    "learn_characters",
    "made_up_characters",
    "mean_and_error",
    "read_characters",
    "uncorrelated",
]

_STEPS = {"omniglot": 6.0, "kanji": 1.0}
"""Of the grid that the points of each file lie on, in its units."""
_HEADS: dict[str, tuple[int, CovarianceKind]] = {
    "20 Gaussians, full": (20, "full"),
    "20 Gaussians, diagonal": (20, "diagonal"),
    "one Gaussian, full": (1, "full"),
}
_FIRST, _LAST = "20 Gaussians, full", "one Gaussian, full"
_CUT = "20 Gaussians, full, correlations set to zero"
"""After the training: what they are worth to the network that has them."""
_TRAINED, _QUICK = 10_000, 150
_EPOCHS, _BATCH, _RATE, _HIDDEN = 6, 32, 1e-2, 256
_TEMPERATURES = (1.0, 0.4)
_SHOWN = 32
_CLEAR = 4.0
"""Standard errors that make a difference clear."""


@dataclass(frozen=True)
class Characters:
    """Drawings in units of the standard deviations of the training offsets."""

    name: str
    train: Drawings
    valid: Drawings
    test: Drawings
    real: list[NDArray[np.float32]]
    """The first of the test drawings."""
    scale: NDArray[np.float64]
    """Those standard deviations, in units of the file, shape ``(2,)``."""
    floor: tuple[float, float]
    """Of the components' scales: the step of the grid over √12."""


def characters(options: Options) -> Record:
    """Return the likelihood of held-out drawings under three heads of one network, and what the first one draws."""
    sets = read_characters(options)
    found: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    rows: list[list[Cell]] = []
    pictures: list[Picture] = []
    for data in sets:
        panels = [Strokes(f"{data.name}: real", data.real)]
        for head in _HEADS:
            for seed in options.seeds:
                start = time.process_time()
                rnn = learn_characters(data, head, seed, quick=options.quick)
                seconds = time.process_time() - start
                judged = {head: stroke_nll(rnn, data.test)}
                if head == _FIRST:
                    judged[_CUT] = stroke_nll(lambda *batch, rnn=rnn: uncorrelated(rnn(*batch)), data.test)
                for name, nll in judged.items():
                    found.setdefault((data.name, name), []).append(nll)
                    mean, error = mean_and_error(*nll.T)
                    clock = seconds if name == head else None
                    rows.append([data.name, name, seed, mean, error, mean + math.log(data.scale.prod()), clock])
                mean, _ = mean_and_error(*judged[head].T)
                options.say(f"{data.name}, {head}, seed {seed}: {mean:.3f} nats per point, {seconds:.0f} s")
                if seed == options.seeds[0] and head in (_FIRST, _LAST):
                    panels += _drawn(rnn, head, len(data.real), _TEMPERATURES if head == _FIRST else (1.0,))
        pictures.append(
            Picture(
                f"{data.name}: real drawings that were not trained on, and drawn ones at two temperatures.", panels, 2
            )
        )
    return Record(
        "strokes",
        "A network that draws characters",
        "A recurrent network reads the points of a drawing one by one and says where the pen goes next, and whether it "
        "leaves the paper, as in Graves 2013. The next point is one of several: the pen goes on, turns, or begins "
        "another stroke. A mixture says so, and its covariances lie along the strokes; one Gaussian must cover all.",
        {
            "seeds": list(options.seeds),
            "drawings": {d.name: f"{len(d.train)} to learn from, {len(d.test)} to judge" for d in sets},
            "units (dx, dy)": {d.name: [round(float(s), 3) for s in d.scale] for d in sets},
            "floor of the scales": {d.name: [round(f, 5) for f in d.floor] for d in sets},
            "epochs": _epochs(options.quick),
            "drawings per step": _BATCH,
            "width of the LSTM": _hidden(options.quick),
            "quick": options.quick,
        },
        [_finding(name, found) for name in dict.fromkeys(name for name, _ in found)],
        [
            Table(
                "Negative log-likelihood of held-out drawings",
                ("drawings", "head", "seed", "nats per point", "standard error", "in units of the file", "CPU seconds"),
                rows,
                "Of offset and pen together, mean over the points of all test drawings; the smaller the better. "
                "Offsets are in standard deviations of the training offsets (the Settings name them); the last but one "
                "column is per squared unit of the file. Standard error: over drawings. No scale is below the step of "
                "the file's grid over √12, as spikes on a grid would be rewarded without limit.",
            )
        ],
        pictures,
    )


def read_characters(options: Options) -> list[Characters]:
    """Return the drawings of the folder of the options; with ``quick`` and no folder, some that are made up.

    Raises:
        FileNotFoundError: where there is no folder, or it lacks a file.
    """
    n = _QUICK if options.quick else _TRAINED
    if options.data is None and options.quick:
        options.say("No folder of drawings is given (--data or MIXTURA_DATA): made-up characters are used.")
        made = [made_up_characters(k, seed) for seed, k in enumerate((n, n // 3, n // 3))]
        return [_scaled("made up", made, n, 1.0)]
    found = []
    for name, step in _STEPS.items():
        path = data_file(f"strokes_{name}.npz", options.data)
        found.append(_scaled(name, [read_strokes(path, split) for split in ("train", "valid", "test")], n, step))
    return found


def made_up_characters(n: int, seed: int) -> list[NDArray[np.float32]]:
    """Return n drawings of two or three straight strokes on a grid of step 1, each to one of a few ends.

    Example:
        >>> [d.shape[1] for d in made_up_characters(2, seed=0)]
        [3, 3]
    """
    rng = np.random.default_rng(seed)
    ends = np.array([[40, 0], [0, 40], [30, 30], [-30, 30]])
    drawings = []
    for _ in range(n):
        strokes = []
        for end in ends[rng.integers(4, size=rng.integers(2, 4))]:
            k = int(rng.integers(2, 5))
            jump = [[*rng.integers(-20, 21, 2), 0]]
            line = np.column_stack([np.rint(end * rng.uniform(0.6, 1.4, (k, 1)) / k), np.arange(1, k + 1) == k])
            strokes += [jump, line]
        drawings.append(np.concatenate(strokes).astype(np.float32))
    return drawings


def learn_characters(data: Characters, head: str, seed: int = 0, quick: bool = False) -> StrokeRNN:
    """Return the network that has learnt the training drawings with one of the heads of the experiment."""
    components, covariance = _HEADS[head]
    with isolated_seed(seed):
        rnn = StrokeRNN(_hidden(quick), components, covariance, data.floor)
    fit_strokes(
        rnn,
        data.train,
        validation=data.valid,
        epochs=_epochs(quick),
        batch_size=_BATCH,
        learning_rate=_RATE,
        seed=seed,
    )
    return rnn


def mean_and_error(total: NDArray[np.float64], points: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean per point, ``Σ total / Σ points``, and its standard error, as drawings are independent and points
    are not.

    Args:
        total: sum over the points of each drawing, shape (n,).
        points: number of points of each drawing, shape (n,).
    """
    mean = total.sum() / points.sum()
    n = len(total)
    return float(mean), float(np.sqrt(np.square(total - mean * points).sum() * n / (n - 1)) / points.sum())


def uncorrelated(p: StrokePoint) -> StrokePoint:
    """Return the distribution with the covariances of all components set to zero, their variances as they are."""
    q = p.offset
    variance = q.covariance.variances(2).expand(q.loc.shape)
    return StrokePoint(GaussianMixture(q.logits, q.loc, Diagonal(variance), validate_args=False), p.pen_logits)


def _scaled(name: str, splits: list[list[NDArray[np.float32]]], n: int, step: float) -> Characters:
    if all(not d[0].any() for d in splits[0]):  # begins at the origin, with a point that says nothing
        splits = [[d[1:] for d in split if len(d) > 1] for split in splits]
    scale = stroke_scale(splits[0])
    train, valid, test = (scale_strokes(split, scale) for split in splits)
    wide, high = (step / math.sqrt(12) / scale).tolist()
    return Characters(
        name, Drawings(train[:n]), Drawings(valid[:n]), Drawings(test[:n]), test[:_SHOWN], scale, (wide, high)
    )


def _drawn(rnn: StrokeRNN, head: str, n: int, temperatures: tuple[float, ...]) -> list[Strokes]:
    return [
        Strokes(f"{head}, temperature {t:g}", rnn.generate(n, temperature=t, max_points=150, random_state=0))
        for t in temperatures
    ]


def _finding(name: str, found: dict[tuple[str, str], list[NDArray[np.float64]]]) -> str:
    """Say how the heads compare on the same drawings, means over the seeds."""
    nll = {head: np.mean(runs, axis=0) for (data, head), runs in found.items() if data == name}
    points = nll[_FIRST][:, 1]
    own, _ = mean_and_error(nll[_FIRST][:, 0], points)
    parts = []
    for head in nll:
        if head != _FIRST:
            more, error = mean_and_error(nll[head][:, 0] - nll[_FIRST][:, 0], points)
            word = "worse" if more > _CLEAR * error else "better" if more < -_CLEAR * error else "not clearly different"
            parts.append(f"{head} is {word}, by {more:.3f} ± {error:.3f}")
    return f"{name}: {own:.3f} nats per point with {_FIRST}; " + "; ".join(parts) + " (standard errors over drawings)."


def _epochs(quick: bool) -> int:
    return 3 if quick else _EPOCHS


def _hidden(quick: bool) -> int:
    return 32 if quick else _HIDDEN
