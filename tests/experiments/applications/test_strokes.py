"""The experiment on drawn characters."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mixtura.distributions import StrokePoint
from mixtura.experiments import EXPERIMENTS, Options, Strokes
from tests.helpers import global_state, random_case

STROKES = importlib.import_module("mixtura.experiments.applications.strokes")


def _silent(_: str) -> None:
    pass


def _write(path: Path, drawings: list[np.ndarray]) -> None:
    points, offsets = np.concatenate(drawings), np.cumsum([0, *map(len, drawings)])
    arrays: dict[str, Any] = {}
    for split in ("train", "valid", "test"):
        arrays |= {f"{split}_points": points, f"{split}_offsets": offsets}
    np.savez(path, **arrays)


def test_error_of_a_mean_per_point_is_that_of_drawing_the_drawings_again() -> None:
    rng = np.random.default_rng(0)

    def sample(n: int) -> tuple[np.ndarray, np.ndarray]:
        points = rng.integers(5, 60, n).astype(float)
        return points * (1 + rng.normal(0, 0.5, n)) + rng.normal(0, 1, n) * points**0.5, points

    found = [STROKES.mean_and_error(*sample(200)) for _ in range(500)]
    means, errors = np.array(found).T
    assert means.mean() == pytest.approx(1, abs=0.01)
    assert errors.mean() == pytest.approx(means.std(), rel=0.15)


def test_drawings_are_read_in_their_own_units_with_the_floor_of_their_grid(tmp_path: Path) -> None:
    made = STROKES.made_up_characters(30, 0)
    origin = np.zeros((1, 3), np.float32)
    _write(tmp_path / "strokes_omniglot.npz", [np.concatenate([origin, d * [6, 6, 1]]) for d in made])
    _write(tmp_path / "strokes_kanji.npz", made)
    omniglot, kanji = STROKES.read_characters(Options(quick=True, data=tmp_path, say=_silent))
    points = np.concatenate(made)
    np.testing.assert_allclose(kanji.scale, points[:, :2].std(0), rtol=1e-5)
    np.testing.assert_allclose(omniglot.scale, 6 * kanji.scale, rtol=1e-5)
    assert kanji.floor == pytest.approx(np.sqrt(1 / 12) / points[:, :2].std(0), rel=1e-5)
    assert omniglot.floor == pytest.approx(kanji.floor, rel=1e-5)
    np.testing.assert_allclose(omniglot.train.points, kanji.train.points, atol=1e-5)  # the origin is gone
    np.testing.assert_allclose(kanji.real[3] * [*kanji.scale, 1], made[3], atol=1e-4)
    (tmp_path / "strokes_kanji.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*strokes_kanji\.npz: set MIXTURA_DATA to .*sketch-rnn"):
        STROKES.read_characters(Options(data=tmp_path))


def test_without_a_folder_it_is_said_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIXTURA_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"no folder .* set MIXTURA_DATA to .* strokes_omniglot\.npz"):
        EXPERIMENTS["strokes"](Options())


def test_findings_say_what_was_measured_whichever_way_it_is() -> None:
    points = np.full(50, 10.0)
    own = np.column_stack([np.random.default_rng(0).normal(20, 1, 50), points])

    def finding(diagonal: float, noise: float) -> str:
        other = own + [[10 * diagonal, 0]] + noise * np.random.default_rng(1).standard_normal((50, 1)) * [1, 0]
        heads: dict[str, Any] = dict(zip(STROKES._HEADS, ([own], [other], [own + np.array([5, 0])]), strict=True))
        return STROKES._finding("x", {("x", head): nll for head, nll in heads.items()})

    assert "20 Gaussians, diagonal is worse, by 0.1" in finding(0.1, 0.1)
    assert "20 Gaussians, diagonal is better, by -0.1" in finding(-0.1, 0.1)
    assert "20 Gaussians, diagonal is not clearly different" in finding(0.1, 5)
    assert "one Gaussian, full is worse, by 0.500 ± 0.000" in finding(0.1, 0.1)


def test_correlations_are_removed_and_variances_kept() -> None:
    case = random_case("full", batch=(3,), D=2, seed=1)
    p = StrokePoint(case.mixture, torch.zeros(3, 3, dtype=torch.float64))
    q = STROKES.uncorrelated(p).offset
    S = q.covariance.dense(2).numpy()
    np.testing.assert_allclose(S, case.dense.S * np.eye(2))
    torch.testing.assert_close(q.mean, p.offset.mean)


def test_quick_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STROKES, "_QUICK", 90)
    lines: list[str] = []
    before = global_state()
    record = EXPERIMENTS["strokes"](Options(quick=True, say=lines.append))
    assert global_state() == before
    json.dumps(record.to_json(), allow_nan=False)
    assert "made-up characters" in lines[0]
    rows = {str(r[1]): [float(c or 0) for c in r[3:6]] for r in record.tables[0].rows}
    full, single = rows["20 Gaussians, full"], rows["one Gaussian, full"]
    assert full[0] + 0.3 < single[0]
    assert f"{full[0]:.3f} nats per point" in record.findings[0]
    scale = np.concatenate(STROKES.made_up_characters(90, 0))[:, :2].std(0)
    assert full[2] - full[0] == pytest.approx(np.log(scale).sum(), rel=1e-5)
    panels = record.pictures[0].panels
    assert len(panels) == 4
    for panel in panels:
        assert isinstance(panel, Strokes)
        assert len(panel.drawings) == 30
        assert all(np.isfinite(d).all() and d[-1, 2] == 1 for d in panel.drawings)
