"""Drawn text against the faces themselves, and what a writer does to it."""

import math
import sys
from dataclasses import replace

import numpy as np
import pytest

from mixtura.datasets import WRITING_FACES, Writer, draw_text, random_writer
from mixtura.datasets.drawn_text import _glyphs

HersheyFonts = pytest.importorskip("HersheyFonts")
FINE = Writer(stride=0.02)


def face_strokes(name, text):
    fonts = HersheyFonts.HersheyFonts()
    fonts.load_default_font(name)
    return [np.array(s, float) for s in fonts.strokes_for_text(text)]


def positions(strokes):
    return np.cumsum(strokes[:, :2].astype(float), axis=0)


def pieces(strokes):
    return np.split(positions(strokes), np.flatnonzero(strokes[:-1, 2]) + 1)


def distance_to_line(points, corners):
    """Largest distance of points from a broken line."""
    a, step = corners[:-1], np.diff(corners, axis=0)
    t = (((points[:, None] - a) * step).sum(-1) / np.square(step).sum(-1).clip(1e-12)).clip(0, 1)
    return np.linalg.norm(points[:, None] - a - t[..., None] * step, axis=-1).min(1).max()


@pytest.mark.parametrize(("face", "name", "text"), [("plain", "futural", "Ruby {7}"), ("script", "scripts", "ae:M")])
def test_points_lie_on_the_strokes_of_the_face(face, name, text):
    drawn = pieces(draw_text(text, replace(FINE, face=face)))
    wanted = [(s - [0, 9]) / 21 for s in face_strokes(name, text)]
    assert len(drawn) == len(wanted)
    for points, corners in zip(drawn, wanted, strict=True):
        np.testing.assert_allclose(points[[0, -1]], corners[[0, -1]], atol=1e-5)
        assert distance_to_line(points, corners) < 1e-5
        assert distance_to_line(corners, points) < 0.02  # corners are rounded by less than a stride


def test_capitals_are_those_of_the_plain_face():
    np.testing.assert_array_equal(draw_text("word", Writer("capitals")), draw_text("WORD"))


@pytest.mark.parametrize("spacing", [0.0, 0.1])
def test_letters_of_the_script_are_joined_where_they_meet(spacing):
    assert [len(face_strokes("scripts", c)) for c in "en"] == [1, 2]
    together = face_strokes("scripts", "en")
    assert together[0][-1].tolist() == together[1][0].tolist()
    joined, _ = pieces(draw_text("en", replace(FINE, face="script", spacing=spacing)))
    np.testing.assert_allclose(joined[-1], (together[1][-1] - [0, 9]) / 21 + [spacing, 0], atol=1e-5)


def test_slant_width_and_size_are_an_affine_map():
    plain, drawn = positions(draw_text("pig")), positions(draw_text("pig", Writer(slant=0.3, width=1.2, size=0.7)))
    np.testing.assert_allclose(drawn[:, 0], 0.7 * (1.2 * plain[:, 0] - 0.3 * plain[:, 1]), atol=1e-5)
    np.testing.assert_allclose(drawn[:, 1], 0.7 * plain[:, 1], atol=1e-5)


def test_letters_move_apart_by_the_spacing():
    plain, drawn = pieces(draw_text("lll")), pieces(draw_text("lll", Writer(spacing=0.2, width=1.5)))
    for i, (a, b) in enumerate(zip(plain, drawn, strict=True)):
        np.testing.assert_allclose(b, a * [1.5, 1] + [0.2 * i, 0], atol=1e-5)


def test_the_pen_slows_down_in_turns_and_keeps_its_stride_on_lines():
    stem = draw_text("l", Writer(stride=0.1))
    assert len(stem) == 11
    np.testing.assert_allclose(np.hypot(*stem[1:, :2].T), 0.1, rtol=1e-4)
    ring = np.hypot(*draw_text("O", Writer(stride=0.3))[1:, :2].T)
    assert ring.max() < 0.3
    assert 360 / 75 + ring.sum() / 0.3 == pytest.approx(len(ring), abs=1.5)


def test_tremor_has_its_standard_deviation_and_is_smooth():
    calm = positions(draw_text("mum " * 40, FINE))
    shaken = np.stack([positions(draw_text("mum " * 40, replace(FINE, jitter=0.02), seed)) - calm for seed in range(4)])
    assert shaken.std() == pytest.approx(0.02, rel=0.03)
    steps = np.diff(shaken, axis=1)
    assert steps.std() / shaken.std() == pytest.approx(math.sqrt(2 * (1 - math.exp(-1 / (4 * 2.0**2)))), rel=0.03)


def test_same_seed_same_drawing():
    writer = random_writer(3)
    np.testing.assert_array_equal(draw_text("seed", writer, 1), draw_text("seed", writer, 1))
    assert (draw_text("seed", writer, 1) != draw_text("seed", writer, 2)).any()


def test_writers_differ_and_keep_to_their_ranges():
    writers = [random_writer(seed) for seed in range(300)]
    assert {w.face for w in writers} == set(WRITING_FACES)
    for name, low, high in (
        ("slant", -0.1, 0.4),
        ("width", 0.8, 1.25),
        ("size", 0.8, 1.25),
        ("stride", 0.4, 0.625),
        ("spacing", -0.03, 0.12),
    ):
        values = [getattr(w, name) for w in writers]
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < max(values) <= high


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="nothing to draw in the text '  '"):
        draw_text("  ")
    with pytest.raises(ValueError, match="cannot draw 'é' in 'café'"):
        draw_text("café")
    with pytest.raises(ValueError, match="no face 'gothic'; there are: plain, script, capitals"):
        draw_text("a", Writer("gothic"))


def test_the_package_with_the_faces_is_named_where_it_is_missing(monkeypatch):
    _glyphs.cache_clear()
    monkeypatch.setitem(sys.modules, "HersheyFonts", None)
    with pytest.raises(
        ImportError, match=r"needs HersheyFonts: install it with `pip install 'mixtura\[handwriting\]'`"
    ):
        draw_text("a")
