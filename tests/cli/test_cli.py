"""The command line, as a user meets it."""

import re

import numpy as np
import polars as pl
import pytest
import torch

from mixtura import MixtureDensityRegressor
from mixtura.cli import main
from mixtura.cli.table_model import TableModel
from mixtura.datasets import inverse_sine, read_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table, a model of one target and a model of two."""
    folder = tmp_path_factory.mktemp("cli")
    X, t = inverse_sine(120, random_state=0)
    kind = np.where(np.arange(120) % 3, "wet", "dry")
    frame = pl.DataFrame({"y": X[:, 0], "kind": kind, "t": t, "double": 2 * t})
    frame = frame.with_columns(pl.when(pl.int_range(120) % 20 == 5).then(None).otherwise(pl.col("y")).alias("y"))
    frame.write_csv(folder / "table.csv")
    frame.write_parquet(folder / "table.parquet")
    fast = ["--epochs", "4", "--components", "3"]
    for name, targets in (
        ("one", ["--target", "t", "--drop", "double"]),
        ("two", ["--target", "t", "--target", "double"]),
    ):
        outputs = ["--model", str(folder / f"{name}.mixtura"), "--report", str(folder / f"{name}.html")]
        assert main(["fit", str(folder / "table.csv"), *targets, *outputs, *fast]) == 0
    return folder


def test_fit_leaves_a_model_and_a_report_and_nothing_else(folder):
    names = {p.name for p in folder.iterdir()}
    assert {"one.mixtura", "one.html", "two.mixtura", "two.html"} <= names
    assert not [n for n in names if n.endswith((".part", ".checkpoint"))]
    report = (folder / "one.html").read_text()
    assert "t of table.csv" in report
    assert not re.search(r"src=\"http|<script", report)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_predictions_are_the_models(folder, tmp_path, suffix):
    out = tmp_path / f"out.{suffix}"
    arguments = ["--output", str(out), "--quantiles", "0.1,0.5", "--modes", "2"]
    assert main(["predict", str(folder / "one.mixtura"), str(folder / f"table.{suffix}"), *arguments]) == 0
    frame = read_table(out)
    model = TableModel.load(folder / "one.mixtura")
    X = model.encoder.transform(read_table(folder / "table.csv"))
    assert model.encoder.feature_names == ["y", "y is missing", "kind = dry", "kind = wet"]
    q = MixtureDensityRegressor.load(folder / "one.mixtura").predict_dist(X)  # Python reads the same file
    expected = {
        "t_mean": q.mean,
        "t_sd": q.stddev,
        "t_q0.1": q.icdf(torch.tensor(0.1, dtype=torch.float64).expand(120)),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(frame[name].to_numpy(), values.numpy(), rtol=1e-12)
    modes = q.modes()
    np.testing.assert_allclose(frame["t_mode1"].to_numpy(), modes.loc[:, 0].numpy(), rtol=1e-9)
    np.testing.assert_allclose(frame["mode1_mass"].to_numpy(), modes.mass[:, 0].numpy(), rtol=1e-9)
    assert frame["row"].to_list() == list(range(1, 121))
    assert [p.name for p in tmp_path.iterdir()] == [out.name]


def test_predictions_of_two_targets(folder, tmp_path):
    out = tmp_path / "out.csv"
    assert main(["predict", str(folder / "two.mixtura"), str(folder / "table.csv"), "--output", str(out)]) == 0
    frame = read_table(out)
    q = TableModel.load(folder / "two.mixtura").regressor.predict_dist(
        TableModel.load(folder / "two.mixtura").encoder.transform(read_table(folder / "table.csv"))
    )
    np.testing.assert_allclose(frame["double_mean"].to_numpy(), q.mean[:, 1].numpy(), rtol=1e-12)
    at_mode = q.log_prob(torch.as_tensor(frame.select("t_mode1", "double_mode1").to_numpy()))
    assert bool((at_mode >= q.log_prob(q.mean) - 1e-9).all())  # the first mode is the densest place


GOOD = "y,x\n" + "".join(f"{i % 7},{i}\n" for i in range(40))


def test_defaults_write_here(tmp_path_factory, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = tmp_path_factory.mktemp("elsewhere") / "table.csv"
    table.write_text(GOOD)
    assert main(["fit", str(table), "--target", "y", "--epochs", "1"]) == 0
    assert main(["predict", "table.mixtura", str(table)]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.html", "table.mixtura", "table.predictions.csv"]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (GOOD, ["--target", "z"], "no column 'z'; the columns are: 'y', 'x'"),
        (GOOD.replace("3,3\n", "abc,3\n"), ["--target", "y"], "row 4 holds the text 'abc'"),
        ("", ["--target", "y"], "empty"),
        ("y,x\n", ["--target", "y"], "empty table"),
        ("y,x\n1,2\n", ["--target", "y"], "1 rows with a target; at least 10"),
        ("y,x\n" + "5,1\n" * 30, ["--target", "y"], "y is constant"),
        ("y,x\n" + "".join(f"{i},2020-01-{i:02}\n" for i in range(1, 31)), ["--target", "y"], "no column is left"),
        ("y,x\n" + "".join(f"{i},2020-01-{i:02}\n" for i in range(1, 31)), ["--target", "x"], "target 'x' holds dates"),
        (GOOD.replace("3,3\n", "inf,3\n"), ["--target", "y"], "infinity in row 4"),
        (GOOD, ["--target", "y", "--drop", "w"], "--drop w: there is no such column"),
        (GOOD, ["--target", "y", "--test-fraction", "1.5"], "--test-fraction"),
        (GOOD, ["--target", "y", "--model", "nowhere/m"], "no folder nowhere"),
    ],
)
def test_bad_tables_are_one_sentence(text, options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(text)
    assert main(["fit", "t.csv", "--epochs", "1", *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(re.escape(message), error)
    assert error.startswith("mixtura: ")
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize("what", ["truncated", "foreign", "text", "absent", "python", "columns", "suffix", "modes"])
def test_bad_predictions_are_one_sentence(what, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model, table, more = tmp_path / "model", folder / "table.csv", []
    model.write_bytes((folder / "one.mixtura").read_bytes())
    if what == "truncated":
        model.write_bytes(model.read_bytes()[:-100])
    elif what == "foreign":
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(2)}, model)
    elif what == "text":
        model.write_text("not a model")
    elif what == "absent":
        model.unlink()
    elif what == "python":
        X, t = inverse_sine(50, random_state=0)
        MixtureDensityRegressor(2, hidden=(8,), epochs=1).fit(X, t).save(model)
    elif what == "columns":
        table = tmp_path / "other.csv"
        table.write_text("a,b\n1,2\n")
    elif what == "suffix":
        more = ["--output", "out.xlsx"]
    elif what == "modes":
        more = ["--modes", "-1"]
    before = sorted(p.name for p in tmp_path.iterdir())
    assert main(["predict", str(model), str(table), *more]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert error[0].startswith("mixtura: ")
    assert before == sorted(p.name for p in tmp_path.iterdir())


@pytest.mark.parametrize("options", [["--quantiles", "0,1"], ["--quantiles", "a"]])
def test_bad_options(options, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(folder / "one.mixtura"), str(folder / "table.csv"), *options])
    assert stop.value.code == 2
    assert not list(tmp_path.iterdir())


def test_a_failure_while_training_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(GOOD)
    monkeypatch.setattr(
        "mixtura.cli.fitting.regression_report", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full"))
    )
    assert main(["fit", "t.csv", "--target", "y", "--epochs", "1"]) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
