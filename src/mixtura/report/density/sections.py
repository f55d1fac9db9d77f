"""The parts of the report on a density."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr
from scipy.stats import rankdata

from mixtura.report.density import plots
from mixtura.report.density.case import DensityCase
from mixtura.report.density.scores import Comparison
from mixtura.report.page import definitions, picture, section, table
from mixtura.report.words import listed, number, percent, plus_minus
from mixtura.training import GeneratorPlan

__all__ = ["choices", "comparison", "likelihoods", "samples", "settings", "training"]

Array = NDArray[np.float64]
_PANELS = 4
_MATRIX = 20
_BINS = 8
_COPY = 0.999


def likelihoods(case: DensityCase) -> str:
    """Show the log-likelihood of the test rows beside the baselines."""
    s = case.scores
    leads = ["", *(plus_minus(*s.model.gain_over(other)) for other in s.all[1:])]
    rows = [[p.name, plus_minus(-p.nll, p.nll_error), lead] for p, lead in zip(s.all, leads, strict=True)]
    terms = [
        (
            "log-likelihood",
            "mean log p(x) of the test rows in nats, ± its standard error, in the units of the table; higher is "
            "better, and its zero has no meaning: another unit of a column shifts all rows of this table alike",
        ),
        ("lead", "difference of the log-likelihoods: at 0.7 nats a row gets twice the density"),
        (s.gaussian.name, "mean and covariance of the training rows"),
        (s.independent.name, "a kernel density of each column, multiplied: no column tells of another"),
        (
            s.kernels.name,
            "a Gaussian on every training row, scikit-learn's KernelDensity of the standardised columns; its variance, "
            "and that of the columns, by leave-one-out likelihood, but no narrower than the grid on which values lie",
        ),
    ]
    header = ["", "log-likelihood [nats]", "lead of the mixture [nats]"]
    return section("Likelihood of the test rows", table(header, rows, mark_first=True), definitions(terms))


def comparison(case: DensityCase) -> str:
    """Show gap, bound, precision and recall of samples, beside those of rows of the data."""
    s, v = case.scores, case.model.plan_.annealing.target
    rows = [_cells(c) for c in (s.samples, s.fresh)]
    header = ["against the test rows", "gap [nats]", "bound", "precision", "recall", "density", "coverage"]
    terms = [
        ("training rows instead", "rows of the data in place of samples, which is about the best to hope for"),
        (
            "gap",
            f"by how much the {_spoken(case.model.cost)} cost of test rows and centers of the model falls short of its "
            f"bound, both with kernels of variance {number(v)} in standardised columns; it is zero only where both are "
            "the same set of points, so two finite sets of the same density leave a gap as well",
        ),
        ("bound", "logarithm of the most that the cost can reach, which depends on both sets alone"),
        ("precision", "share of the samples that lie among the test rows: in the ball to a row's fifth neighbour"),
        ("recall", "share of the test rows that lie among the samples"),
        ("density, coverage", "the same, less sensitive to outliers: 1 and nearly 1 where both are alike"),
    ]
    if s.samples.gap is None:
        terms = [t for t in terms if t[0] not in ("gap", "bound")]
    if s.samples.neighbours is None:
        terms = terms[:3]
    return section("Are the samples like the data?", table(header, rows, mark_first=True), definitions(terms))


def _cells(c: Comparison) -> list[str]:
    near, dash = c.neighbours, "–"
    shares = (
        [percent(near.precision), percent(near.recall), number(near.density), percent(near.coverage)] if near else []
    )
    gap = [dash if c.gap is None else number(c.gap), dash if c.bound is None else number(c.bound)]
    return [c.name, *gap, *(shares or [dash] * 4)]


def samples(case: DensityCase) -> str:
    """Show data and samples in pictures."""
    x, D = case.train, len(case.names)
    chosen = _most_structure(x)
    names, mixture = [case.names[d] for d in chosen], case.model.mixture_.marginal(chosen)
    data, centers, drawn = (rows[:, chosen] for rows in (x, case.centers, case.samples))
    if len(chosen) == 1:
        figure = plots.one_column(data[:, 0], mixture, names[0])
        caption = "Grey: the training rows. Blue: the density."
    elif len(chosen) == 2:
        figure = plots.two_columns(data, centers, drawn, mixture, names)
        caption = (
            "A thousand training rows; as many centers that the network makes of noise; as many samples, which are "
            "centers with the width of the density; the density, darker where it is denser."
        )
    else:
        figure = plots.scatter_matrix(data, drawn, mixture, names)
        caption = (
            "Diagonal: histogram of the training rows and the learnt density of each column. Below: a thousand "
            "training rows (grey) and as many samples (blue). Above: the density of each pair, darker where it is "
            "denser. Two rows in a thousand of each column may lie outside the pictures."
        )
    if len(chosen) < D:
        caption = f"Of {D} columns those that tell most about others, and none that copies another. {caption}"
    parts = [picture(figure, caption, f"Data and samples of {listed(names)}")]
    moving = [d for d in range(min(D, _MATRIX)) if np.ptp(x[:, d]) > 0]
    if D > 2 and len(moving) > 1:
        a, b = (np.atleast_2d(np.corrcoef(rows[:, moving].T)) for rows in (x, case.samples))
        worst = np.unravel_index(np.abs(a - b).argmax(), a.shape)
        i, j = (case.names[moving[k]] for k in worst)
        caption = (
            f"Correlations of the training rows and of the samples. They differ most for {i} and {j}: "
            f"{number(round(a[worst], 2))} and {number(round(b[worst], 2))}."
        )
        caption += f" The first {_MATRIX} of {D} columns." if D > _MATRIX else ""
        figure = plots.correlations(a, b, [case.names[d] for d in moving])
        parts.append(picture(figure, caption, "Correlation matrices of data and samples"))
    return section("Data and samples", *parts)


def _most_structure(x: Array) -> list[int]:
    """Return up to four columns that tell most about the others by ranks; none is constant or copies another."""
    D = x.shape[1]
    x = x[np.random.default_rng(0).permutation(len(x))[:5000]]
    ranks = rankdata(x, axis=0) / (len(x) + 1)
    cells = np.minimum((_BINS * ranks).astype(int), _BINS - 1)
    told = np.zeros((D, D))
    for i in range(D):
        for j in range(i):
            joint = np.bincount(_BINS * cells[:, i] + cells[:, j], minlength=_BINS**2).reshape(_BINS, _BINS) / len(x)
            alone = joint.sum(1, keepdims=True) * joint.sum(0)
            told[i, j] = told[j, i] = rel_entr(joint, alone).sum()
    spread = ranks.std(0)
    z = (ranks - ranks.mean(0)) / np.where(spread > 0, spread, np.inf)
    copies = np.abs(z.T @ z / len(z)) > _COPY
    order = [int(d) for d in np.argsort(-told.sum(1), kind="stable")]
    apart = [d for n, d in enumerate(order) if spread[d] > 0 and not any(copies[d, e] for e in order[:n])]
    return sorted(apart[:_PANELS])


def choices(case: DensityCase) -> str:
    """Show what was chosen, and why."""
    plan, model = case.model.plan_, case.model
    a, v = plan.annealing, model.variance_
    meets = {
        "finite": "so kernels overlap, and a batch is read as the density itself",
        "sampled": "so kernels hardly meet, and a batch is read as a sample, debiased by a second one",
    }[plan.reading]
    rank = f"{percent(plan.effective_rank)} of the most there could be"
    why = (
        "the Gram matrix of a batch of rows, at the variance that their leave-one-out likelihood prefers, has an "
        f"effective rank of {rank}, {meets}"
    )
    end = "where a batch can still represent the data" if model.variance == "auto" else "what was asked for"
    fitted = "rows held back" if model.validation_fraction else "the training rows"
    rows = [
        ("cost", f"{_spoken(plan.cost)}, read as {plan.reading}"),
        ("reading", why if model.reading == "auto" else f"as asked for; effective rank {rank}"),
        ("batch", f"{plan.batch_size} rows and {plan.centers} fresh centers a step"),
        (
            "kernel variance",
            f"from {number(a.start)} to {number(a.target)}, in squared standard deviations of the columns: from the "
            f"scale of the data to {end}",
        ),
        (
            "density variance",
            f"{number(v)}, a width of {number(v**0.5)} standard deviations: the most likely for {fitted}",
        ),
        (
            "reach",
            f"{percent(model.reach_)} of the centers are connected with a row held back by the kernel's last variance",
        ),
    ]
    return section("What was chosen, and why", table([], rows, words=2))


def training(case: DensityCase) -> str:
    """Show loss and schedule."""
    plan, history = case.model.plan_, case.model.history_
    E = len(history.epochs)
    if not E:
        return ""
    label, what = _loss(plan)
    variance = np.array([plan.annealing((e + 0.5) / E) for e in range(E)])
    figure = plots.training(np.array(history.loss, dtype=float), variance, label)
    skipped = f"{history.skipped} steps were skipped for a loss that was not finite. " if history.skipped else ""
    caption = (
        f"{what}, and the width of the kernel that it was taken with, in standard deviations of the columns. A wide "
        "kernel sees only where the data lie as a whole, a narrow one their details, so the curve may rise while "
        f"the problem becomes harder: only its end counts. {skipped}"
    )
    return section("Training", picture(figure, caption, "Loss and kernel width of every epoch"))


def settings(case: DensityCase, facts: Sequence[tuple[str, str]]) -> str:
    """Show data and settings as a table."""
    model, some = case.model, ""
    if case.rows > len(case.test):
        some = f", of which {len(case.test):,} at random were scored"
    b, rate = model.bound_, max(e.rate for e in model.history_.epochs)
    rows = [
        ("rows", f"{len(case.train):,} to learn from, {case.rows:,} to test on{some}"),
        ("columns", f"{len(case.names)}: {listed(case.names, 40)}"),
    ]
    for name, x in list(zip(case.names, case.train.T, strict=True))[:12]:
        spread = (
            f"{number(x.min())} to {number(x.max())}, mean {number(x.mean())}, standard deviation {number(x.std())}"
        )
        rows.append((name, spread))
    share = (
        f"{percent(model.validation_fraction)} of the training rows were held back" if model.validation_fraction else ""
    )
    rows += [
        ("density", f"{model.mixture_.components:,} Gaussian components with one width, in standardised columns"),
        ("network", f"rectified layers of width {listed([str(h) for h in model.hidden], 5)}"),
        ("training", f"{len(model.history_.epochs)} epochs, learning rate up to {rate:.2g}"),
        ("random_state", str(model.random_state)),
    ]
    if b.log_bound is not None:
        rows.append(
            ("gap, rows held back", f"{number(b.gap.item())} nats below a bound of {number(b.log_bound.item())}")
        )
    if share:
        rows.append(("held back", f"{share} for the density's variance"))
    told = dict(facts)
    return section("Data and settings", table([], [*facts, *(row for row in rows if row[0] not in told)], words=2))


def _loss(plan: GeneratorPlan) -> tuple[str, str]:
    """Return the name of the loss and what it is."""
    if plan.reading == "sampled":
        return "divergence", "The debiased divergence of batches and centers, but for a constant"
    if plan.cost == "nuclear_norm":
        return "gap [nats]", "By how much the cost of batches and centers falls short of its bound"
    if plan.cost == "bures":
        return "squared distance", "The squared Bures distance of batches and centers, in units of the larger trace"
    if plan.cost == "likelihood":
        return "loss [nats]", "The negative log-likelihood of batches"
    return "loss [nats]", "The gap of batches and centers, but for what depends on the kernel and the data alone"


def _spoken(cost: str) -> str:
    return {"nuclear_norm": "SVD (nuclear norm)"}.get(cost, cost.replace("_", "-"))
