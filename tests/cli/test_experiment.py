"""`mixtura experiment` writes the report, the record, and a film where there is something to see move."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from mixtura.cli import main
from mixtura.experiments import EXPERIMENTS, Options, Record, Strokes

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("moves", [True, False])
def test_files_of_an_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], moves: bool
) -> None:
    lines = [np.array([[0, 0, 0], [1, 1, 1], [2, 0, 0], [1, 0, 1]], np.float32)] * 3
    film = Strokes("Three of them", lines, columns=2, labels=["a", "b", "c"]) if moves else None

    def experiment(options: Options) -> Record:
        return Record("modes", "Title", "What?", {"seeds": list(options.seeds)}, ["It is so."], animation=film)

    monkeypatch.setitem(EXPERIMENTS, "modes", experiment)
    main(["experiment", "modes", "--seeds", "3", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert json.loads((tmp_path / "modes.json").read_text())["settings"] == {"seeds": [3]}
    page = (tmp_path / "modes.html").read_text()
    assert (tmp_path / "modes.svg").exists() == moves == ("animation: " in said) == ("Three of them" in page)
    if moves:
        root = ElementTree.parse(tmp_path / "modes.svg").getroot()
        assert len(list(root.iter("{http://www.w3.org/2000/svg}animate"))) == 6
        assert page.count("data:image/svg+xml") == 1
