"""The picture that draws itself: its paths are the strokes, and they appear one after another."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from mixtura.report.strokes_svg import strokes_svg, write_strokes_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawing(rng, n, ups):
    points = np.column_stack([rng.normal(size=(n, 2)), np.zeros(n)]).astype(np.float32)
    points[[*ups, n - 1], 2] = 1
    return points


def corners(path):
    """The numbers of a path, two for each corner; a dot has a short line of its own."""
    d = re.sub(r"h[^L]*$", "", path.attrib["d"])
    return np.array([[float(v) for v in p.split()] for p in d.removeprefix("M").split("L")])


def test_paths_are_the_strokes_in_their_order():
    rng = np.random.default_rng(0)
    drawings = [drawing(rng, 9, [2, 3]), drawing(rng, 5, []), drawing(rng, 7, [4])]
    root = ElementTree.fromstring(strokes_svg(drawings, ["a < b", "&", "c"], columns=2))
    groups = root.findall(SVG + "g")
    assert [len(g) for g in groups] == [3, 1, 2]
    assert [t.text for t in root.findall(SVG + "text")] == ["a < b", "&", "c"]
    for group, points in zip(groups, drawings, strict=True):
        drawn = [corners(path) for path in group]
        np.testing.assert_allclose(
            np.concatenate(drawn), np.cumsum(points[:, :2], 0, dtype=float), rtol=1e-5, atol=1e-6
        )
        assert [len(c) for c in drawn] == np.diff(np.flatnonzero(np.append(1, points[:, 2]))).tolist()


def test_a_stroke_appears_while_the_pen_draws_it():
    rng = np.random.default_rng(1)
    points = drawing(rng, 50, [9, 39])
    root = ElementTree.fromstring(strokes_svg([points, points[40:]]))
    moves = [a.attrib for a in root.iter(SVG + "animate")]
    assert len(moves) == 4
    total = float(moves[0]["dur"].removesuffix("s"))
    assert total == 50 / 25 + 2
    for move, begin, end in zip(moves, (0, 10, 40, 0), (10, 40, 50, 10), strict=True):
        times = [float(t) * total for t in move["keyTimes"].split(";")]
        np.testing.assert_allclose(times, [0, begin / 25, end / 25, total], atol=1e-3)
        values = [float(v) for v in move["values"].split(";")]
        assert values == [1.05, 1.05, 0, 0]  # hidden behind its beginning, then whole
    assert "stroke-dasharray: 1 1.1" in (root.findtext(SVG + "style") or "")
    assert all(p.attrib["pathLength"] == "1" for p in root.iter(SVG + "path"))


@pytest.mark.parametrize("columns", [1, 2, 5])
def test_drawings_keep_inside_their_cells_and_share_one_scale(columns):
    rng = np.random.default_rng(2)
    drawings = [drawing(rng, n, []) for n in (3, 30, 8)]
    root = ElementTree.fromstring(strokes_svg(drawings, columns=columns))
    _, _, width, height = (float(v) for v in root.attrib["viewBox"].split())
    n = min(columns, 3)
    cell = np.array([width / n, height / -(-3 // n)])
    scales = set()
    for i, group in enumerate(root.findall(SVG + "g")):
        x, y, scale = (float(v) for v in re.findall(r"-?[\d.]+(?:e-?\d+)?", group.attrib["transform"]))
        scales.add(scale)
        shown = np.array([x, y]) + scale * corners(group[0])
        corner = cell * [i % n, i // n]
        assert (shown >= corner).all()
        assert (shown <= corner + cell).all()
    assert len(scales) == 1


def test_a_dot_and_a_file(tmp_path):
    write_strokes_svg(tmp_path / "dot.svg", [np.array([[2.0, 3.0, 1.0]])])
    root = ElementTree.parse(tmp_path / "dot.svg").getroot()
    (path,) = root.iter(SVG + "path")
    np.testing.assert_array_equal(corners(path), [[2, 3]])
    assert path.attrib["d"].endswith("h1e-4")


@pytest.mark.parametrize(
    ("drawings", "labels", "words"),
    [
        ([], [], "no drawing"),
        ([np.zeros((2, 2))], [], "drawing 0"),
        ([np.full((2, 3), np.nan)], [], "drawing 0 must hold finite numbers"),
        ([np.zeros((2, 3))], ["a", "b"], "2 labels and 1 drawings"),
    ],
)
def test_bad_input_is_named(drawings, labels, words):
    with pytest.raises(ValueError, match=words):
        strokes_svg(drawings, labels)
