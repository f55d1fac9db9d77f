"""The report on an autoencoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from numpy.typing import ArrayLike

from mixtura.estimators import MixtureAutoencoder
from mixtura.report.autoencoder import sections
from mixtura.report.autoencoder.case import AutoencoderCase
from mixtura.report.autoencoder.scores import ANSWERS, AutoencoderScores
from mixtura.report.page import check_folder, page, paragraph, remarks, write_page
from mixtura.report.words import percent, plus_minus

__all__ = ["autoencoder_chapter", "autoencoder_report"]

_FEW_TRAIN, _FEW_TEST = 200, 50
_LOW = 0.8


def autoencoder_report(
    path: str | Path,
    model: MixtureAutoencoder,
    train: ArrayLike,
    test: ArrayLike,
    *,
    title: str,
    rivals: Mapping[str, MixtureAutoencoder] | None = None,
    image_shape: Sequence[int] | None = None,
    classes: ArrayLike | None = None,
    facts: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> AutoencoderScores:
    """Write what an autoencoder answers, how near it comes to its bound and what to distrust, as one HTML file that
    needs nothing else.

    The same arguments give the same file. It is written whole or not at all, and replaces an existing one.

    Args:
        path: the file.
        model: a fitted autoencoder.
        train: rows that it was fitted on, shape (n, D), or images.
        test: rows that it has not seen, shape (m, D), or images.
        title: of the report.
        rivals: other fitted autoencoders by name, to compare with, such as one with ``centers=1`` and
            ``cost="squared_error"``, which is a standard autoencoder; they must see X in the same units.
        image_shape: ``(C, H, W)`` to show rows as pictures; None takes the model's.
        classes: of the test rows, shape (m,), to show which of them have codes in common.
        facts: names and values about data and settings, for the table of both.
        notes: sentences about the data that a reader should know first.

    Returns:
        The scores in the report.

    Raises:
        FileNotFoundError: where the folder of ``path`` does not exist.
        ImportError: where matplotlib is not installed.
        ValueError: where the data do not fit the models, or each other.
    """
    check_folder(path)
    html, scores = autoencoder_chapter(
        model, train, test, rivals=rivals, image_shape=image_shape, classes=classes, facts=facts, notes=notes
    )
    write_page(path, page(title, html, footer=f"Written by mixtura {version('mixtura')}."))
    return scores


def autoencoder_chapter(
    model: MixtureAutoencoder,
    train: ArrayLike,
    test: ArrayLike,
    *,
    rivals: Mapping[str, MixtureAutoencoder] | None = None,
    image_shape: Sequence[int] | None = None,
    classes: ArrayLike | None = None,
    facts: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
) -> tuple[str, AutoencoderScores]:
    """Return the body of a report on an autoencoder, as part of a page of several, and the scores in it.

    The arguments are those of :func:`autoencoder_report`.
    """
    case = AutoencoderCase.build(model, train, test, rivals or {}, image_shape, classes)
    parts = (
        paragraph(
            f"Learnt from {len(case.train):,} rows, tested on {case.rows:,} others. {case.train.shape[1]} columns "
            f"are coded by {model.code_features}.",
            "subtitle",
        ),
        paragraph(_summary(case), "lead"),
        remarks("Before trusting the numbers", _warnings(case), warning=True),
        remarks("About the data", notes),
        sections.answers(case),
        sections.scores(case),
        sections.bound(case),
        sections.codes(case),
        sections.settings(case, facts),
    )
    return "\n".join(part for part in parts if part), case.scores


def _summary(case: AutoencoderCase) -> str:
    s = case.scores.model
    sentences = [
        f"The code of a row is answered with {case.model.centers} centers and their weights, a list of what the code "
        "may stand for.",
        f"The answers reach {percent(s.train_ratio[0], s.train_ratio[1])} of the bound that answers to these codes can "
        "have.",
        f"The best of {ANSWERS} answers is {plus_minus(*s.best_error)} from a test row, in squared distance.",
    ]
    for rival in case.scores.rivals:
        sentences.append(
            f"“{rival.name}” reaches {percent(rival.train_ratio[0], rival.train_ratio[1])} of the bound of its codes; "
            f"it is {plus_minus(*rival.best_error)} from a test row, so the model's best answer is "
            f"{_nearer(s.best_error[0], rival.best_error[0])}."
        )
    return " ".join(sentences)


def _nearer(ours: float, theirs: float) -> str:
    if theirs <= 0:
        return "farther"
    return f"{percent(abs(1 - ours / theirs))} {'nearer' if ours <= theirs else 'farther'}"


def _warnings(case: AutoencoderCase) -> list[str]:
    s, sentences = case.scores, []
    if len(case.train) < _FEW_TRAIN:
        sentences.append(f"Only {len(case.train)} rows to learn from: what a code stands for is hardly known then.")
    if case.rows < _FEW_TEST:
        sentences.append(f"There are only {case.rows} test rows: every score below is uncertain.")
    if s.model.train_ratio[0] < _LOW:
        sentences.append(
            f"The answers reach only {percent(s.model.train_ratio[0])} of their bound: more centers or more steps "
            "would bring them nearer."
        )
    lost, error = s.model.train_ratio[0] - s.model.test_ratio[0], s.model.test_ratio[1]
    if lost > max(0.1, 3 * error):
        sentences.append(
            f"For test rows the ratio of value and bound is {percent(s.model.test_ratio[0])}, well below that of "
            "training rows: the model has learnt rows by heart, or there are too few test rows for every code."
        )
    for rival in s.rivals:
        if rival.best_error[0] < s.model.best_error[0]:
            sentences.append(
                f"“{rival.name}” comes nearer to test rows than the best of {ANSWERS} answers of the model."
            )
    return sentences
