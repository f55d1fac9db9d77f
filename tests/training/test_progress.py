"""The progress bar."""

from __future__ import annotations

import sys

import pytest

from mixtura.training import Epoch, progress


def test_bar_counts_epochs_and_keeps_the_best_score(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    with progress(5) as on_epoch:
        assert on_epoch is not None
        for epoch, score in ((3, 0.5), (4, 0.25), (5, 0.75)):  # a resumed run starts in the middle
            on_epoch(Epoch(epoch, 1.5, score, 0.1, 0))
    shown = capsys.readouterr().err
    assert "5/5" in shown
    assert "loss=1.5000, validation=0.7500, best=0.2500" in shown


def test_no_bar_where_nobody_wants_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with progress(5, enabled=False) as on_epoch:
        assert on_epoch is None
    with pytest.raises(ImportError, match=r"A progress bar needs tqdm: install it with"), progress(5):
        pass
