"""The experiment on many reconstructions: its scores on answers that are known to be perfect or poor."""

import importlib
import json

import pytest
import torch

from mixtura.experiments import EXPERIMENTS, Options, Scatter, Sheet
from mixtura.experiments.answers import Answers
from mixtura.experiments.coding import moons
from mixtura.experiments.digits import read_digits

DIVERSITY = importlib.import_module("mixtura.experiments.reconstruction_diversity")
SILENT = Options(quick=True, say=lambda line: None)


def _answers(points: torch.Tensor) -> Answers:
    return Answers(torch.full(points.shape[:2], 1 / points.shape[1]), points, points)


def test_inputs_themselves_score_perfectly_and_noise_badly() -> None:
    digits = read_digits(SILENT)
    data = DIVERSITY._Data("digits", digits.train.flatten(1), digits.test.flatten(1), digits.classifier)
    same = DIVERSITY._score(data, 0, "x", _answers(data.test.unsqueeze(1).repeat(1, 6, 1)))
    floor = DIVERSITY._floor(data, 0)
    assert (same.best, same.mean, same.apart, same.agreement) == (0, 0, 0, 1)
    assert same.nearest == pytest.approx(floor.nearest)
    assert same.confidence == pytest.approx(floor.confidence, rel=1e-5)
    g = torch.Generator().manual_seed(0)
    noise = DIVERSITY._score(data, 0, "x", _answers(torch.rand(len(data.test), 6, 64, generator=g)))
    assert noise.agreement < 0.3
    assert noise.nearest > 2 * floor.nearest
    assert noise.best <= noise.mean
    assert noise.apart > 1


def test_points_have_no_class() -> None:
    data = DIVERSITY._Data("moons", moons(50, 0), moons(30, 1))
    row = DIVERSITY._floor(data, 0).cells()
    assert row[3:6] == [None] * 3
    assert row[8:] == [None] * 2


def test_quick_run_compares_with_a_standard_autoencoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DIVERSITY, "_MOONS", 200)
    lines: list[str] = []
    record = EXPERIMENTS["reconstruction-diversity"](Options(quick=True, say=lines.append))
    json.dumps(record.to_json(), allow_nan=False)
    rows = record.tables[0].rows
    assert [r[:2] for r in rows] == [
        [d, m] for d in ("moons", "digits") for m in (DIVERSITY._MIXTURE, DIVERSITY._STANDARD, DIVERSITY._REAL)
    ]
    mixture, standard = rows[0], rows[1]
    assert float(mixture[3] or 0) < 0.5 * float(standard[3] or 1)  # thirty answers, one of which is near
    assert standard[6] == 0  # its answers are all the same
    assert float(mixture[6] or 0) > 0.1
    ratio = float(mixture[3] or 0) / float(standard[3] or 1)
    assert f"has {ratio:.2g} of the squared error" in record.findings[0]
    assert isinstance(record.pictures[0].panels[0], Scatter)
    sheet = record.pictures[1].panels[0]
    assert isinstance(sheet, Sheet)
    assert sheet.images.shape == (10 * 16, 10, 10)
