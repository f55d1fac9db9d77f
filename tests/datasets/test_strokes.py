"""Strokes that the tests write themselves, and what is said about files that are broken."""

import numpy as np
import pytest

from mixtura.datasets import read_iam_strokes, read_iam_text, read_strokes, scale_strokes, stroke_scale

A = [[0, 0, 0], [3, -4, 1]]
B = [[1, 2, 0], [2, 2, 1], [-5, 0, 1]]


def npz(path, points, offsets, split="train", dtype=np.float32):
    np.savez(path, **{f"{split}_points": np.array(points, dtype), f"{split}_offsets": np.array(offsets)})
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_drawings_come_back_one_by_one(tmp_path, dtype):
    path = npz(tmp_path / "s.npz", A + B, [0, 2, 5], "valid", dtype)
    a, b = read_strokes(path, "valid")
    assert (a.tolist(), b.tolist()) == (A, B)
    assert a.dtype == b.dtype == np.float32


def test_scaled_drawings_have_unit_deviation_and_the_same_pen():
    rng = np.random.default_rng(0)
    drawings = [
        np.column_stack([rng.normal(3, 50, n), rng.normal(0, 20, n), rng.integers(0, 2, n)]).astype(np.float32)
        for n in (5, 40, 300)
    ]
    scale = stroke_scale(drawings)
    np.testing.assert_allclose(scale, np.std(np.vstack(drawings)[:, :2].astype(float), axis=0), rtol=1e-6)
    scaled = scale_strokes(drawings, scale)
    np.testing.assert_allclose(stroke_scale(scaled), 1, rtol=1e-5)
    for old, new in zip(drawings, scaled, strict=True):
        assert new.dtype == np.float32
        np.testing.assert_array_equal(old[:, 2], new[:, 2])
        np.testing.assert_allclose(new[:, :2] * scale, old[:, :2], rtol=1e-5)
    with pytest.raises(ValueError, match="dx or dy is the same"):
        stroke_scale([np.array([[1, 2, 0], [1, 3, 1]], np.float32)])
    with pytest.raises(ValueError, match="no drawing"):
        stroke_scale([])


@pytest.mark.parametrize(
    ("points", "offsets", "message"),
    [
        ([*A, [1, np.nan, 1]], [0, 2, 3], r"drawing 1 of train in .*s\.npz has a number that is not finite in point 0"),
        ([*A, [1, 1, 0.5], [1, 1, 1]], [0, 2, 4], r"drawing 1 .* has the pen at 0\.5 in point 0"),
        ([[0, 0, 1], [1, 1, 0], *B], [0, 2, 5], "drawing 0 .* ends with the pen on the paper"),
        (A + B, [0, 2, 2, 5], "drawing 1 .* has no point"),
        (A + B, [0, 4, 2, 5], "drawing 1 .* ends before it begins"),
        (A + B, [0, -3, 5], "drawing 0 .* ends before it begins"),
        (A + B, [0, 2, 4], "must lead from 0 to the 5 points, but leads from 0 to 4"),
        (A + B, [1, 2, 5], "leads from 1 to 5"),
        (A + B, [[0, 5]], "at least two integers"),
        (A + B, [0.0, 5.0], "at least two integers"),
        ([[0, 1]], [0, 1], r"numbers of shape \(N, 3\), got float32 \(1, 2\)"),
    ],
)
def test_malformed_drawings_are_named(tmp_path, points, offsets, message):
    with pytest.raises(ValueError, match=message):
        read_strokes(npz(tmp_path / "s.npz", points, offsets))


def test_other_files_than_strokes(tmp_path):
    with pytest.raises(
        ValueError, match="no arrays test_points and test_offsets; it holds: train_points, train_offsets"
    ):
        read_strokes(npz(tmp_path / "s.npz", A, [0, 2]), "test")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"text\.npz is not an npz file"):
        read_strokes(tmp_path / "text.npz")
    with pytest.raises(FileNotFoundError):
        read_strokes(tmp_path / "nothing.npz")


LINE = """<?xml version="1.0" encoding="ISO-8859-1"?>
<WhiteboardCaptureSession>
  <WhiteboardDescription>
    <SensorLocation corner="top_left"/>
    <DiagonallyOppositeCoords x="6512" y="1376"/>
  </WhiteboardDescription>
  <StrokeSet>
    <Stroke colour="black" start_time="769.05" end_time="769.64">
      <Point x="1073" y="1058" time="769.05"/>
      <Point x="1072" y="1085" time="769.07"/>
      <Point x="1066.5" y="1117" time="769.08"/>
    </Stroke>
    <Stroke colour="black" start_time="770.02" end_time="770.02">
      <Point x="1100" y="1050" time="770.02"/>
    </Stroke>
  </StrokeSet>
</WhiteboardCaptureSession>
"""


def xml(path, text):
    path.write_text(text, encoding="ISO-8859-1")
    return path


def test_a_line_of_iam(tmp_path):
    line = read_iam_strokes(xml(tmp_path / "a01-000u-01.xml", LINE))
    assert line.tolist() == [[0, 0, 0], [-1, 27, 0], [-5.5, 32, 1], [33.5, -67, 1]]
    np.testing.assert_allclose(line[:, :2].sum(0), [1100 - 1073, 1050 - 1058])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('x="1072" ', "", r"point 2 of stroke 1 in .*line\.xml has no numbers x and y, but \{'y': '1085'"),
        ('y="1050"', 'y="low"', "point 1 of stroke 2 .* has no numbers"),
        ('y="1050"', 'y="inf"', "point 1 of stroke 2 .* is not finite"),
        ('<Point x="1100" y="1050" time="770.02"/>', "", "stroke 2 of .* has no point"),
        ("StrokeSet>", "Set>", "no line of IAM-OnDB"),
        ("WhiteboardCaptureSession", "Session", "no line of IAM-OnDB"),
        ("</WhiteboardCaptureSession>", "", r"line\.xml is not an XML file, or a broken one: no element found"),
    ],
)
def test_malformed_lines_are_named(tmp_path, old, new, message):
    assert old in LINE
    with pytest.raises(ValueError, match=message):
        read_iam_strokes(xml(tmp_path / "line.xml", LINE.replace(old, new)))


def test_the_text_of_the_lines(tmp_path):
    path = tmp_path / "a01-000u.txt"
    path.write_text("OCR:\n\nA MOVE to slop\nMr. Gait\n\nCSR:\n\nA MOVE to stop\r\nMr. Gaitskell from\n\n", newline="")
    assert read_iam_text(path) == ["A MOVE to stop", "Mr. Gaitskell from"]
    for text, message in (("OCR:\n\nA MOVE\n", "has no line 'CSR:'"), ("CSR:\n\n", "no text after")):
        path.write_text(text)
        with pytest.raises(ValueError, match=rf"a01-000u\.txt.*{message}"):
            read_iam_text(path)
    path.write_bytes(b"CSR:\n\xff\xfe")
    with pytest.raises(ValueError, match="not a text file in UTF-8"):
        read_iam_text(path)
