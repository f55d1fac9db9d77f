"""What the pictures draw, read back from them."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from mixtura.report import density_plots, plots
from mixtura.report.page import page, paragraph, picture, remarks, section, table, write_page
from mixtura.report.style import svg
from tests.report.reading import Report, assert_needs_nothing


def test_pit_histogram_and_its_band():
    rng = np.random.default_rng(0)
    pits = rng.uniform(size=(400, 2)) ** [1, 2]
    figure: Any = plots.pit_histograms(pits, ["a", "b"])
    for t, ax in enumerate(figure.axes):
        bars = [p for p in ax.patches if p.get_width() == pytest.approx(1 / 20)]
        counts = np.histogram(pits[:, t], 20, (0, 1))[0]
        np.testing.assert_allclose([p.get_height() for p in bars], counts / 20)
        [band] = [p for p in ax.patches if p.get_width() == pytest.approx(1)]
        low, high = (stats.binom.ppf(q, 400, 1 / 20) / 20 for q in (0.025, 0.975))
        assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((low, high))


def test_the_band_holds_as_many_bars_as_it_says():
    rng = np.random.default_rng(0)
    n, bins = 500, plots.pit_bins(500)
    counts = rng.multinomial(n, [1 / bins] * bins, size=2000)
    low, high = stats.binom.ppf([0.025, 0.975], n, 1 / bins)
    assert 0.94 < ((low <= counts) & (counts <= high)).mean() < 0.98


@pytest.mark.parametrize(("n", "bins"), [(1, 4), (100, 10), (10_000, 20)])
def test_bins(n, bins):
    assert plots.pit_bins(n) == bins


def test_learning_curve_shows_the_end_and_the_best():
    loss = np.concatenate([[1e9, 50], np.linspace(3, 1, 38)])
    validation = loss + 0.5
    validation[30] = 0.9
    loss[5] = np.nan
    figure: Any = plots.learning_curve(loss, validation, 31, "NLL")
    [ax] = figure.axes
    drawn = {line.get_label(): line.get_xydata() for line in ax.lines}
    np.testing.assert_array_equal(drawn["training rows"], np.column_stack([np.arange(1, 41), loss]))
    np.testing.assert_array_equal(drawn["rows held back"][:, 1], validation)
    np.testing.assert_array_equal(drawn["kept: epoch 31"], [[31, 0.9]])
    low, high = ax.get_ylim()
    assert low < 0.9
    assert 3 < high < 20


@pytest.mark.parametrize("loss", [[2.0], [np.nan, np.nan], [1.0, 1.0, 1.0], [np.inf, 2.0], [-1e12, -2e12]])
def test_odd_learning_curves(loss):
    figure = plots.learning_curve(np.array(loss), None, len(loss), "NLL")
    assert np.isfinite(figure.axes[0].get_ylim()).all()
    assert svg(figure).startswith("data:image/svg+xml;base64,")


def test_ranking_is_from_top_to_bottom():
    figure: Any = plots.ranking(["first", "second $x$", "third"], np.array([3.0, 2, -1]), np.zeros(3), "nats")
    [ax] = figure.axes
    heights = {label.get_text(): y for label, y in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True)}
    assert heights["first"] > heights["second $x$"] > heights["third"]
    bars = {round(p.get_y() + p.get_height() / 2): p.get_width() for p in ax.patches}
    assert bars[heights["third"]] == -1


def test_contours_hold_what_they_say():
    x = np.linspace(-4, 4, 160)
    density = stats.norm.pdf(x) * stats.norm.pdf(x)[:, None]
    surface = density_plots.Surface("row", x, x, density, (0.0, 1.0))
    figure: Any = density_plots.joint_densities([surface], ("a", "b"))
    [ax] = figure.axes
    [contours] = [c for c in ax.collections if hasattr(c, "levels")]
    expected = [np.exp(-stats.chi2.ppf(p, 2) / 2) / (2 * np.pi) for p in (0.95, 0.8, 0.5)]
    np.testing.assert_allclose(contours.levels, expected, rtol=0.03)


def test_conditional_density_puts_values_where_they_belong():
    grid, edges = np.linspace(0, 1, 5), np.linspace(10, 20, 11)
    density = np.zeros((5, 10))
    density[1, 7] = 1
    quantiles = np.array([[12.0] * 5, [15.0] * 5, [18.0] * 5])
    points = (np.array([0.2]), np.array([13.0]))
    figure: Any = density_plots.conditional_density(grid, edges, density, quantiles, grid, points, "f", "t", False)
    top, ax = figure.axes[:2]
    [image] = ax.images
    left, right, bottom, high = image.get_extent()
    row, column = (int(i[0]) for i in np.nonzero(np.asarray(image.get_array())))
    assert left + (column + 0.5) * (right - left) / 5 == pytest.approx(0.25)
    assert bottom + (row + 0.5) * (high - bottom) / 10 == pytest.approx(17.5)
    assert image.origin == "lower"
    assert sum(p.get_height() for p in top.patches) == 5
    assert [line.get_label() for line in ax.lines][:3] == ["test rows", "5 and 95 % quantiles", "median"]


def test_page_is_whole_and_escaped(tmp_path):
    bad = "<script>alert('&')</script>"
    figure = plots.ranking([bad], np.ones(1), np.ones(1), bad)
    parts = [paragraph(bad, "lead"), remarks(bad, [bad], warning=True), picture(figure, bad, bad + '"')]
    parts += [table([bad, "b"], [[bad, "1"], ["x", "2"]], bad, mark_first=True), section(bad, paragraph(bad))]
    write_page(tmp_path / "p.html", page(bad, *parts, footer=bad))
    report = Report(tmp_path / "p.html")
    assert_needs_nothing(report)
    assert report.tables == [[[bad, "b"], [bad, "1"], ["x", "2"]]]
    assert report.texts["li"] == [bad]
    assert report.texts["p"] == [bad, bad]
    assert bad in report.labels
    assert remarks("nothing", []) == ""
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_page(tmp_path / "no" / "p.html", "")
