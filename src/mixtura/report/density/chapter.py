"""The report on a density."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from numpy.typing import ArrayLike

from mixtura.estimators import MixtureDensityEstimator
from mixtura.report.density import diagnosis, sections
from mixtura.report.density.case import DensityCase
from mixtura.report.density.scores import DensityScores
from mixtura.report.page import check_folder, page, paragraph, remarks, write_page
from mixtura.report.scores import Score
from mixtura.report.words import listed, number, percent, plus_minus

__all__ = ["density_chapter", "density_report"]


def density_report(
    path: str | Path,
    model: MixtureDensityEstimator,
    train: ArrayLike,
    test: ArrayLike,
    *,
    title: str,
    column_names: Sequence[str] | None = None,
    facts: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> DensityScores:
    """Write what a density estimator learnt, how well and what to distrust, as one HTML file that needs nothing else.

    The same arguments give the same file. It is written whole or not at all, and replaces an existing one.

    Args:
        path: the file.
        model: a fitted density.
        train: rows that it was fitted on, shape (n, D).
        test: rows that it has not seen, shape (m, D).
        title: of the report.
        column_names: D names, with units where there are some; None takes those that ``fit`` saw, or numbers them.
        facts: names and values about data and settings, for the table of both.
        notes: sentences about the data that a reader should know first.

    Returns:
        The scores in the report.

    Raises:
        FileNotFoundError: where the folder of ``path`` does not exist.
        ImportError: where matplotlib is not installed.
        ValueError: where the data do not fit the model or the names.
    """
    check_folder(path)
    html, scores = density_chapter(model, train, test, column_names=column_names, facts=facts, notes=notes)
    write_page(path, page(title, html, footer=f"Written by mixtura {version('mixtura')}."))
    return scores


def density_chapter(
    model: MixtureDensityEstimator,
    train: ArrayLike,
    test: ArrayLike,
    *,
    column_names: Sequence[str] | None = None,
    facts: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> tuple[str, DensityScores]:
    """Return the body of a report on a density, as part of a page of several, and the scores in it.

    The arguments are those of :func:`density_report`.
    """
    case = DensityCase.build(model, train, test, column_names)
    warnings = [
        *diagnosis.about_rows(len(case.train), case.rows),
        *diagnosis.about_baselines(case.scores),
        *diagnosis.about_neighbours(case.scores),
        *diagnosis.about_reach(model.reach_),
        *diagnosis.about_columns(case),
        *diagnosis.about_repeats(case),
    ]
    parts = (
        paragraph(
            f"Learnt from {len(case.train):,} rows, tested on {case.rows:,} other{'s' if case.rows > 1 else ''}. "
            f"Column{'s' if len(case.names) > 1 else ''}: {listed(case.names)}.",
            "subtitle",
        ),
        paragraph(_summary(case), "lead"),
        remarks("Before trusting the numbers", warnings, warning=True),
        remarks("About the data", notes),
        sections.samples(case),
        sections.likelihoods(case),
        sections.comparison(case),
        sections.choices(case),
        sections.training(case),
        sections.settings(case, facts),
    )
    return "\n".join(part for part in parts if part), case.scores


def _summary(case: DensityCase) -> str:
    s, D = case.scores, len(case.names)
    of = f"the joint density of {D} columns" if D > 1 else f"the density of {case.names[0]}"
    sentences = [
        f"The model holds {of} as a mixture of {case.model.mixture_.components:,} Gaussians whose centers a network "
        "makes of noise, so it can be sampled as well as evaluated.",
        f"The mean log-likelihood of the test rows is {plus_minus(-s.model.nll, s.model.nll_error)} nats.",
        f"That is {_lead(case, s.gaussian)} one Gaussian, {_lead(case, s.independent)} independent columns and "
        f"{_lead(case, s.kernels)} a kernel density.",
    ]
    if s.samples.gap is not None and s.fresh.gap is not None:
        sentences.append(
            f"Centers of the model leave a gap of {number(s.samples.gap)} nats to the cost's bound on the test rows; "
            f"as many training rows leave {number(s.fresh.gap)}."
        )
    ours, best = s.samples.neighbours, s.fresh.neighbours
    if ours is not None and best is not None:
        sentences.append(
            f"{percent(ours.precision)} of its samples lie among the data and {percent(ours.recall)} of the data among "
            f"its samples; for real rows in their place it is {percent(best.precision)} and {percent(best.recall)}."
        )
    return " ".join(sentences)


def _lead(case: DensityCase, other: Score) -> str:
    gain, error = case.scores.model.gain_over(other)
    return f"{plus_minus(abs(gain), error)} nats {'better' if gain >= 0 else 'worse'} than"
