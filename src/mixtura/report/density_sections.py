"""The parts of the report on a regressor that show densities."""

from __future__ import annotations

import numpy as np

from mixtura.report import density_plots
from mixtura.report.case import Case
from mixtura.report.importance import sweep, sweep_feature
from mixtura.report.page import definitions, paragraph, picture, section, side_by_side
from mixtura.report.plots import ranking
from mixtura.report.rows import curves, surfaces
from mixtura.report.words import listed, number

__all__ = ["along_a_feature", "rows"]

_PICTURES = 3
"""Targets that get a picture."""
_BARS = 10
_POINTS = 1000


def along_a_feature(case: Case) -> str:
    """Show what the prediction depends on, and how it changes along the most influential feature."""
    heading = "How the prediction depends on the features"
    drop, _ = case.importance
    feature = sweep_feature(case.X_train, drop)
    if feature is None:
        return section(heading, paragraph("Every feature is constant, so there is nothing to depend on."))
    name = case.features[feature]
    bars, caption, points = "", f"The dots are up to {_POINTS:,} test rows.", slice(0)
    s = sweep(case.model, case.X_train, case.y_train, feature, _PICTURES)
    if len(case.features) == 1:
        points = np.random.default_rng(0).permutation(len(case.X_test))[:_POINTS]
    else:
        bars = _importance(case, feature)
        others = [f"{n} = {number(v)}" for n, v in zip(case.features, s.held, strict=True)]
        others.pop(feature)
        caption = (
            f"The other features are those of the training row closest to the medians: {listed(others)}. Test rows are "
            "not drawn, for theirs differ."
        )
    parts = []
    for t, target in enumerate(case.targets[:_PICTURES]):
        figure = density_plots.conditional_density(
            s.grid,
            s.edges[t],
            s.density[t],
            s.quantiles[t],
            case.X_train[:, feature],
            (case.X_test[points, feature], case.y_test[points, t]),
            name,
            target,
            s.distinct,
        )
        reading = f"Each vertical cut is the predicted density of {target} at one value of {name}; darker is denser."
        parts.append(picture(figure, f"{reading} {caption}", f"Predicted density of {target} along {name}"))
    return section(heading, bars, *parts)


def _importance(case: Case, feature: int) -> str:
    drop, error = case.importance
    top = drop.argsort(kind="stable")[::-1][:_BARS]
    figure = ranking([case.features[f] for f in top], drop[top], error[top], "lost log-likelihood [nats per row]")
    rows = "test" if case.judged_on_test else "training"
    more = f" The other {len(drop) - len(top)} features matter less." if len(drop) > len(top) else ""
    text = (
        f"How much worse the {rows} rows are predicted when one feature is shuffled among them; the line is the "
        f"standard error. Features that tell the same share their importance.{more}"
    )
    skipped = "" if feature == top[0] else " of those with more than two values"
    below = f"The pictures below follow {case.features[feature]}, the most important{skipped}."
    return side_by_side(picture(figure, "", "Importance of the features"), paragraph(text) + paragraph(below))


def rows(case: Case) -> str:
    """Show the densities that are predicted for some test rows."""
    choices = case.survey.choices
    parts = []
    for t, target in enumerate(case.targets[:_PICTURES]):
        panels, shared = curves(case.model, case.X_test, case.y_test, choices, t)
        scale = "The panels share one range" if shared else "Each panel has its own range"
        parts.append(
            picture(
                density_plots.row_densities(panels, target, shared),
                f"Predicted density of {target} (blue) and the truth (orange). {scale}, and each its own height. Rows "
                "are counted from 1 in the test set.",
                f"Predicted densities of {target} for {len(panels)} test rows",
            )
        )
    parts.append(definitions([(c.label, c.reason) for c in choices]))
    if len(case.targets) > 1:
        parts.append(_joint(case))
    return section("What is predicted for single rows", *parts)


def _joint(case: Case) -> str:
    wanted = ("ordinary", "widest", "several peaks")
    choices = case.survey.choices
    choices = [c for c in choices if any(word in c.label for word in wanted)] or choices[:1]
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.abs(np.nan_to_num(np.corrcoef(case.y_train.T))) - np.eye(len(case.targets))
    i, j = sorted(int(k) for k in np.unravel_index(correlation.argmax(), correlation.shape))
    pair = (case.targets[i], case.targets[j])
    why = ", the two targets that are correlated most" if len(case.targets) > 2 else ""
    return picture(
        density_plots.joint_densities(surfaces(case.model, case.X_test, case.y_test, choices, (i, j)), pair),
        f"Predicted joint density of {pair[0]} and {pair[1]}{why}: the lines enclose the smallest regions that hold "
        "50, 80 and 95 %, the cross is the truth. Each panel has its own range.",
        f"Joint densities of {pair[0]} and {pair[1]}",
    )
