"""Which costs recover who is who, 1{X = X'}, and which make centers become the data?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import make_moons
from torch import Tensor, nn

from mixtura.costs import Cost, matrix_matrix, nuclear_norm, scalar, trace, vector_matrix
from mixtura.distributions import GaussianMixture
from mixtura.experiments.record import Cell, Curves, Options, Picture, Record, Scatter, Sheet, Table
from mixtura.hilbert import log_gram
from mixtura.nn import FreeCenters
from mixtura.training import Annealing, fit

__all__ = ["Recovery", "identity", "recover"]

_N, _STEPS, _RATE = 64, 600, 0.05
_NOISES = (0.0, 0.01, 0.03, 0.1)
_VARIANCES = tuple(10 ** (-4 + k / 2) for k in range(11))
_TARGETS = (0.001, 0.01, 0.1)
_TRAINED = ("nuclear_norm", "scalar", "vector_matrix", "matrix_matrix", "likelihood", "bures")
_GAPS = {
    "nuclear_norm": nuclear_norm,
    "matrix_matrix": matrix_matrix,
    "vector_matrix": vector_matrix,
    "scalar": scalar,
    "trace": trace,
}
_FIRST_GAP = 5
"""Numbers on a copy that come before the gaps."""


@dataclass(frozen=True)
class Recovery:
    """How well a matrix says which column is the copy of which row."""

    matches: float
    """Share of the rows whose largest entry is that of the copy."""
    entry: float
    """Mean of the entries of the copies, 1 for the permutation itself."""


def identity(options: Options) -> Record:
    """Return how well each cost recovers 1{X = X'}: from a permuted copy, and with centers that it trains."""
    variances = _VARIANCES[::5] if options.quick else _VARIANCES
    targets = _TARGETS[1:2] if options.quick else _TARGETS
    steps = 100 if options.quick else _STEPS
    found: dict[tuple[float, float], list[float]] = {}
    sheets: list[Sheet] = []
    for noise in _NOISES:
        for v in variances:
            each = [_copies(seed, noise, v) for seed in options.seeds]
            found[noise, v] = np.mean([numbers for numbers, _ in each], 0).tolist()
            if v in variances[:: max(1, len(variances) // 5)]:
                dark = (1 - each[0][1].abs()).clamp(0, 1).numpy()
                sheets.append(Sheet(f"noise {noise:g}, v = {v:.2g}", dark[None]))
        options.say(f"copies with noise {noise:g}: {_row(found[noise, variances[0]])}")
    trained: list[list[Cell]] = []
    panels: list[Scatter] = []
    for cost in _TRAINED:
        for v in targets:
            runs = [_train(cost, v, steps, seed) for seed in options.seeds]
            trained.append([cost, v, *np.mean([r for r, _ in runs], 0).tolist()])
            options.say(f"centers by {cost:14} to v = {v:g}: {_row(trained[-1][2:])}")
            if v == targets[len(targets) // 2]:
                panels.append(Scatter(f"{cost}, v = {v:g}", runs[0][1].numpy(), _points(options.seeds[0]).numpy()))
    per_row = len(sheets) // len(_NOISES)
    return Record(
        "identity",
        "Who is who: recovering 1{X = X'}",
        "The papers say that maximising the nuclear norm recovers the identity function 1{X = X'}: with X' the same "
        "points in another order, the polar factor of their Gram matrix is the permutation, and no pairing is needed; "
        "the matrix-matrix cost is the trace of a Nyström approximation, whose residual vanishes there too. Both are "
        "computed for copies that were permuted and moved by noise, and then the centers themselves are learnt, one "
        "for each point, from a clump in the middle.",
        {
            "data": f"{_N} points of two moons, noise of sd 0.05",
            "mean distance to the nearest point": round(_spacing(_points(options.seeds[0])), 4),
            "seeds": list(options.seeds),
            "variances": list(variances),
            "steps of the training": steps,
            "peak rate": _RATE,
            "start of the centers": "mean of the data, sd 0.01",
            "schedule": "from half of the data's total variance to v over 80 % of the steps",
            "quick": options.quick,
        },
        _findings(found, trained, variances),
        [
            *_copies_tables(found),
            Table(
                "Centers trained from a clump",
                ("cost", "v", "rms distance", "at home", "SVD gap"),
                trained,
                "Rms distance: of every point to the center that the best assignment gives it. At home: share of the "
                "points whose center is nearer than half the mean distance to the nearest other point. SVD gap: "
                "1 - e^-gap of the nuclear norm between the centers and the data.",
            ),
        ],
        [
            Picture(
                "Size of the entries of the polar factor, dark is 1, its columns put back in the order of the rows: "
                "the true permutation is the diagonal. Points are ordered along the moons.",
                sheets,
                columns=per_row,
            ),
            *_curves(found, variances),
            Picture("Centers (blue), one for every point of the data (grey), after training.", panels),
        ],
    )


def recover(A: Tensor, order: Tensor) -> Recovery:
    """Return how well the rows of A find their copies, where row i is column ``order[i]``.

    Example:
        >>> recover(torch.eye(3), torch.tensor([0, 1, 2]))
        Recovery(matches=1.0, entry=1.0)
    """
    rows = torch.arange(len(A))
    return Recovery((A.argmax(1) == order).double().mean().item(), A[rows, order].mean().item())


def _points(seed: int) -> Tensor:
    x, _ = make_moons(_N, shuffle=False, noise=0.05, random_state=seed)
    return torch.as_tensor(x)


def _spacing(x: Tensor) -> float:
    """Return the mean distance of a point to the nearest other one."""
    return torch.cdist(x, x).fill_diagonal_(math.inf).amin(1).mean().item()


def _copies(seed: int, noise: float, v: float) -> tuple[list[float], Tensor]:
    """Return all numbers on a permuted, noisy copy, and the polar factor with the permutation undone."""
    x, g = _points(seed), torch.Generator().manual_seed(seed)
    shuffle = torch.randperm(_N, generator=g)
    order = shuffle.argsort()
    y = (x + noise * torch.randn(x.shape, generator=g, dtype=x.dtype))[shuffle]
    p, q = GaussianMixture.from_samples(x, v), GaussianMixture.from_samples(y, v)
    peak = log_gram(p, p).amax()
    C, G = (log_gram(p, q) - peak).exp(), (log_gram(q, q) - peak).exp()
    U, _, Vh = torch.linalg.svd(C)
    nystrom = C @ torch.linalg.pinv(G, hermitian=True, rtol=1e-12)
    recovered = [recover(A, order) for A in (U @ Vh, nystrom, C)]
    numbers = [*astuple(recovered[0]), *astuple(recovered[1]), recovered[2].matches]
    numbers += [-math.expm1(-cost(p, q).gap.item()) for cost in _GAPS.values()]
    return numbers, (U @ Vh)[:, order]


def _train(cost: str, v: float, steps: int, seed: int) -> tuple[list[float], Tensor]:
    """Return how near the centers come to the data, root mean square and share, and the centers."""
    x, g = _points(seed), torch.Generator().manual_seed(seed)
    start = x.mean(0) + 0.01 * torch.randn(x.shape, generator=g, dtype=x.dtype)
    centers, compare = FreeCenters(start, v), Cost(cost, "finite")
    annealing = Annealing(0.5 * x.var(0).sum().item(), v, share=0.8)

    def loss(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        return compare(GaussianMixture.from_samples(batch[0], centers.variance), model())

    def before_step(done: float) -> None:
        centers.variance = annealing(done)

    fit(
        centers,
        loss,
        [x],
        epochs=steps,
        batch_size=_N,
        learning_rate=_RATE,
        weight_decay=0.0,
        average_decay=0.9,
        warmup=0.1,
        seed=seed,
        before_step=before_step,
    )
    c = centers.centers.detach()
    d = torch.cdist(x, c).numpy()
    matched = d[linear_sum_assignment(d)]
    near = float((matched < 0.5 * _spacing(x)).mean())
    p, q = GaussianMixture.from_samples(x, v), GaussianMixture.from_samples(c, v)
    gap = nuclear_norm(p, q).gap.item()
    return [float(np.sqrt((matched**2).mean())), near, -math.expm1(-gap)], c


def _findings(
    found: dict[tuple[float, float], list[float]], trained: list[list[Cell]], variances: Sequence[float]
) -> list[str]:
    exact = [v for v in variances if found[0.0, v][1] > 1 - 1e-6]
    worst = [max(found[0.0, v][k] for v in variances) for k in range(_FIRST_GAP, _FIRST_GAP + 4)]
    sentences = [
        f"Of a permuted copy the polar factor is the permutation, to 1e-6, at {len(exact)} of {len(variances)} "
        f"variances, up to {max(exact, default=0):.3g}; at {variances[-1]:g} the mean entry of the copies is "
        f"{found[0.0, variances[-1]][1]:.2f}, as most singular values are rounding.",
        f"On it 1 - e^-gap is at most {worst[0]:.1g} for nuclear_norm, {worst[1]:.1g} for matrix_matrix, "
        f"{worst[2]:.1g} for vector_matrix and {worst[3]:.1g} for scalar; trace, which needs pairs, says "
        f"{max(found[0.0, v][-1] for v in variances):.2f}.",
    ]
    for noise in _NOISES[1:]:
        v = max(variances, key=lambda v: found[noise, v][0])
        polar, entry, nystrom, _, nearest = found[noise, v][:5]
        sentences.append(
            f"With noise of sd {noise:g} the polar factor names the copy of {polar:.0%} of the points at its best "
            f"variance {v:.2g} (mean entry {entry:.2f}); there the coefficients of the Nyström approximation name "
            f"{nystrom:.0%} and the nearest neighbour {nearest:.0%}."
        )
    best = {c: min((r for r in trained if r[0] == c), key=lambda r: float(r[2] or 0)) for c in _TRAINED}
    said = ", ".join(f"{c} {r[2]:.2g} ({r[3]:.0%} at home)" for c, r in best.items())
    sentences.append(f"Root mean square distance of trained centers to their points, at each cost's best v: {said}.")
    return sentences


def _copies_tables(found: dict[tuple[float, float], list[float]]) -> list[Table]:
    return [
        Table(
            "Copies, permuted and moved by noise: who is who",
            ("noise", "v", "polar", "entry", "Nyström", "entry", "nearest"),
            [[noise, v, *numbers[:_FIRST_GAP]] for (noise, v), numbers in found.items()],
            "Polar, Nyström, nearest: share of the points whose copy has the largest entry in the row of the polar "
            "factor of C, of the coefficients C G⁻¹, and of C itself. Entry: mean entry of the copies, 1 for the "
            "permutation.",
        ),
        Table(
            "Copies, permuted and moved by noise: what the costs see",
            ("noise", "v", *_GAPS),
            [[noise, v, *numbers[_FIRST_GAP:]] for (noise, v), numbers in found.items()],
            "1 - e^-gap; for matrix_matrix it is the relative residual of the Nyström approximation.",
        ),
    ]


def _curves(found: dict[tuple[float, float], list[float]], variances: Sequence[float]) -> list[Picture]:
    def panels(lines: dict[str, int]) -> list[Curves]:
        return [
            Curves(
                f"noise {noise:g}",
                variances,
                {name: [found[noise, v][k] for v in variances] for name, k in lines.items()},
                "kernel variance v",
                log_x=True,
            )
            for noise in _NOISES
        ]

    names = {"polar factor of C": 0, "Nyström coefficients C G⁻¹": 2, "nearest: C itself": 4}
    gaps = {name: _FIRST_GAP + k for k, name in enumerate(_GAPS)}
    return [
        Picture("Share of the points whose copy is named.", panels(names), columns=2),
        Picture("1 - e^-gap of each cost: 0 where it takes the copy for the data.", panels(gaps), columns=2),
    ]


def _row(numbers: Sequence[Cell]) -> str:
    return " ".join(f"{n:.3f}" for n in numbers if isinstance(n, float))
