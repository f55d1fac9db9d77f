"""Faces of 64 x 64 pixels through a small code: a standard autoencoder against a mixture decoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mixtura.datasets.images import read_image_folder, read_npz_images
from mixtura.experiments.answers import (
    Answers,
    answers,
    answers_sheet,
    best_error,
    distance_apart,
    nearest_distance,
)
from mixtura.experiments.coding import CODE_VARIANCE, NOISELESS, autoencoder_for, learn_code
from mixtura.experiments.record import Cell, Options, Picture, Record, Table
from mixtura.training import CodeCost

__all__ = ["Faces", "faces", "read_faces"]

_SIDE = 64
_TRAINED, _TEST, _QUICK_ROWS = 2000, 200, 60
_CODE, _CENTERS, _HIDDEN = 2, 10, (256, 32)
_BATCH, _STEPS, _QUICK = 64, 400, 4
_JUDGED = 3
"""Draws of every face whose nearest real face is looked for."""


@dataclass(frozen=True)
class Faces:
    """Hold grey images, shape ``(n, 1, 64, 64)`` in [0, 1]."""

    name: str
    train: Tensor
    test: Tensor


@dataclass(frozen=True)
class _Run:
    model: str
    seed: int
    answers: Answers
    seconds: float


def faces(options: Options) -> Record:
    """Return how well a standard autoencoder and a mixture decoder of the same layers give faces back."""
    data = read_faces(options)
    runs: list[_Run] = []
    kinds: tuple[tuple[str, int, CodeCost, float], ...] = (
        ("standard autoencoder", 1, "squared_error", NOISELESS),
        (f"{_CENTERS} centers", _CENTERS, "conditional", CODE_VARIANCE),
    )
    steps, hidden = (_QUICK, (32, 8)) if options.quick else (_STEPS, _HIDDEN)
    rows: list[list[Cell]] = []
    for seed in options.seeds:
        for name, centers, cost, noise in kinds:
            model = autoencoder_for(
                data.train, centers=centers, code_features=_CODE, hidden=hidden, code_variance=noise, seed=seed
            )
            coded = learn_code(model, data.train, cost, steps=steps, batch_size=_BATCH, seed=seed)
            runs.append(_Run(name, seed, answers(model, data.test, seed=seed), coded.seconds))
            rows.append(_cells(runs[-1], data))
            options.say(f"{name} seed {seed}: best {rows[-1][2]:.4g}, {coded.seconds:.0f} s")
    real = nearest_distance(data.test.flatten(1), data.train.flatten(1))
    first = {r.model: r.answers for r in runs if r.seed == options.seeds[0]}
    return Record(
        "faces",
        "Faces through a small code",
        f"A code of {_CODE} dimensions cannot hold a face of {_SIDE} x {_SIDE} pixels. A standard autoencoder answers "
        "with the mean of all faces that share a code, a mixture decoder with several of them. Asked: how much nearer "
        "is the best of its answers, and are they faces?",
        {
            "data": f"{data.name}: {len(data.train):,} to train on, {len(data.test)} others to judge by",
            "seeds": list(options.seeds),
            "steps": f"{steps}, rounded up to whole passes, of batches of {_BATCH}",
            "network": f"convolutions, {hidden[1]} channels at a quarter of the size, and a layer of {hidden[0]}",
            "mixture": f"{_CENTERS} centers, conditional cost, noise of variance {CODE_VARIANCE} on the codes",
            "standard autoencoder": "one center, squared error, no noise on the codes",
            "quick": options.quick,
        },
        _findings(rows, real),
        [
            Table(
                "Faces that training never saw",
                (
                    "model",
                    "seed",
                    f"best of {_CENTERS}",
                    "mean error",
                    "two answers apart",
                    "nearest real",
                    "seconds",
                ),
                [*rows, ["other real faces", None, None, None, None, real, None]],
                "Errors are squared distances over all pixels. Nearest real: distance of an answer from the nearest "
                "face trained on.",
            )
        ],
        [_picture(data, first)],
    )


def read_faces(options: Options) -> Faces:
    """Return faces from the folder of the options: ``faces_*.npz``, or images as of CelebA, cropped and made grey.

    Raises:
        FileNotFoundError: where there is no folder, or nothing of that in it.
        ImportError: where a folder of images is given and Pillow is not installed.
    """
    if options.data is None:
        raise FileNotFoundError(
            "the experiment on faces needs a folder, by --data or MIXTURA_DATA: with faces_lfw64.npz or "
            "faces_olivetti.npz, or with images of faces such as CelebA's."
        )
    n, m = (_QUICK_ROWS, _QUICK_ROWS // 3) if options.quick else (_TRAINED, _TEST)
    lfw, olivetti = (options.data / f"faces_{name}.npz" for name in ("lfw64", "olivetti"))
    if lfw.exists():
        (train, _), (test, _) = (read_npz_images(lfw, part) for part in ("train", "test"))
        return Faces("Labeled Faces in the Wild, other people to judge by", train[:n], test[:m])
    if olivetti.exists():
        x, _ = read_npz_images(olivetti)
        last = min(m, len(x) // 10)
        order = torch.randperm(len(x) - last, generator=torch.Generator().manual_seed(0))
        return Faces("Olivetti faces, the last tenth of the people to judge by", x[order[:n]], x[-last:])
    x, _ = read_image_folder(options.data, _SIDE, n + m, grey=True, progress=not options.quick)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    split = max(4, len(x) - m)
    return Faces(f"images of {Path(options.data).name}", x[order[:split]], x[order[split:]])


def _picture(data: Faces, found: dict[str, Answers]) -> Picture:
    """Return a sheet of inputs with the answers of both models."""
    standard, mixture = found.values()
    return Picture(
        f"In every row: an input, the answer of the standard autoencoder, and the {_CENTERS} centers, those that weigh "
        "most first.",
        [answers_sheet("faces", data.test, [standard.centers, mixture.by_weight(_CENTERS)], rows=8)],
        columns=1,
    )


def _cells(r: _Run, data: Faces) -> list[Cell]:
    a = r.answers
    return [
        r.model,
        r.seed,
        best_error(a.centers, data.test),
        a.mean_error(data.test),
        distance_apart(a.drawn),
        nearest_distance(a.drawn[:, :_JUDGED], data.train.flatten(1)),
        r.seconds,
    ]


def _findings(rows: list[list[Cell]], real: float) -> list[str]:
    standard, mixture = (torch.tensor([r[2:] for r in rows[k::2]]).mean(0).tolist() for k in (0, 1))
    return [
        f"The best of {_CENTERS} answers has {mixture[0] / standard[0]:.2g} of the squared error of the standard "
        f"autoencoder ({mixture[0]:.3g} and {standard[0]:.3g}), an average one {mixture[1] / standard[1]:.2g} of it.",
        f"Two answers to one face are {mixture[2]:.3g} apart; an answer is {mixture[3]:.3g} from the nearest real "
        f"face, the standard autoencoder's {standard[3]:.3g}, other real faces {real:.3g}.",
    ]
