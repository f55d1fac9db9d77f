"""Colour images, a class and a small code: a mixture decoder that is told the class against standard autoencoders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mixtura.datasets.images import Images, read_cifar10, read_npz_images
from mixtura.experiments.answers import Answers, answers, answers_sheet, best_error, distance_apart
from mixtura.experiments.classifier import ImageClassifier
from mixtura.experiments.coding import CODE_VARIANCE, NOISELESS, autoencoder_for, learn_code
from mixtura.experiments.perceptual import inception_distance, lpips_apart
from mixtura.experiments.record import Cell, Options, Picture, Record, Table
from mixtura.metrics import diversity, frechet_distance
from mixtura.training import CodeCost

__all__ = ["Colours", "class_conditional", "read_colours"]

_TEST, _QUICK_ROWS = 500, 300
_CODE, _CENTERS, _HIDDEN = 2, 10, (256, 32)
_BATCH, _STEPS, _QUICK = 128, 400, 4
_COLUMNS = (
    "model",
    "seed",
    "best",
    "mean error",
    "apart",
    "Fréchet",
    "diversity",
    "agreement",
    "LPIPS apart",
    "FID",
    "seconds",
)
_MIXTURE = f"{_CENTERS} centers, told the class"


@dataclass(frozen=True)
class Colours:
    """Hold images, shape ``(n, 3, H, W)`` in [0, 1], and their classes."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


@dataclass(frozen=True)
class _Kind:
    name: str
    centers: int
    cost: CodeCost
    noise: float
    told: bool


_KINDS = (
    _Kind("standard autoencoder", 1, "squared_error", NOISELESS, False),
    _Kind("standard autoencoder, told the class", 1, "squared_error", NOISELESS, True),
    _Kind(_MIXTURE, _CENTERS, "conditional", CODE_VARIANCE, True),
)


def class_conditional(options: Options) -> Record:
    """Return how diverse and how good images are that are made of a small code and a class."""
    data = read_colours(options)
    classes = int(data.train_labels.max()) + 1
    judge = ImageClassifier(1 if options.quick else 8).fit(data.train, data.train_labels)
    right = (judge.predict_proba(data.test).argmax(-1) == data.test_labels).double().mean().item()
    steps, hidden = (_QUICK, (32, 8)) if options.quick else (_STEPS, _HIDDEN)
    rows: list[list[Cell]] = []
    shown: dict[str, Answers] = {}
    for seed in options.seeds:
        for kind in _KINDS:
            told, test_told = (data.train_labels, data.test_labels) if kind.told else (None, None)
            model = autoencoder_for(
                data.train,
                centers=kind.centers,
                code_features=_CODE,
                hidden=hidden,
                code_variance=kind.noise,
                classes=classes if kind.told else 0,
                seed=seed,
            )
            coded = learn_code(model, data.train, kind.cost, labels=told, steps=steps, batch_size=_BATCH, seed=seed)
            a = answers(model, data.test, test_told, draws=5, seed=seed)
            shown.setdefault(kind.name, a)
            rows.append([kind.name, seed, *_scores(a, data, judge), coded.seconds])
            options.say(f"{kind.name} seed {seed}: Fréchet {rows[-1][5]:.3g}, {coded.seconds:.0f} s")
    n = len(data.test)
    real = frechet_distance(judge.features(data.train[:n]), judge.features(data.test))
    floor: list[Cell] = ["other real images", None, None, None, None, real, diversity(data.test.flatten(1))]
    floor += [right, None, inception_distance(data.train[:n], data.test), None]
    return Record(
        "class-conditional",
        "A class, a small code, many images",
        f"A code of {_CODE} dimensions and a class leave most of a colour image open. A standard autoencoder answers "
        "with a mean, blurred; a mixture decoder with several images. Asked: how diverse are they, and how good, by "
        "the features of a classifier trained here?",
        {
            "data": f"CIFAR-10: {len(data.train):,} images to train on, {n} others to judge by",
            "seeds": list(options.seeds),
            "steps": f"{steps}, rounded up to whole passes, of batches of {_BATCH}",
            "network": f"convolutions, {hidden[1]} channels at a quarter of the size, and a layer of {hidden[0]}",
            "judge": f"64 features of a classifier trained on the same images, {right:.0%} right on the others",
            "LPIPS and FID": "only where torchmetrics, its packages and their weights are installed",
            "quick": options.quick,
        },
        _findings(rows, real),
        [
            _table([*rows, floor]),
        ],
        [
            Picture(
                "In every row: an input, the answers of both standard autoencoders, and the centers of the mixture, "
                "those that weigh most first.",
                [answers_sheet("images", data.test, [a.by_weight(_CENTERS) for a in shown.values()], rows=10)],
                columns=1,
            )
        ],
    )


def _table(rows: list[list[Cell]]) -> Table:
    """Return all rows without the columns that nothing is known of."""
    kept = [k for k in range(len(_COLUMNS)) if any(r[k] is not None for r in rows)]
    return Table(
        "Images made of the codes and classes of others",
        [_COLUMNS[k] for k in kept],
        [[r[k] for k in kept] for r in rows],
        "Best: squared error of the nearest center. Apart: distance of two answers to one input, and their LPIPS where "
        "it is installed. Fréchet: on features of the classifier, one draw for each of the others against these. "
        "Diversity: mean distance of two images. Agreement: draws that the classifier gives the class of the input.",
    )


def read_colours(options: Options) -> Colours:
    """Return CIFAR-10 from the folder of the options: ``cifar10*.npz``, or the batches that its authors publish.

    Raises:
        FileNotFoundError: where there is no folder, or nothing of that in it.
    """
    if options.data is None:
        raise FileNotFoundError(
            "the class-conditional experiment needs a folder with images of CIFAR-10, by --data or MIXTURA_DATA: "
            "cifar10*.npz with images and labels, or the official batches."
        )
    x, y = _read(options.data)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    order = order[: _QUICK_ROWS if options.quick else len(x)]
    x, y, n = x[order], y[order], min(_TEST, len(order) // 4)
    return Colours(x[n:], y[n:], x[:n], y[:n])


def _read(folder: Path) -> tuple[Tensor, Tensor]:
    packed, batches = sorted(folder.glob("cifar10*.npz")), sorted(folder.glob("data_batch_*"))
    if packed:
        found: Images = read_npz_images(packed[0])
    elif batches:
        found = read_cifar10(batches)
    else:
        raise FileNotFoundError(f"{folder} holds neither cifar10*.npz nor data_batch_* of CIFAR-10.")
    if found[1] is None:
        raise ValueError(f"{packed[0]} has no array 'labels': the classes are what the decoder is told.")
    return found[0], found[1]


def _scores(a: Answers, data: Colours, judge: ImageClassifier) -> list[Cell]:
    shape = data.test.shape[1:]
    made, second = (a.drawn[:, k].reshape(-1, *shape) for k in (0, 1))
    agreement = (judge.predict_proba(made).argmax(-1) == data.test_labels).double().mean().item()
    return [
        best_error(a.centers, data.test),
        a.mean_error(data.test),
        distance_apart(a.drawn),
        frechet_distance(judge.features(made), judge.features(data.test)),
        diversity(made.flatten(1)),
        agreement,
        lpips_apart(made, second),
        inception_distance(made, data.test),
    ]


def _findings(rows: list[list[Cell]], real: float) -> list[str]:
    means = {
        k.name: torch.tensor([[float(c or 0) for c in r[2:8]] for r in rows if r[0] == k.name]).mean(0).tolist()
        for k in _KINDS
    }
    own = means[_MIXTURE]
    others = {name: m for name, m in means.items() if name != _MIXTURE}
    return [
        f"Fréchet distance of the mixture's images: {own[3]:.3g}; "
        + ", ".join(f"{name} {m[3]:.3g}" for name, m in others.items())
        + f"; other real images {real:.3g}.",
        f"Two answers of the mixture to one code are {own[2]:.3g} apart, two of different codes {own[4]:.3g} ("
        + ", ".join(f"{name} {m[4]:.3g}" for name, m in others.items())
        + ").",
        f"The best of {_CENTERS} has "
        + " and ".join(f"{own[0] / m[0]:.2g} of the squared error of a {name}" for name, m in others.items())
        + ".",
        f"The classifier finds the class of the input in {own[5]:.0%} of the mixture's images ("
        + ", ".join(f"{name} {m[5]:.0%}" for name, m in others.items())
        + ").",
    ]
