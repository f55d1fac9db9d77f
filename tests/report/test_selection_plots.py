"""The picture of a study of components says what the study says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from mixtura.report.selection_plots import component_curve
from mixtura.selection import ComponentStudy
from tests.helpers import global_state

STUDY = ComponentStudy([1, 2, 5], [0.4, 0.204, 0.2], [0.05, 0.02, 0.0], [0.5, 0.3, 0.4], [0.5, 0.6, 0.7])


@pytest.mark.parametrize(("criterion", "place"), [("cross_validation", (1, 0.004)), ("aic", (1, 0)), ("bic", (0, 0))])
def test_curve_bars_and_choice(criterion, place) -> None:
    before = global_state()
    [ax] = component_curve(replace(STUDY, criterion=criterion)).axes
    assert global_state() == before
    lines = {line.get_label(): line for line in ax.get_lines()}
    np.testing.assert_allclose(np.asarray(lines["AIC / 2n"].get_ydata(), float), [0.2, 0, 0.1])
    [bars] = [c for c in ax.containers if isinstance(c, ErrorbarContainer)]
    np.testing.assert_allclose(np.asarray(bars.lines[0].get_ydata(), float), [0.2, 0.004, 0], atol=1e-12)
    heights = [np.ptp(s[:, 1]) for s in bars.lines[2][0].get_segments()]
    np.testing.assert_allclose(heights, [0.1, 0.04, 0], atol=1e-12)
    [choice] = [line for name, line in lines.items() if str(name).startswith("chosen")]
    np.testing.assert_allclose(np.asarray(choice.get_xydata(), float), [place], atol=1e-12)
    assert [t.get_text() for t in ax.texts] == ["0.200", "0.004", "0.000"]
    low, high = ax.get_ylim()
    assert low < -0.016
    assert high > 0.25


def test_a_single_candidate_is_drawn() -> None:
    figure = component_curve(ComponentStudy([3], [0.4], [0.0], [0.5], [0.6]))
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["3"]
