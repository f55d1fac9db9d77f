"""What a record keeps when it becomes JSON."""

import json

import numpy as np

from mixtura.experiments import Curves, Options, Picture, Record, Scatter, Sheet, Table
from mixtura.report.experiment import _draw, experiment_chapter

RECORD = Record(
    "name",
    "Title",
    "What is asked?",
    {"seeds": [0, 1], "steps": 10},
    ["It is 0.5."],
    [Table("Rows", ("a", "b"), [["x", 0.5], [None, 2]], "How to read it.")],
    [
        Picture("Points", [Scatter("s", np.zeros((3, 2))), Sheet("i", np.zeros((2, 4, 4)))]),
        Picture("Lines", [Curves("c", (0.1, 1.0), {"one": [1.0, float("nan")]}, log_x=True)]),
    ],
)


def test_json_holds_numbers_and_words_and_no_points() -> None:
    found = json.loads(json.dumps(RECORD.to_json(), allow_nan=False))
    assert found == {
        "name": "name",
        "title": "Title",
        "settings": {"seeds": [0, 1], "steps": 10},
        "findings": ["It is 0.5."],
        "tables": [{"title": "Rows", "columns": ["a", "b"], "rows": [["x", 0.5], [None, 2]]}],
        "curves": [{"title": "c", "x": [0.1, 1.0], "lines": {"one": [1.0, None]}}],
    }


def test_options_are_one_seed_and_the_whole_work() -> None:
    options = Options()
    assert tuple(options.seeds) == (0,)
    assert not options.quick


def test_the_page_holds_question_findings_rows_and_pictures() -> None:
    page = experiment_chapter(RECORD)
    for said in ("What is asked?", "It is 0.5.", "How to read it.", "<td>x</td>", "steps"):
        assert said in page
    assert page.count("<img") == 2


def test_lines_of_the_same_names_are_named_once() -> None:
    one, two = ({name: [1.0, 2.0] for name in names} for names in ("ab", "ac"))
    same = _draw(Picture("", [Curves("", (1, 2), one), Curves("", (1, 2), one)]))
    assert len(same.legends) == 1
    assert all(ax.get_legend() is None for ax in same.axes)
    different = _draw(Picture("", [Curves("", (1, 2), one), Curves("", (1, 2), two)]))
    assert not different.legends
    assert all(ax.get_legend() is not None for ax in different.axes)


def test_one_image_is_as_wide_as_its_panel() -> None:
    alone = _draw(Picture("", [Sheet("", np.zeros((1, 8, 8)))]))
    assert alone.get_figheight() > 0.9 * alone.get_figwidth()
    sixteen = _draw(Picture("", [Sheet("", np.zeros((16, 8, 8)))]))
    assert sixteen.get_figheight() < 0.2 * sixteen.get_figwidth()
