"""The command line without a target: fit, sample, and what each command says to the other's models."""

import re

import numpy as np
import polars as pl
import pytest

from mixtura import MixtureDensityEstimator, MixtureDensityRegressor
from mixtura.cli import main
from mixtura.cli.numeric import numeric_columns
from mixtura.datasets import inverse_sine, read_table

FAST = ["--steps", "20", "--components", "50"]


def table(n=200):
    """Numbers, a date, texts, a copy in another unit, a constant, and missing values."""
    X, t = inverse_sine(n, random_state=0)
    return pl.DataFrame(
        {
            "day": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 1) + pl.duration(days=n - 1), eager=True),
            "y": [None if i == 7 else v for i, v in enumerate(X[:, 0].tolist())],
            "kind": np.where(np.arange(n) % 3, "wet", "dry"),
            "t": t,
            "t in km": 1e-3 * t + 4,
            "same": np.full(n, 3),
            "y is missing": np.arange(n) % 10 * 0.5,
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a table, a density of it and a regressor."""
    folder = tmp_path_factory.mktemp("cli")
    table().write_csv(folder / "table.csv")
    outputs = ["--model", str(folder / "all.mixtura"), "--report", str(folder / "all.html")]
    assert main(["fit", str(folder / "table.csv"), *FAST, *outputs]) == 0
    MixtureDensityRegressor(2, hidden=(8,), epochs=1).fit(*inverse_sine(50, random_state=0)).save(
        folder / "one.mixtura"
    )
    return folder


def test_only_numbers_that_differ_are_taken_and_the_rest_is_told():
    frame = table()
    X, names, notes = numeric_columns(frame)
    assert names == ["y", "t", "y is missing"]  # the last is a column, not a flag
    np.testing.assert_array_equal(X, frame.select(names).drop_nulls().to_numpy())
    told = " ".join(notes)
    for pattern in (
        "Column 'kind' holds texts and is left out",
        "Column 'day' holds dates",
        "1 of 200 rows lack a value and are left out",
        "'t in km' is left out: it repeats 't'",
        "'same' is left out: it holds 3 in every row",
    ):
        assert pattern in told
    assert len(notes) == 5


def test_fit_leaves_a_model_and_a_report_that_says_what_was_left_out(folder):
    names = {p.name for p in folder.iterdir()}
    assert {"all.mixtura", "all.html"} <= names
    assert not [n for n in names if n.endswith((".part", ".checkpoint"))]
    report = (folder / "all.html").read_text()
    assert "Density of table.csv" in report
    assert "179 to learn from, 20 to test on" in report  # one row lacks a value, a tenth is kept
    assert "holds texts and is left out" in report
    model = MixtureDensityEstimator.load(folder / "all.mixtura")
    assert list(model.feature_names_in_) == ["y", "t", "y is missing"]
    assert model.components == 50


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_samples_are_the_models(folder, tmp_path, suffix):
    out, model = tmp_path / f"s.{suffix}", folder / "all.mixtura"
    assert main(["sample", str(model), "-n", "30", "--seed", "5", "--out", str(out)]) == 0
    frame = read_table(out)
    assert frame.columns == ["y", "t", "y is missing"]
    expected = MixtureDensityEstimator.load(model).set_params(random_state=5).sample(30)
    np.testing.assert_allclose(frame.to_numpy(), expected, rtol=1e-12)
    assert [p.name for p in tmp_path.iterdir()] == [out.name]


def test_defaults_write_here(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", str(folder / "table.csv"), "--cost", "scalar", *FAST]) == 0
    assert main(["sample", "table.mixtura"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.html", "table.mixtura", "table.samples.csv"]
    assert len(read_table("table.samples.csv")) == 1000
    assert MixtureDensityEstimator.load("table.mixtura").cost == "scalar"


def test_models_saved_from_python_are_sampled(tmp_path):
    X, _ = inverse_sine(50, random_state=0)
    model = MixtureDensityEstimator(variance=1.0, hidden=(8,), steps=2, components=9).fit(np.hstack([X, X**2]))
    model.save(tmp_path / "m")
    assert main(["sample", str(tmp_path / "m"), "--out", str(tmp_path / "s.csv"), "-n", "4"]) == 0
    assert read_table(tmp_path / "s.csv").columns == ["column 1", "column 2"]


GOOD = "a,b\n" + "".join(f"{i % 7},{i * i}\n" for i in range(40))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (GOOD, ["--epochs", "3"], "--epochs is for tables with a --target"),
        (GOOD, ["--covariance", "full"], "--covariance is for tables with a --target"),
        (GOOD, ["--target", "a", "--steps", "3"], "--steps is for tables without a --target"),
        (GOOD, ["--target", "a", "--cost", "scalar"], "--cost is for tables without a --target"),
        (GOOD, ["--drop", "c"], "--drop c: there is no such column"),
        (GOOD, ["--drop", "a", "--drop", "b"], "no column is left"),
        ("a\n" + "x\ny\n" * 20, [], "no column of numbers is left. Column 'a' holds texts"),
        ("a,b\n" + "2,3\n" * 20, [], "no column of numbers that differ is left. Column 'a' is left out"),
        ("a,b\n" + "".join(f"{i},\n" if i % 2 else f",{i}\n" for i in range(40)), [], "has 0 rows without a missing"),
        ("a,b\n1,2\n2,1\n", [], "has 2 rows without a missing value; at least 10"),
        (GOOD.replace("3,9\n", "inf,9\n"), [], "infinity in row 4"),
        (GOOD, ["--test-fraction", "0"], "--test-fraction"),
        (GOOD, ["--model", "nowhere/m"], "no folder nowhere"),
        (GOOD[:50], ["--test-fraction", "0.9"], "rows|samples|minimum"),
    ],
)
def test_bad_tables_are_one_sentence(text, options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(text)
    assert main(["fit", "t.csv", *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("mixtura: ")
    assert re.search(message.replace("(", r"\("), error)
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["predict", "all.mixtura", "table.csv"], "density of whole rows.*use `mixtura sample`, or fit .* --target"),
        (["sample", "one.mixtura"], "use `mixtura predict`, or fit the table without --target"),
        (["sample", "all.mixtura", "-n", "0"], "-n must be positive"),
        (["sample", "all.mixtura", "--out", "s.xlsx"], "must end in .csv or .parquet"),
        (["sample", "all.mixtura", "--out", "nowhere/s.csv"], "no folder nowhere"),
        (["sample", "table.csv"], "not a model file"),
        (["sample", "absent"], "no model file absent"),
    ],
)
def test_each_command_refuses_what_it_cannot_do(command, message, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = sorted(p.name for p in folder.iterdir())
    assert main(command) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert re.match(f"mixtura: .*{message}", error[0])
    assert before == sorted(p.name for p in folder.iterdir())


def test_a_killed_fit_goes_on(folder, tmp_path, monkeypatch, capsys):
    from mixtura.training import checkpoint, loop

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "_SECONDS", 0)
    steps, step = iter(range(100)), loop.nn.utils.clip_grad_norm_

    def interrupted(*args):
        if next(steps) == 9:
            raise KeyboardInterrupt
        return step(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop.nn.utils, "clip_grad_norm_", interrupted)
        assert main(["fit", str(folder / "table.csv"), *FAST]) == 130
    assert [p.name for p in tmp_path.iterdir()] == ["table.mixtura.checkpoint"]
    assert main(["fit", str(folder / "table.csv"), *FAST]) == 0
    assert "going on with the run" in capsys.readouterr().out
    whole, resumed = (MixtureDensityEstimator.load(f) for f in (folder / "all.mixtura", "table.mixtura"))
    np.testing.assert_array_equal(resumed.sample(9), whole.sample(9))


def test_a_failure_while_reporting_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(GOOD)
    monkeypatch.setattr("mixtura.cli.fitting.density_report", lambda *a, **k: (_ for _ in ()).throw(OSError("full")))
    assert main(["fit", "t.csv", *FAST]) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.slow
def test_the_quick_demo_has_four_chapters(tmp_path, capsys):
    assert main(["demo", "--quick", "--report", str(tmp_path / "d.html")]) == 0
    source = (tmp_path / "d.html").read_text()
    for heading in ("The toy inverse problem", "Diabetes progression", "Two moons", "Digits from one number"):
        assert f"<h1>{heading}</h1>" in source
    assert "4. Digits from one number" in capsys.readouterr().out


def test_a_regressor_is_no_density(folder):
    with pytest.raises(ValueError, match="does not hold a MixtureDensityRegressor"):
        MixtureDensityRegressor.load(folder / "all.mixtura")
