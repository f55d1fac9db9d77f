"""Paths of an experiment are drawn where they are, the densest last and darkest."""

import importlib

import numpy as np
import pytest

from mixtura.experiments import Paths, Picture

pytest.importorskip("matplotlib")
REPORT = importlib.import_module("mixtura.report.experiment")


def test_paths_are_drawn_in_the_order_of_their_values() -> None:
    paths = np.random.default_rng(0).uniform(size=(4, 3, 2))
    frame = np.array([[-1.0, -0.5], [2.0, 1.5]])
    target = np.array([0.2, 0.4])
    values = np.array([3.0, -1.0, 2.0, 0.0])
    panels = [Paths("all", paths, target, frame, values), Paths("one", paths[:1], target, frame)]
    figure = REPORT._draw(Picture("", panels, columns=2))
    all_, one = figure.axes
    *lines, mark = all_.lines
    for line, i in zip(lines, values.argsort(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), paths[i])
    shades = [line.get_alpha() for line in lines]
    assert shades == sorted(shades)
    assert (shades[0], shades[-1]) == pytest.approx((0.08, 1))
    np.testing.assert_array_equal(mark.get_xydata(), [target])
    assert one.lines[0].get_alpha() == 1
    for axes in (all_, one):
        np.testing.assert_array_equal([axes.get_xlim(), axes.get_ylim()], frame.T)
