"""Drawings of a pen are drawn whole, each in its cell, with its own proportions."""

import importlib

import numpy as np
import pytest

from mixtura.experiments import Picture, Strokes

pytest.importorskip("matplotlib")
REPORT = importlib.import_module("mixtura.report.experiment")


def test_each_drawing_fills_its_cell_and_keeps_its_shape() -> None:
    angle = np.array([[100, 50, 0], [40, 0, 0], [0, 20, 1], [-20, 0, 1]], np.float32)  # two strokes, one of them a dot
    dot = np.array([[5, 5, 1]], np.float32)
    figure = REPORT._draw(Picture("", [Strokes("", [angle, angle, dot], columns=2, aspect=3.0)]))
    (ax,) = figure.axes
    assert ax.get_xlim() == (0, 6)
    assert ax.get_ylim() == (2, 0)  # downwards, as the drawings are
    lines = [np.asarray(line.get_xydata()) for line in ax.lines]
    assert [len(line) for line in lines] == [3, 1, 3, 1, 1]
    first = np.array([[0, 0], [40, 0], [40, 20]]) - [20, 10]
    np.testing.assert_allclose(lines[0], [1.5, 0.5] + 0.84 / 20 * first)
    np.testing.assert_allclose(lines[1], [[1.5, 0.5 + 0.42]])
    np.testing.assert_allclose(lines[2], lines[0] + [3, 0])
    np.testing.assert_allclose(lines[4], [[1.5, 1.5]])


def test_the_report_shows_them() -> None:
    panel = Strokes("", [np.array([[1, 0, 0], [0, 1, 1]], np.float32)])
    picture = Picture("a sheet", [panel])
    width = REPORT._draw(picture).get_size_inches()
    assert width[1] == pytest.approx(0.35 + width[0])


def test_labels_stand_above_their_drawings() -> None:
    line = np.array([[0, 0, 0], [1, 1, 1]], np.float32)
    (ax,) = REPORT._draw(Picture("", [Strokes("", [line] * 3, columns=2, aspect=2.0, labels=["a", "b", "c"])])).axes
    assert [(t.get_text(), *t.get_position()) for t in ax.texts] == [("a", 1, 0.02), ("b", 3, 0.02), ("c", 1, 1.02)]
