"""Every cost of an autoencoder with the same network and budget, and what a cost without a norm leads to."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from mixtura.distributions import GaussianMixture
from mixtura.experiments.answers import answers, best_error, different_answers, distance_apart, nearest_distance
from mixtura.experiments.coding import CODE_VARIANCE, autoencoder_for, learn_code, moons
from mixtura.experiments.digits import small_digits
from mixtura.experiments.record import Cell, Options, Picture, Record, Scatter, Table
from mixtura.hilbert import log_inner
from mixtura.nn import EncoderMixtureDecoder
from mixtura.training import CodeCost, code_bound, plan_autoencoder
from mixtura.training.coding import fit_by_cost, rows_of

__all__ = ["cost_comparison", "fit_without_norm"]

_COSTS: tuple[CodeCost, ...] = ("conditional", "likelihood", "nuclear_norm", "trace", "squared_error")
_BARE: Literal["without norm"] = "without norm"
_Cost = CodeCost | Literal["without norm"]
_CENTERS, _ROWS = 10, 800
_STEPS = {"moons": 600, "digits": 300}
_QUICK = 48
_MANY, _SHORT = 20, 600
"""Seeds and steps of the comparison with and without the norm."""
_ONE = 1.1
"""Different answers below which the centers of a code count as collapsed to one."""
_DRAWS = 400


@dataclass(frozen=True)
class _Run:
    data: str
    cost: _Cost
    seed: int
    ratio: float
    best: float
    mean: float
    apart: float
    nearest: float
    of_code: float
    """Different answers of one code."""
    of_all: float
    """Different answers of all codes together."""
    left_open: float
    """Different answers of p(X|Y), by the bound."""
    seconds: float
    drawn: Tensor

    @property
    def collapsed(self) -> bool:
        return self.of_code < _ONE

    def cells(self) -> list[Cell]:
        return [self.ratio, self.best, self.mean, self.apart, self.nearest, self.of_code, self.left_open]


def cost_comparison(options: Options) -> Record:
    """Return what each cost makes of the same network, and whether centers collapse where the norm is left out."""
    steps = {d: _QUICK if options.quick else n for d, n in _STEPS.items()}
    costs: tuple[_Cost, ...] = (*_COSTS, _BARE)
    runs: list[_Run] = []
    for seed in options.seeds:
        for data in ("moons",) if options.quick else ("moons", "digits"):
            for cost in costs:
                runs.append(_run(data, cost, seed, steps[data], (128, 128)))
                options.say(_line(runs[-1]))
    short = _QUICK if options.quick else _SHORT
    pair: tuple[_Cost, ...] = ("conditional", _BARE)
    many = [
        _run("moons", cost, seed, short, (64, 64)) for cost in pair for seed in range(2 if options.quick else _MANY)
    ]
    for cost in pair:
        options.say(f"{cost}: {_collapsed(many, cost)} fits collapsed")
    return Record(
        "cost-comparison",
        "Every cost, the same autoencoder",
        "The second paper trains autoencoders by the trace and the nuclear norm of a Gaussian operator and by the "
        "normalised inner product of conditional densities, and says that the norm in the denominator keeps answers "
        "from collapsing. Here every cost trains the same encoder and the same decoder of 10 centers, with the same "
        f"batches and steps. Asked for: with the conditional cost the centers of a code do not collapse in {_MANY} "
        "seeds, and without its norm they do.",
        {
            "data": f"{_ROWS} samples of two moons with noise of sd 0.1 and as many others to judge by; {_ROWS} of "
            "scikit-learn's digits and the other 997",
            "seeds": list(options.seeds),
            "steps": dict(steps) | {"with and without norm": short},
            "network": f"two layers of 128 (with and without norm: 64), code of one dimension, {_CENTERS} centers, "
            f"noise of variance {CODE_VARIANCE} on the codes",
            "schedules": "batches, variances and rate of fit_autoencoder",
            "without norm": "-2 log E <p, q> of the conditional cost, without log E <q, q>",
            "quick": options.quick,
        },
        _findings(runs, many),
        [_summary(runs), _collapse(many), _everything(runs)],
        [
            Picture(
                "One draw for each of 800 other samples of the moons (blue), over the data (grey), first seed.",
                [
                    Scatter(r.cost.replace("_", " "), r.drawn.numpy(), _data("moons", r.seed)[0].numpy())
                    for r in runs
                    if r.data == "moons" and r.seed == options.seeds[0]
                ],
                columns=3,
            )
        ],
    )


def _data(name: str, seed: int) -> tuple[Tensor, Tensor]:
    """Return rows to train on, and others."""
    if name == "moons":
        return moons(_ROWS, seed), moons(_ROWS, seed + 10_000)
    x = small_digits()[0].flatten(1)
    return x[:_ROWS], x[_ROWS:]


def _run(data: str, cost: _Cost, seed: int, steps: int, hidden: Sequence[int]) -> _Run:
    x, test = _data(data, seed)
    model = autoencoder_for(x, centers=_CENTERS, hidden=hidden, seed=seed)
    start = time.process_time()
    if cost == _BARE:
        fit_without_norm(model, x, steps=steps, seed=seed)
        seconds = time.process_time() - start
    else:
        seconds = learn_code(model, x, cost, steps=steps, seed=seed).seconds
    v = plan_autoencoder(x).annealing.target
    bound = code_bound(model, x, v, draws=_DRAWS, seed=seed)
    assert bound.log_bound is not None
    constant = -0.5 * x.shape[1] * math.log(4 * math.pi * v)
    a = answers(model, test, seed=seed)
    some = slice(0, 200)
    together = a.centers[some].reshape(1, -1, x.shape[1]), a.weights[some].reshape(1, -1) / len(a.weights[some])
    return _Run(
        data,
        cost,
        seed,
        math.exp(bound.log_value.item() - bound.log_bound.item()),
        best_error(a.centers, test),
        a.mean_error(test),
        distance_apart(a.drawn),
        nearest_distance(a.drawn[:, :5], x),
        different_answers(a.centers, a.weights, v),
        different_answers(*together, v),
        math.exp(constant - bound.log_bound.item()),
        seconds,
        a.drawn[:, 0],
    )


def fit_without_norm(model: EncoderMixtureDecoder, x: Tensor, *, steps: int, seed: int = 0) -> None:
    """Train a network by the numerator of the conditional cost alone, otherwise as ``fit_autoencoder`` does."""

    def numerator(rows: Tensor, q: GaussianMixture) -> Tensor:
        return -2 * (torch.logsumexp(log_inner(rows_of(rows, q), q), 0) - math.log(len(rows)))

    fit_by_cost(model, x, plan_autoencoder(x), numerator, steps=steps, seed=seed)


def _line(r: _Run) -> str:
    return (
        f"{r.data:6} {r.cost:13} seed {r.seed}: ratio {r.ratio:.3f}, best of {_CENTERS} {r.best:.4g}, "
        f"{r.of_code:.2f} answers of {r.left_open:.2f}"
    )


def _collapsed(runs: Sequence[_Run], cost: str) -> str:
    own = [r for r in runs if r.cost == cost]
    return f"{sum(r.collapsed for r in own)} of {len(own)}"


def _findings(runs: list[_Run], many: list[_Run]) -> list[str]:
    found: list[str] = []
    for data in dict.fromkeys(r.data for r in runs):
        costs = list(dict.fromkeys(r.cost for r in runs))
        ratio, best, of_code = (
            {c: _mean([getattr(r, k) for r in runs if (r.data, r.cost) == (data, c)]) for c in costs}
            for k in ("ratio", "best", "of_code")
        )
        top, least = max(costs, key=ratio.__getitem__), min(costs, key=best.__getitem__)
        found.append(
            f"{data}: highest ratio of value and bound, {top} {ratio[top]:.3f} (" + _listed(ratio, top) + "); least "
            f"error of the best of {_CENTERS}, {least} {best[least]:.3g} ({_listed(best, least)})."
        )
        found.append(f"{data}: different answers of a code, {_listed(of_code)}.")
    own, bare = ([r.of_code for r in many if r.cost == c] for c in ("conditional", _BARE))
    found.append(
        f"Moons, {len(own)} seeds: the centers of a code collapsed to one in {_collapsed(many, 'conditional')} fits "
        f"with the conditional cost ({min(own):.2f} to {max(own):.2f} different answers), and in "
        f"{_collapsed(many, _BARE)} without its norm ({min(bare):.2f} to {max(bare):.2f})."
    )
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _listed(numbers: dict[str, float], but: str = "") -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in numbers.items() if name != but)


_COLUMNS = ("ratio", f"best of {_CENTERS}", "mean error", "apart", "nearest", "answers", "of p")


def _summary(runs: list[_Run]) -> Table:
    rows: list[list[Cell]] = []
    for data, cost in dict.fromkeys((r.data, r.cost) for r in runs):
        own = [r for r in runs if (r.data, r.cost) == (data, cost)]
        means = torch.tensor([r.cells() for r in own]).mean(0).tolist()
        rows.append([data, cost, *means, _collapsed(own, cost)])
    return Table(
        "Each cost, mean over the seeds",
        ("data", "cost", *_COLUMNS, "collapsed"),
        rows,
        "Ratio: value over bound on the training rows. The rest on others: squared errors, distance of two answers to "
        "one code, of an answer from the nearest real row, and how many different answers a code has, 1 / E ‖q(X|Y)‖² "
        "without its constant; of p: the same of what the code leaves open, 1 / E ‖p(X|Y)‖². Collapsed: fits with "
        f"fewer than {_ONE} answers.",
    )


def _collapse(many: list[_Run]) -> Table:
    rows: list[list[Cell]] = []
    for cost in dict.fromkeys(r.cost for r in many):
        own = [r for r in many if r.cost == cost]
        of_code, of_p, of_all = (sorted(getattr(r, k) for r in own) for k in ("of_code", "left_open", "of_all"))
        rows.append([cost, of_code[0], of_code[-1], _mean(of_p), _mean(of_all), _collapsed(own, cost)])
    return Table(
        "Moons with and without the norm",
        ("cost", "fewest answers", "most answers", "of p", "of all codes", "collapsed"),
        rows,
        f"Over {len(many) // 2} seeds, with a smaller network. Of all codes: different answers of 200 codes together.",
    )


def _everything(runs: list[_Run]) -> Table:
    rows: list[list[Cell]] = [[r.data, r.cost, r.seed, *r.cells(), r.seconds] for r in runs]
    return Table("Every run", ("data", "cost", "seed", *_COLUMNS, "seconds"), rows)
