"""The report on a regressor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from mixtura.estimators import MixtureDensityRegressor
from mixtura.report import density_sections, diagnosis, sections
from mixtura.report.case import Case
from mixtura.report.page import check_folder, page, paragraph, remarks, write_page
from mixtura.report.scores import Score, Scores
from mixtura.report.words import listed, percent, plus_minus

__all__ = ["regression_chapter", "regression_report"]


def regression_report(
    path: str | Path,
    model: MixtureDensityRegressor,
    train: tuple[ArrayLike, ArrayLike],
    test: tuple[ArrayLike, ArrayLike],
    *,
    title: str,
    feature_names: Sequence[str] | None = None,
    target_names: Sequence[str] | None = None,
    facts: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> Scores:
    """Write what a regressor learnt, how well and what to distrust, as one HTML file that needs nothing else.

    The same arguments give the same file. It is written whole or not at all, and replaces an existing one.

    Args:
        path: the file.
        model: a fitted regressor.
        train: X, shape (n, d), and y, shape (n,) or (n, T), that it was fitted on.
        test: X and y that it has not seen.
        title: of the report.
        feature_names: d names, with units where there are some; None takes those that ``fit`` saw, or numbers them.
        target_names: T names; None numbers them.
        facts: names and values about data and settings, for the table of both.
        notes: sentences about the data that a reader should know first.

    Returns:
        The scores in the report.

    Raises:
        FileNotFoundError: where the folder of ``path`` does not exist.
        ImportError: where matplotlib is not installed.
        ValueError: where the data do not fit the model, each other or the names.
    """
    check_folder(path)
    html, scores = regression_chapter(
        model,
        train,
        test,
        feature_names=feature_names,
        target_names=target_names,
        facts=facts,
        notes=notes,
    )
    write_page(path, page(title, html, footer=f"Written by mixtura {version('mixtura')}."))
    return scores


def regression_chapter(
    model: MixtureDensityRegressor,
    train: tuple[ArrayLike, ArrayLike],
    test: tuple[ArrayLike, ArrayLike],
    *,
    feature_names: Sequence[str] | None = None,
    target_names: Sequence[str] | None = None,
    facts: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> tuple[str, Scores]:
    """Return the body of a report on a regressor, as part of a page of several, and the scores in it.

    The arguments are those of :func:`regression_report`.
    """
    case = Case.build(model, train, test, feature_names, target_names)
    scales = diagnosis.heaviest_scales(case.mixture, model.targets_.scale)
    floor = np.maximum(model.min_scale, model.targets_.floor)
    y = np.concatenate([case.y_train, case.y_test])
    warnings = [
        *diagnosis.about_rows(len(case.y_test)),
        *diagnosis.about_baselines(case.scores),
        *diagnosis.about_copies(case.X_train, case.y_train, case.features, case.targets),
        *diagnosis.about_repeats(y, case.targets),
        *diagnosis.about_grids(y, scales, case.targets, harmful=True),
        *diagnosis.about_the_floor(scales, floor * model.targets_.scale),
    ]
    harmless = diagnosis.about_grids(y, scales, case.targets, harmful=False)
    parts = (
        paragraph(
            f"Learnt from {len(case.X_train):,} rows, tested on {len(case.X_test):,} "
            f"other{'s' if len(case.X_test) > 1 else ''}. "
            f"Target{'s' if len(case.targets) > 1 else ''}: {listed(case.targets)}.",
            "subtitle",
        ),
        paragraph(_summary(case), "lead"),
        remarks("Before trusting the numbers", warnings, warning=True),
        remarks("About the data", [*notes, *harmless]),
        remarks("About the components", [str(model.health_)]),
        sections.scores(case),
        sections.calibration(case),
        density_sections.along_a_feature(case),
        density_sections.rows(case),
        sections.components(case),
        sections.training(case),
        sections.settings(case, facts),
    )
    return "\n".join(part for part in parts if part), case.scores


def _summary(case: Case) -> str:
    s, d, T = case.scores, len(case.features), len(case.targets)
    sentences = [
        f"The model predicts the {'joint ' if T > 1 else ''}distribution of {listed(case.targets)} from "
        f"{f'{d} features' if d > 1 else case.features[0]}."
    ]
    drop, error = case.importance
    if d > 1 and drop.max() > diagnosis.SURPRISING * error[drop.argmax()]:
        sentences[0] = f"{sentences[0][:-1]}, above all from {case.features[drop.argmax()]}."
    if case.survey.divided >= 0.01:
        sentences.append(
            f"For {percent(case.survey.divided)} of the test rows the predicted density has two clear peaks."
        )
    gains = [math.exp(min(s.model.gain_over(other)[0], 99)) for other in (s.marginal, s.regression)]
    times = f": the truth gets {gains[0]:.3g} and {gains[1]:.3g} times the density, on geometric average"
    sentences += [
        f"The negative log-likelihood of the test rows is {plus_minus(s.model.nll, s.model.nll_error)} nats per row.",
        f"That is {_lead(s.model, s.marginal)} a Gaussian that ignores the features, and "
        f"{_lead(s.model, s.regression)} a boosted regression with one standard deviation for all rows"
        f"{times if min(gains) > 1 and max(gains) < 1000 else ''}.",
    ]
    verdicts: dict[str, list[str]] = {}
    for t, name in enumerate(case.targets):
        rows = [c for c in s.coverage if c.target == t]
        [ninety] = (c for c in rows if c.level == 0.9)
        held = f"{percent(ninety.observed, ninety.standard_error)} of the truths{f' of {name}' if T > 1 else ''}"
        verdicts.setdefault(diagnosis.calibration(case.pit[:, t], rows), []).append(held)
    sentences += [f"The 90 % intervals hold {listed(held, 3)}; {verdict}." for verdict, held in verdicts.items()]
    return " ".join(sentences)


def _lead(model: Score, other: Score) -> str:
    gain, error = model.gain_over(other)
    return f"{plus_minus(abs(gain), error)} nats {'better' if gain >= 0 else 'worse'} than"
