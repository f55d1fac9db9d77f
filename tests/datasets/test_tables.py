"""Reading tables and turning them into numbers."""

import numpy as np
import polars as pl
import pytest

from mixtura.datasets import TableEncoder, read_table, read_targets, write_table


def table(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_missing_values_and_dates(tmp_path, separator):
    rows = [["a", "b", "day"], ["1.5", "x", "2020-01-02"], ["NA", "?", "2020-01-03"], ["", "y", "2020-01-04"]]
    frame = read_table(table(tmp_path, "\n".join(separator.join(r) for r in rows) + "\n"))
    assert frame["a"].to_list() == [1.5, None, None]
    assert frame["b"].to_list() == ["x", None, "y"]
    assert frame["day"].dtype == pl.Date


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_written_tables_come_back(tmp_path, name):
    frame = pl.DataFrame({"a": [1.25, None], "b": ["x,y", 'z"']})
    write_table(frame, tmp_path / name)
    assert read_table(tmp_path / name).equals(frame)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "", "can't be read|empty"),
        ("t.csv", "a,b\n", "empty table: it has 2 columns and 0 rows"),
        ("t.parquet", "no parquet", "can't be read as a table"),
        ("t.xlsx", "a,b\n1,2\n", "neither CSV"),
        ("t.csv", "a,b\n1,2\n1,2,3,4\n", "can't be read as a table"),
    ],
)
def test_broken_tables(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        read_table(table(tmp_path, text, name))


def test_absent_table_and_foreign_suffix(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no table"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(ValueError, match=r"must end in \.csv or \.parquet"):
        write_table(pl.DataFrame({"a": [1]}), tmp_path / "out.txt")
    assert not list(tmp_path.iterdir())


def test_encoding_by_hand():
    frame = pl.DataFrame(
        {"size": [1.0, None, 3.0, 7.0], "count": ["red", "blue", None, "red"], "flag": [True, False, True, True]}
    )
    encoder = TableEncoder.fit(frame)
    assert encoder.feature_names == [
        "size", "size is missing", "count = blue", "count = red", "count is missing", "flag",
    ]  # fmt: skip
    expected = [[1, 0, 0, 1, 0, 1], [3, 1, 1, 0, 0, 0], [3, 0, 0, 0, 1, 1], [7, 0, 0, 1, 0, 1]]
    np.testing.assert_array_equal(encoder.transform(frame), expected)
    again = TableEncoder.from_dict(encoder.to_dict())
    other = pl.DataFrame({"flag": [1], "count": ["green"], "size": [2], "more": [0]})  # a new text, another order
    np.testing.assert_array_equal(again.transform(other), [[2, 0, 0, 0, 0, 1]])


def test_what_is_left_out_is_said():
    n = 200
    frame = pl.DataFrame(
        {
            "day": pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 7, 18), eager=True),
            "name": [f"person {i}" for i in range(n)],
            "nothing": [None] * n,
            "power": ["oops" if i == 7 else str(i) for i in range(n)],
            "city": [f"city {i % 25:02}" for i in range(n)],
        }
    )
    encoder = TableEncoder.fit(frame)
    notes = " ".join(encoder.notes)
    assert "'day' holds dates and is left out" in notes
    assert "'name' is left out: its 200 different texts" in notes
    assert "'nothing' is left out" in notes
    assert "'power': 1 texts among numbers, such as 'oops', count as missing" in notes
    assert "'city': only its 20 most frequent of 25" in notes
    X = encoder.transform(frame)
    assert encoder.feature_names[:2] == ["power", "power is missing"]
    assert X[7, :2].tolist() == [np.median([i for i in range(n) if i != 7]), 1]
    assert X[:, 2:].sum() == 20 * 8


def test_targets():
    frame = pl.DataFrame({"y": [1.0, None, 3.0], "z": ["4", " 5 ", "6"]})
    y, complete = read_targets(frame, ["z", "y"])
    np.testing.assert_array_equal(y, [[4, 1], [6, 3]])
    assert complete.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["1", "2", "high", "4", "low"], "row 3 holds the text 'high'"),
        ([1.0, float("inf"), 2.0, 3.0, 4.0], "infinity in row 2"),
        (pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 5), eager=True), "holds dates"),
    ],
)
def test_bad_targets(column, message):
    with pytest.raises(ValueError, match=message):
        read_targets(pl.DataFrame({"y": column}), ["y"])


def test_absent_target_lists_the_columns():
    with pytest.raises(ValueError, match="no column 'y'; the columns are: 'a', 'b'"):
        read_targets(pl.DataFrame({"a": [1], "b": [2]}), ["y"])


def test_other_columns_at_prediction():
    encoder = TableEncoder.fit(pl.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}))
    with pytest.raises(ValueError, match=r"lacks 1 of the 2 columns .* 'b'"):
        encoder.transform(pl.DataFrame({"a": [1.0], "c": [1.0]}))
    with pytest.raises(ValueError, match="'b' held numbers"):
        encoder.transform(pl.DataFrame({"a": [1.0], "b": ["text"]}))
    with pytest.raises(ValueError, match="infinity in row 1"):
        encoder.transform(pl.DataFrame({"a": [float("inf")], "b": [1.0]}))
    with pytest.raises(ValueError, match="no column is left"):
        TableEncoder.fit(pl.DataFrame({"a": [None, None]}))
