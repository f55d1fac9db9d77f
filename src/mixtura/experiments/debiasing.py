"""Plain or debiased: which reading of a batch trains better, where, and is the debiased divergence one?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mixtura.costs import Reading
from mixtura.costs.reading import SWITCH
from mixtura.experiments.digits import read_digits
from mixtura.experiments.divergence import expected_table, monte_carlo_table
from mixtura.experiments.readings import (
    DATA,
    IMAGE_RATE,
    RATE,
    READINGS,
    ROWS,
    SCORED,
    Run,
    fresh_sample,
    learn_digits,
    learn_points,
    mean_of,
    sample,
    word,
)
from mixtura.experiments.record import Cell, Curves, Options, Picture, Record, Scatter, Sheet, Table

__all__ = ["debiasing"]

_SIZES = {"nuclear_norm": (64, 256, 512), "scalar": (64, 256, 1024, 4096)}
_IMAGE_SIZES = {"nuclear_norm": (64, 256, 512), "scalar": (64, 256, 1024)}
_STEPS, _IMAGE_STEPS = 600, 237
_SWITCH_BATCH = 256
_DRAWS, _BATCH = 100, 128


def debiasing(options: Options) -> Record:
    """Return how plain and debiased costs train, the sign of the divergence, and where the switch belongs."""
    digits = read_digits(options)
    steps, image_steps = (20, 20) if options.quick else (_STEPS, _IMAGE_STEPS)
    seed = options.seeds[0]
    sizes = dict.fromkeys(_SIZES, (_SWITCH_BATCH,)) if options.quick else _SIZES
    image_sizes = sizes if options.quick else _IMAGE_SIZES
    runs = [
        _say(options, learn_points(name, cost, reading, size, steps, s))
        for name in ("moons", "grid")
        for cost in sizes
        for size in sizes[cost]
        for reading in READINGS
        for s in options.seeds
    ]
    runs += [
        _say(options, learn_digits(digits, cost, reading, size, image_steps, s))
        for cost in image_sizes
        for size in image_sizes[cost]
        for reading in READINGS
        for s in options.seeds
    ]
    names = list(DATA)[:2] if options.quick else list(DATA)
    switch = [
        _say(options, learn_points(name, "nuclear_norm", reading, _SWITCH_BATCH, steps, s))
        for name in names
        for reading in READINGS
        for s in options.seeds
    ]
    exact = expected_table(options.quick, seed)
    data = {"moons": sample("moons", seed), "grid": sample("grid", seed), "images": digits.rows}
    near = monte_carlo_table(data, 16 if options.quick else _BATCH, 4 if options.quick else _DRAWS, seed)
    return Record(
        "debiasing",
        "Plain or debiased",
        "A batch of centers is a sample of the mixture that a generator means, and its Gram matrix with itself counts "
        "every center's meeting with itself. This library's claim: the debiased reading, which compares independent "
        "halves, decides everything in many dimensions, the plain one trains better in few, and the effective rank of "
        f"a batch of the data says which is which (switch at {SWITCH}). Asked beside it: is the debiased divergence of "
        "the SVD cost, which is zero in expectation at q = p, ever negative?",
        digits.settings()
        | {
            "points": f"{ROWS:,} samples, {SCORED:,} fresh centers scored against as many fresh samples",
            "rows of a step": f"as in the tables; the SVD cost stops at {max(_SIZES['nuclear_norm'])}, the scalar cost "
            f"at {max(_SIZES['scalar'])}, on images at {max(_IMAGE_SIZES['scalar'])}: what is beyond takes an hour",
            "centers and variances": "by plan_generator: a quarter of the rows if plain, as many if debiased; annealed "
            "to the effective rank of .3 of the centers if plain, of .68 of half of them if debiased",
            "steps": f"{steps}, on images {image_steps}, rounded up to whole passes",
            "peak rate": f"{RATE}, on images {IMAGE_RATE}",
            "network": "points: noise of 2 to 16 features, two layers of 128; images: convolutional",
            "seeds": list(options.seeds),
            "quick": options.quick,
        },
        [*_training_findings(runs), *_divergence_findings(exact, near), _switch_finding(switch)],
        [_training_table(runs), _switch_table(switch), exact, near],
        _pictures(runs, options.seeds[0]),
    )


def _say(options: Options, run: Run) -> Run:
    options.say(f"{run.data:20} {run.cost:13} {run.reading:8} {run.size:5}: {run.score:8.3f} {run.balance:.3f}")
    return run


def _training_findings(runs: list[Run]) -> list[str]:
    sentences: list[str] = []
    for name in ("moons", "grid", "images"):
        parts: list[str] = []
        for cost in _SIZES:
            own = [r for r in runs if (r.data, r.cost) == (name, cost)]
            best = []
            for reading in READINGS:
                by_size = {r.size: mean_of(own, reading=reading, size=r.size) for r in own}
                size = (
                    min(by_size, key=by_size.__getitem__) if name == "images" else max(by_size, key=by_size.__getitem__)
                )
                best.append(f"{word(reading)} {by_size[size]:.3g} at {size} rows")
            parts.append(f"{cost} {' and '.join(best)}")
        measure = {"moons": "lesser of precision and recall", "grid": "quality", "images": "Fréchet distance"}[name]
        sentences.append(f"{name}, {measure}, at the best size of a step: {'; '.join(parts)}.")
    return sentences


def _divergence_findings(exact: Table, near: Table) -> list[str]:
    case = min(exact.rows, key=lambda r: float(r[2] or 0))
    square = min((r for r in exact.rows if "square" in str(r[0])), key=lambda r: float(r[2] or 0))
    same = [r for r in near.rows if r[3] == "the same"]
    far = [r for r in near.rows if r[3] != "the same"]
    sentences = [
        "The debiased SVD divergence can be negative in expectation where q is not p: exactly "
        f"{square[2]:.2g} of the trace for samples of 2 of {square[0]}, and {case[2]:.2g} for the worst case that a "
        f"search found ({case[0]}); so it is no distance, but its negative values are small. For the square, samples "
        f"of 3 and 4 give {square[3]:.2g} and {square[4]:.2g}.",
    ]
    for cost, k in (("SVD", 4), ("scalar", 6)):
        z = [float(r[k] or 0) / float(r[k + 1] or 1) for r in same]
        negative = sum(float(r[k] or 0) < -2 * float(r[k + 1] or 0) for r in far)
        sentences.append(
            f"Debiased {cost} divergence of batches: where q = p it is off zero by at most {max(map(abs, z)):.1f} "
            f"standard errors in {len(z)} cases; near it, it is below zero by more than two in {negative} of {len(far)}"
            "."
        )
    for cost, k in (("SVD", 8), ("scalar", 10)):
        shrunk = [r for r in far if "shrunk" in str(r[3])]
        pairs = zip(shrunk, same, strict=True)
        fooled = [f"{s[0]} at rank {s[1]:g}" for s, t in pairs if _clearly_below(s[k : k + 2], t[k : k + 2])]
        sentences.append(
            f"The plain {cost} gap takes data shrunk by a tenth for clearly better than the data themselves in "
            f"{len(fooled)} of {len(same)} cases{': ' if fooled else ''}{', '.join(fooled)}."
        )
    return sentences


def _clearly_below(a: Sequence[Cell], b: Sequence[Cell]) -> bool:
    """Return whether a mean is below another by more than two standard errors of their difference."""
    (x, e), (y, f) = ([float(c or 0) for c in pair] for pair in (a, b))
    return x + 2 * math.hypot(e, f) < y


def _switch_finding(runs: list[Run]) -> str:
    names = {r.data: r.rank for r in runs}
    better: dict[str, Reading] = {}
    for name in names:
        plain, debiased = (mean_of(runs, data=name, reading=reading) for reading in READINGS)
        better[name] = "sampled" if debiased > plain else "finite"
    said = ", ".join(f"{name} ({rank:.2f}) {word(better[name])}" for name, rank in sorted(names.items(), key=_second))
    of_plain, of_debiased = ([names[n] for n, found in better.items() if found == reading] for reading in READINGS)
    if not of_debiased or not of_plain:
        between = "one reading is better everywhere, so no switch can be seen"
    elif max(of_plain) < min(of_debiased):
        between = f"a switch between {max(of_plain):.2f} and {min(of_debiased):.2f} sorts them all"
    else:
        wrong = sum((names[n] > SWITCH) != (found == "sampled") for n, found in better.items())
        between = f"no switch sorts them all; the one at {SWITCH} is wrong for {wrong} of {len(names)}"
    return f"Better reading of the SVD cost by effective rank (lesser of precision and recall): {said}: {between}."


def _second(item: tuple[str, float]) -> float:
    return item[1]


def _training_table(runs: list[Run]) -> Table:
    rows: list[list[Cell]] = [
        [r.data, r.cost, word(r.reading), r.size, r.variance, r.score, r.balance, r.mmd, r.seconds] for r in runs
    ]
    return Table(
        "Plain and debiased, by the rows of a step",
        ("data", "cost", "reading", "rows", "v", "score", "balance", "MMD", "seconds"),
        rows,
        "Score: of moons the lesser of precision and recall, of the grid the share of centers within three standard "
        "deviations of a mode (98.9 % of perfect ones), of images the Fréchet distance, where less is better. Balance, "
        "where less is better: of moons the share of the data whose neighbourhood has no center, of the grid the "
        "reverse KL of the modes' shares, of images how far the worst class is from its even share. MMD: root, with a "
        "kernel as wide as the median distance. v: where the kernel's variance ends. Seconds: on one core.",
    )


def _switch_table(runs: list[Run]) -> Table:
    rows: list[list[Cell]] = [
        [r.data, r.rank, word(r.reading), r.variance, r.score, r.balance, r.mmd, r.seconds] for r in runs
    ]
    return Table(
        f"Where the switch belongs: the SVD cost, {_SWITCH_BATCH} rows of a step",
        ("data", "rank", "reading", "v", "score", "balance", "MMD", "seconds"),
        sorted(rows, key=lambda row: float(row[1] or 0)),
        "Rank: effective rank over size of the Gram matrix of 256 rows at the variance that their leave-one-out "
        f"likelihood prefers; the package reads batches as samples above {SWITCH}. The rest as above; the grid's score "
        "is its quality.",
    )


def _pictures(runs: list[Run], seed: int) -> list[Picture]:
    panels: list[Curves] = []
    for name in ("moons", "grid", "images"):
        for cost in _SIZES:
            own = [r for r in runs if (r.data, r.cost) == (name, cost)]
            sizes = sorted({r.size for r in own})
            lines = {word(t): [mean_of(own, size=s, reading=t) for s in sizes] for t in READINGS}
            y_label = "Fréchet distance" if name == "images" else "score"
            panels.append(Curves(f"{name}, {cost}", sizes, lines, "rows of a step", y_label, True, name == "images"))
    best: list[Scatter] = []
    made: list[Sheet] = []
    for name in ("moons", "grid", "images"):
        reference = None if name == "images" else fresh_sample(name, seed).numpy()
        for cost in _SIZES:
            for reading in READINGS:
                run = max((r for r in runs if (r.data, r.cost, r.reading) == (name, cost, reading)), key=_rows_of)
                title = f"{cost}, {word(reading)}, {run.size}"
                if name == "images":
                    made.append(Sheet(title, run.centers[:100].numpy(), columns=10))
                else:
                    best.append(Scatter(title, run.centers.numpy(), reference))
    return [
        Picture(
            "Scores by the rows of a step; of images the Fréchet distance, where less is better.", panels, columns=2
        ),
        Picture("Centers (blue) over the data (grey) at the largest step.", best, columns=4),
        Picture("Images at the largest step.", made, columns=4),
    ]


def _rows_of(run: Run) -> int:
    return run.size
