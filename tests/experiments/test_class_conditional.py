"""Images with classes from files that the test makes, and a quick run on them."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from mixtura.experiments import EXPERIMENTS, Cell, Options, Sheet
from mixtura.experiments.class_conditional import read_colours

CONDITIONAL = importlib.import_module("mixtura.experiments.class_conditional")
LABELS = np.arange(60) % 3


def _pixels() -> np.ndarray:
    """Three classes: red, green and blue images."""
    pixels = np.random.default_rng(0).integers(0, 40, (60, 32, 32, 3), dtype=np.uint8)
    pixels[np.arange(60), :, :, LABELS] += 200
    return pixels


def _options(folder: Path | None) -> Options:
    return Options(quick=True, data=folder, say=lambda line: None)


def test_both_kinds_of_files_hold_the_same(tmp_path: Path) -> None:
    pixels = _pixels()
    for folder in ("npz", "bin"):
        (tmp_path / folder).mkdir()
    np.savez(tmp_path / "npz" / "cifar10_small.npz", images=pixels, labels=LABELS)
    rows = np.concatenate([LABELS[:, None], np.moveaxis(pixels, 3, 1).reshape(60, -1)], 1).astype(np.uint8)
    (tmp_path / "bin" / "data_batch_1.bin").write_bytes(rows.tobytes())
    a, b = (read_colours(_options(tmp_path / folder)) for folder in ("npz", "bin"))
    for name in ("train", "train_labels", "test", "test_labels"):
        assert getattr(a, name).equal(getattr(b, name))
    assert len(a.test) == 15
    assert (a.train.mean((2, 3)).argmax(-1) == a.train_labels).all()
    assert (a.test.mean((2, 3)).argmax(-1) == a.test_labels).all()


def test_missing_data_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="--data or MIXTURA_DATA"):
        EXPERIMENTS["class-conditional"](_options(None))
    with pytest.raises(FileNotFoundError, match="data_batch"):
        EXPERIMENTS["class-conditional"](_options(tmp_path))
    np.savez(tmp_path / "cifar10.npz", images=_pixels())
    with pytest.raises(ValueError, match="labels"):
        EXPERIMENTS["class-conditional"](_options(tmp_path))


def test_quick_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONDITIONAL, "_QUICK", 2)
    np.savez(tmp_path / "cifar10.npz", images=_pixels(), labels=LABELS)
    record = EXPERIMENTS["class-conditional"](_options(tmp_path))
    json.dumps(record.to_json(), allow_nan=False)
    plain, told, mixture, real = record.tables[0].rows
    assert plain[4] == told[4] == 0  # a single answer
    assert float(mixture[2] or 0) < float(mixture[3] or 0)
    assert float(real[5] or 0) < min(float(r[5] or 0) for r in (plain, told, mixture))
    assert f"{float(mixture[5] or 0):.3g}" in record.findings[0]
    sheet = record.pictures[0].panels[0]
    assert isinstance(sheet, Sheet)
    assert sheet.images.shape == (10 * 13, 34, 34, 3)


def test_columns_of_which_nothing_is_known_are_left_out() -> None:
    row: list[Cell] = [f"cell of {name}" for name in CONDITIONAL._COLUMNS]
    bare: list[Cell] = [
        None if name in ("LPIPS apart", "FID") else cell for name, cell in zip(CONDITIONAL._COLUMNS, row, strict=True)
    ]
    assert CONDITIONAL._table([bare, row]).rows == [bare, row]
    table = CONDITIONAL._table([bare, bare])
    assert list(table.rows[0]) == [f"cell of {name}" for name in table.columns]
    assert len(table.columns) == len(CONDITIONAL._COLUMNS) - 2
