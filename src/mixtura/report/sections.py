"""The parts of the report on a regressor that are about numbers: scores, calibration, training, settings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.report import plots
from mixtura.report.case import Case
from mixtura.report.diagnosis import SURPRISING
from mixtura.report.page import definitions, paragraph, picture, section, side_by_side, table
from mixtura.report.selection_plots import component_curve
from mixtura.report.words import listed, number, percent, plus_minus
from mixtura.training import RegressionPlan

__all__ = ["calibration", "components", "scores", "settings", "training"]

_PICTURES = 3
"""Targets that get a picture."""
_HISTOGRAM = 10
"""Fewest rows for a histogram."""


def scores(case: Case) -> str:
    """Show likelihood, CRPS and RMSE beside the two baselines."""
    s, T = case.scores, len(case.targets)
    predictions = (s.model, s.regression, s.marginal)
    leads = ["", *(plus_minus(*s.model.gain_over(other)) for other in predictions[1:])]
    cells = [[p.name, plus_minus(p.nll, p.nll_error), lead] for p, lead in zip(predictions, leads, strict=True)]
    header = ["", "NLL [nats]", "lead of the mixture [nats]"]
    independent = "; the targets are independent, so a lead may come from their correlation alone" if T > 1 else ""
    terms = [
        (
            "NLL",
            f"mean negative log-likelihood per test row{', joint over the targets' if T > 1 else ''}, in the target's "
            "own units, ± its standard error; lower is better, and its zero has no meaning",
        ),
        ("lead", "difference in NLL: at 0.1 nats the truth gets 1.1 times the density, at 0.7 nats twice"),
        (
            "CRPS",
            "continuous ranked probability score, in the target's units: how far the predicted distribution lies from "
            "the truth; the absolute error if it has no width, so lower is better",
        ),
        ("RMSE", "root of the mean squared error of the predicted mean, in the target's units"),
        (
            s.regression.name,
            "histogram gradient boosting; the standard deviation, one for all rows, is the root mean square of its "
            f"residuals in five-fold cross-validation on the training rows{independent}",
        ),
        (s.marginal.name, f"mean and standard deviation of the training rows, whatever the features{independent}"),
    ]
    if T == 1:
        cells = [[*row, number(p.crps[0]), number(p.rmse[0])] for row, p in zip(cells, predictions, strict=True)]
        tables = [table([*header, "CRPS", "RMSE"], cells, mark_first=True)]
    else:
        who = ("mixture", "regression", "marginal")
        each = [
            [name, *(number(p.crps[t]) for p in predictions), *(number(p.rmse[t]) for p in predictions)]
            for t, name in enumerate(case.targets)
        ]
        tables = [
            table(header, cells, mark_first=True),
            table(["target", *(f"{what} {p}" for what in ("CRPS", "RMSE") for p in who)], each),
        ]
    return section("Scores on the test rows", *tables, definitions(terms))


def calibration(case: Case) -> str:
    """Show coverage and the histograms of the probability integral transform."""
    T = len(case.targets)
    cells = []
    for c in case.scores.coverage:
        off = (c.observed - c.level) / c.standard_error
        verdict = "too many" if off > SURPRISING else "too few" if off < -SURPRISING else "as expected"
        cells.append([f"{100 * c.level:g} %", percent(c.observed, c.standard_error), number(c.mean_width), verdict])
        if T > 1:
            cells[-1].insert(0, case.targets[c.target])
    header = [*(["target"] if T > 1 else []), "interval", "holds", "mean width", "verdict"]
    intervals = table(header, cells, words=1 + (T > 1))
    names = case.targets[:_PICTURES]
    histogram = (
        picture(plots.pit_histograms(case.pit[:, :_PICTURES], names), "", f"PIT histogram of {listed(names)}")
        if len(case.pit) >= _HISTOGRAM
        else paragraph(f"A PIT histogram needs {_HISTOGRAM} rows.")
    )
    terms = [
        (
            "holds",
            "share of the truths in the central intervals, ± its standard error if the intervals are right; the "
            f"verdict objects beyond {SURPRISING} of them",
        ),
        ("mean width", "of the intervals, in the target's units"),
        (
            "PIT histogram",
            "where the truths fall in the predicted distributions: F(truth) is the probability predicted below the "
            "truth. Right predictions give a flat histogram; a hill means too wide, a valley too narrow, a slope "
            "biased. The grey band holds 95 % of the bars if the model is right, so a single bar outside means little",
        ),
    ]
    parts = [side_by_side(intervals, histogram)] if T == 1 else [intervals, histogram]
    return section("Are the probabilities right?", *parts, definitions(terms))


def components(case: Case) -> str:
    """Show how the number of components was chosen, where it was."""
    study = case.model.study_
    if study is None:
        return ""
    caption = (
        f"Difference to the best candidate in nats per row; bars are standard errors. Chosen: {study.chosen}, the "
        "smallest number that loses next to nothing."
    )
    return section("How many components?", picture(component_curve(study), caption, "Criterion of every candidate"))


def training(case: Case) -> str:
    """Show the learning curve."""
    history = case.model.history_
    if not history.epochs:
        return ""
    held_back = any(v is not None for v in history.validation)
    validation = [np.nan if v is None else v for v in history.validation]
    epochs = listed([str(e) for e in sorted(set(history.best_epochs))])
    kept = (
        f"Of each network the epoch was kept where the rows held back from it were predicted best: {epochs}."
        if held_back
        else f"No rows were held back, so the last epoch, {epochs}, was kept."
    )
    were = "steps were" if history.skipped != 1 else "step was"
    skipped = f"{history.skipped or 'No'} {were} skipped for a loss or gradient that was not finite."
    figure = plots.learning_curve(
        np.array(history.loss, dtype=float),
        np.array(validation, dtype=float) if held_back else None,
        history.best_epoch,
        "NLL [nats per row]",
    )
    caption = (
        "Mean negative log-likelihood after each epoch, in the target's own units; the first epochs may lie above the "
        "picture. That of the training rows is taken with dropout while the network still changes, so the curves may "
        f"cross. {kept} {skipped}"
    )
    return section("Training", picture(figure, caption, "Loss of every epoch"))


def settings(case: Case, facts: Sequence[tuple[str, str]]) -> str:
    """Show data and settings as a table."""
    model, T = case.model, len(case.targets)
    constant = [name for name, column in zip(case.features, case.X_train.T, strict=True) if np.ptp(column) == 0]
    rows = [
        ("rows", f"{len(case.X_train):,} for training, {len(case.X_test):,} for the test"),
        ("features", f"{len(case.features)}: {listed(case.features, 40)}"),
    ]
    if constant:
        rows.append(("constant features", listed(constant, 40)))
    for name, y in zip(case.targets, case.y_train.T, strict=True):
        spread = (
            f"{number(y.min())} to {number(y.max())}, mean {number(y.mean())}, standard deviation {number(y.std())}"
        )
        rows.append(("target", f"{name}: {spread} in the training rows"))
    components = f"{model.components_} Gaussian component{'s' if model.components_ > 1 else ''}"
    whose = " from each network" if model.ensemble > 1 else ""
    networks = f"{model.ensemble} networks, each with " if model.ensemble > 1 else ""
    widths = listed([str(width) for width in model.hidden])
    fraction = model.validation_fraction
    held = RegressionPlan.held_for(len(case.X_train)) if fraction is None else fraction
    least = np.maximum(model.min_scale, model.targets_.floor)
    floors = listed([f"{floor:.2g}" for floor in (least if np.ptp(least) else least[:1])])
    rows += [
        ("mixture", f"{components}, {model.covariance} covariance" if T > 1 else components),
        (
            "inputs",
            f"standardised, quantile-normalised and as waves of roughness {model.roughness_:g}"
            + (", of .25, .5 and .75 the best on rows held back" if model.roughness == "auto" else ""),
        ),
        ("network", f"{networks}residual blocks of width {widths}, dropout {model.dropout:g}"),
        ("smallest scale", f"{floors} standard deviations of the target"),
        (
            "training",
            f"{len(model.history_.epochs)} epochs of AdamW, peak learning rate {model.learning_rate:g}, weight decay "
            f"{model.weight_decay:g}; {percent(held)} of the training rows held back{whose} to choose the epoch",
        ),
        ("random_state", str(model.random_state)),
    ]
    return section(
        "Data and settings", table([], [*facts, *(row for row in rows if row[0] not in dict(facts))], words=2)
    )
