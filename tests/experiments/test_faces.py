"""Faces from files that the test makes: what is found, what is said where nothing is, and a quick run."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mixtura.experiments import EXPERIMENTS, Options, Sheet
from mixtura.experiments.faces import read_faces

FACES = importlib.import_module("mixtura.experiments.faces")
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 64, 64), dtype=np.uint8)


def _options(folder: Path | None) -> Options:
    return Options(quick=True, data=folder, say=lambda line: None)


def test_files_are_found_and_split(tmp_path: Path) -> None:
    np.savez(tmp_path / "faces_olivetti.npz", images=PIXELS)
    found = read_faces(_options(tmp_path))
    assert found.name.startswith("Olivetti")
    np.testing.assert_allclose(found.test[:, 0].numpy() * 255, PIXELS[-4:], atol=1e-4)
    assert len(found.train) == 36
    rows = {tuple(r) for r in (found.train.flatten(1) * 255).round().int().tolist()}
    assert rows == {tuple(r) for r in PIXELS[:-4].reshape(36, -1).tolist()}
    np.savez(tmp_path / "faces_lfw64.npz", train=PIXELS[:30], test=PIXELS[30:])
    found = read_faces(_options(tmp_path))
    assert found.name.startswith("Labeled")
    np.testing.assert_allclose(found.train[:, 0].numpy() * 255, PIXELS[:30], atol=1e-4)


def test_a_folder_of_pictures_is_read_grey(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for k in range(8):
        image.fromarray(np.full((80, 70, 3), (k, 0, 0), np.uint8)).save(tmp_path / f"{k}.png")
    found = read_faces(_options(tmp_path))
    assert found.train.shape[1:] == (1, 64, 64)
    assert len(found.train) + len(found.test) == 8
    values = torch.cat([found.train, found.test]).flatten(1).mul(255).round()
    assert sorted(values[:, 0].tolist()) == [round(0.299 * k) for k in range(8)]


def test_missing_data_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="--data or MIXTURA_DATA"):
        EXPERIMENTS["faces"](_options(None))
    pytest.importorskip("PIL.Image")
    with pytest.raises(FileNotFoundError, match="no image"):
        EXPERIMENTS["faces"](_options(tmp_path))


def test_quick_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FACES, "_QUICK", 1)
    np.savez(tmp_path / "faces_lfw64.npz", train=PIXELS[:30], test=PIXELS[30:])
    record = EXPERIMENTS["faces"](_options(tmp_path))
    json.dumps(record.to_json(), allow_nan=False)
    standard, mixture, real = record.tables[0].rows
    assert standard[2] == pytest.approx(standard[3], rel=1e-5)  # one answer is the best and the average one
    assert standard[4] == 0
    assert float(mixture[2] or 0) < float(mixture[3] or 0)
    test, train = (torch.as_tensor(p).reshape(len(p), -1) / 255 for p in (PIXELS[30:], PIXELS[:30]))
    assert real[5] == pytest.approx(torch.cdist(test, train).amin(1).mean().item(), rel=1e-4)
    sheet = record.pictures[0].panels[0]
    assert isinstance(sheet, Sheet)
    assert sheet.images.shape == (8 * 12, 66, 66)
    assert f"{float(mixture[2] or 0) / float(standard[2] or 1):.2g} of the squared error" in record.findings[0]
