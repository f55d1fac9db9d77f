"""The parts of the report on an autoencoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mixtura.report.autoencoder import plots
from mixtura.report.autoencoder.case import AutoencoderCase
from mixtura.report.autoencoder.scores import ANSWERS
from mixtura.report.page import definitions, picture, section, table
from mixtura.report.words import listed, number, percent, plus_minus

__all__ = ["answers", "bound", "codes", "scores", "settings"]

Array = NDArray[np.float64]
_ROWS, _SHOWN = 10, 12
"""Test rows in a sheet, and answers of each."""
_PER_ROW = 20
"""Samples in a row of a sheet."""


def answers(case: AutoencoderCase) -> str:
    """Show what codes are answered with."""
    if case.image_shape is not None:
        return section("Answers to the codes of test rows", _answers_sheet(case), _samples_sheet(case))
    if case.train.shape[1] != 2:
        return ""
    model, rivals = case.model, case.rivals
    drawn = {"mixture autoencoder": model.reconstruct(case.test, 1)[:, 0]}
    drawn |= {name: rival.reconstruct(case.test, 1)[:, 0] for name, rival in rivals.items()}
    figure = plots.planes(case.train, drawn | {"fresh samples": case.samples})
    caption = (
        "Grey: the training rows. Blue: one answer to the code of each test row, drawn by its weight; last, answers to "
        "codes that were drawn as well."
    )
    return section("Answers to the codes of test rows", picture(figure, caption, "Data and answers"))


def scores(case: AutoencoderCase) -> str:
    """Show the model's numbers beside those of others."""
    rows = [
        [
            s.name,
            plus_minus(*s.train_ratio),
            number(s.test_ratio[0]),
            plus_minus(*s.best_error),
            number(s.answer_error[0]),
            plus_minus(*s.mean_error),
            number(s.nearest[0]),
        ]
        for s in case.scores.all
    ]
    best = f"best of {ANSWERS}"
    header = ["", "value / bound", "of test rows", best, "one answer", "mean of answers", "answer to data"]
    terms = [
        (
            "value / bound",
            "of the conditional cost, at the kernel's last variance of the first model: the squared cosine of the "
            "angle between the answers q(x|y) and all training rows that a code y may stand for, p(x|y), in the mean "
            "over codes. It is 1 where they are the same, and never above; ± is the standard error over drawn codes",
        ),
        ("of test rows", "the same against test rows only: fewer rows for every code, so p(x|y) is harder to meet"),
        (
            best,
            f"squared distance of a test row to the nearest of {ANSWERS} answers to its code, drawn by their weights",
        ),
        ("one answer", "to one of them: several answers are no better than one if only one may be given"),
        (
            "mean of answers",
            "to their mean, which has the least expected squared error: what an autoencoder with squared error learns",
        ),
        (
            "answer to data",
            "squared distance of an answer to the nearest training row: a blurred answer is far from all",
        ),
    ]
    errors = "Errors are summed over columns, in squared units of the data: means of the test rows, ± standard errors."
    parts = (table(header, rows, errors, mark_first=True), definitions(terms))
    return section("One answer or several", *parts)


def bound(case: AutoencoderCase) -> str:
    """Show how the bound was approached."""
    model, looks = case.model, case.model.bound_history_
    if len(looks) < 2:
        return ""
    figure = plots.bound(looks, {name: rival.bound_history_ for name, rival in case.rivals.items()})
    caption = (
        "Left: the conditional cost of a fixed choice of training rows, and the bound that no decoder can lift it "
        f"above; at the end {number(model.bound_.gap.item())} nats are missing. The bound rises as the codes say more, "
        "and the value follows as the answers become what codes stand for. Both are at the variance where the training "
        "ends, so what comes before can be compared. Right: their ratio, each model at the variance where its own "
        "training ends."
    )
    return section("The bound during the training", picture(figure, caption, "Value and bound, and their ratio"))


def codes(case: AutoencoderCase) -> str:
    """Show the codes of test rows."""
    y = case.model.transform(case.test)
    figure = plots.codes(y, case.model.code_density_, case.classes)
    if y.shape[1] == 1:
        caption = "Grey: codes of the test rows. Blue: the density from which codes of fresh samples are drawn."
        caption += " Below: codes by class, which the model was not told." if case.classes is not None else ""
    else:
        caption = "Codes of the test rows" + (f", the first two of {y.shape[1]} columns." if y.shape[1] > 2 else ".")
        caption += (
            " A class is named where its median lies; the model was not told." if case.classes is not None else ""
        )
    noise = f"{number(case.model.code_variance**0.5)}"
    caption += f" Codes have mean zero and standard deviation one; while training, noise of {noise} is added."
    return section("Codes", picture(figure, caption, "Codes of the test rows"))


def settings(case: AutoencoderCase, facts: Sequence[tuple[str, str]]) -> str:
    """Show data and settings as a table."""
    model, plan, D = case.model, case.model.plan_, case.train.shape[1]
    some = f", of which {len(case.test):,} at random were scored" if case.rows > len(case.test) else ""
    a = plan.annealing
    end = "where a batch can still represent the data" if model.variance == "auto" else "what was asked for"
    held = (
        f"{percent(model.validation_fraction)} of the training rows" if model.validation_fraction else "training rows"
    )
    weights = sum(p.numel() for p in model.autoencoder_.parameters())
    rows = [
        ("rows", f"{len(case.train):,} to learn from, {case.rows:,} to test on{some}"),
        ("columns", f"{D}, coded by {model.code_features}"),
        (
            "centers",
            f"{model.centers}" + (" of the code and fresh noise" if model.noise_features else " for every code"),
        ),
        ("cost", f"{plan.cost.replace('_', '-')}, {plan.batch_size} rows a step, {len(model.history_.epochs)} epochs"),
        ("network", f"{weights:,} weights" + (", with convolutions" if model.image_shape else "")),
        (
            "kernel variance",
            f"from {number(a.start)}, the scale of the data, to {number(a.target)}, {end}; in squared units of what "
            "the network sees",
        ),
        ("answers' variance", f"{number(model.variance_)}, the most likely for {held}, in the same units"),
        ("random_state", str(model.random_state)),
    ]
    told = dict(facts)
    return section("Data and settings", table([], [*facts, *(row for row in rows if row[0] not in told)], words=2))


def _answers_sheet(case: AutoencoderCase) -> str:
    assert case.image_shape is not None
    chosen = _spread(case)
    x = case.test[chosen]
    q = case.model.predict_dist(x)
    order = q.logits.argsort(dim=-1, descending=True, stable=True)[:, :_SHOWN]
    ours = q.loc.take_along_dim(order.unsqueeze(-1), 1).numpy()
    others = [rival.inverse_transform(rival.transform(x))[:, None] for rival in case.rivals.values()]
    rows = np.concatenate([x[:, None], *others, ours], 1)
    figure = plots.sheet(_pixels(rows, case), [""] * len(x), gap=1 + len(others))
    second = f", then the mean answer of {listed([f'“{name}”' for name in case.rivals])}" if others else ""
    caption = (
        f"Each line: a test row{second}; right of the gap the {ours.shape[1]} most probable answers of the model to "
        "the same row's code, the most probable first. They differ in what the code does not say."
    )
    return picture(figure, caption, "Test rows and the answers to their codes")


def _samples_sheet(case: AutoencoderCase) -> str:
    assert case.image_shape is not None
    n = min(2 * _PER_ROW, len(case.train), len(case.samples)) // _PER_ROW * _PER_ROW
    if n == 0:
        return ""
    stacked = np.concatenate([case.train[:n], case.samples[:n]]).reshape(-1, _PER_ROW, case.train.shape[1])
    figure = plots.sheet(_pixels(stacked, case), ["data"] * (n // _PER_ROW) + ["samples"] * (n // _PER_ROW), gap=None)
    return picture(figure, "Training rows, and answers to codes drawn from the density of codes.", "Data and samples")


def _spread(case: AutoencoderCase) -> NDArray[np.intp]:
    """Return rows to show: of every class as many as of the others where classes are known, else the first."""
    n = min(_ROWS, len(case.test))
    if case.classes is None:
        return np.arange(n)
    _, label = np.unique(case.classes, return_inverse=True)
    turn = [(label[:i] == own).sum() for i, own in enumerate(label)]  # how many of the class came before
    first = np.lexsort((label, turn))[:n]
    return first[np.argsort(label[first], kind="stable")]


def _pixels(rows: Array, case: AutoencoderCase) -> Array:
    """Return pictures with values from 0 to 1, shape (rows, columns, C, H, W)."""
    assert case.image_shape is not None
    low, high = case.train.min(), case.train.max()
    return ((rows - low) / (high - low)).reshape(*rows.shape[:2], *case.image_shape)
