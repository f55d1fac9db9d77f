"""The report on an autoencoder: its numbers against independent computations, and what it says and draws."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.datasets import make_moons

from mixtura import MixtureAutoencoder
from mixtura.report import autoencoder_report
from mixtura.report.autoencoder import plots
from mixtura.report.words import percent
from tests.helpers import global_state
from tests.report.reading import Report, assert_needs_nothing, error, value

UNIT = np.array([100.0, 0.01])
TRAIN, TEST = (make_moons(n, noise=0.05, random_state=s)[0] * UNIT for n, s in ((300, 0), (80, 1)))
CLASSES = np.array(["upper", "lower"])[make_moons(80, noise=0.05, random_state=1)[1]]
STANDARD = "standard <autoencoder>"


def fitted(X, **options):
    settings: dict[str, Any] = {"centers": 5, "hidden": (16, 16), "steps": 60, "validation_fraction": 0}
    settings |= {"random_state": 3} | options
    return MixtureAutoencoder(**settings).fit(X)


def written(path, model, train, test, **options: Any):
    """Write, read."""
    options = {"title": "a report"} | options
    scores = autoencoder_report(path, model, train, test, **options)
    report = Report(path)
    assert_needs_nothing(report)
    return report, scores


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    model, rival = fitted(TRAIN), fitted(TRAIN, centers=1, cost="squared_error")
    options = {"rivals": {STANDARD: rival}, "classes": CLASSES, "facts": [("source", "made up")], "notes": ["a note"]}
    path = tmp_path_factory.mktemp("plane") / "r.html"
    return *written(path, model, TRAIN, TEST, **options), model, rival, options


def test_scores(plane):
    report, scores, model, rival, _ = plane
    rows = next(t for t in report.tables if "best of 30" in t[0])[1:]
    for m, s, row in zip((model, rival), scores.all, rows, strict=True):
        seeded = fitted(TRAIN, centers=m.centers, cost=m.cost).set_params(random_state=0)
        answers = seeded.reconstruct(TEST, 30)
        errors = ((answers - TEST[:, None]) ** 2).sum(-1)
        mean = ((seeded.inverse_transform(seeded.transform(TEST)) - TEST) ** 2).sum(1)
        nearest = cdist(answers[:, 0], TRAIN).min(1) ** 2
        for pair, expected, cell in zip(
            (s.best_error, s.answer_error, s.mean_error, s.nearest),
            (errors.min(1), errors[:, 0], mean, nearest),
            row[3:],
            strict=True,
        ):
            np.testing.assert_allclose(pair, (expected.mean(), stats.sem(expected)), rtol=1e-6)
            assert value(cell) == pytest.approx(expected.mean(), rel=0.05)
            if "±" in cell:
                assert error(cell) == pytest.approx(stats.sem(expected), rel=0.06)
        assert row[0] == s.name
        assert value(row[1]) == pytest.approx(s.train_ratio[0], abs=0.01)
        assert value(row[2]) == pytest.approx(s.test_ratio[0], abs=0.01)
        seen = m.bound_history_[-1].ratio  # the same rows, but other draws of their codes
        assert abs(s.train_ratio[0] - seen) < 5 * s.train_ratio[1]
        assert 0 < s.test_ratio[0] <= 1
    assert str(scores).splitlines()[1].startswith("mixture autoencoder")


def test_what_is_said_and_drawn(plane):
    report, scores, model, _, _ = plane
    lead = report.texts["p"][1]
    assert "5 centers" in lead
    assert STANDARD in lead
    nearer = 1 - scores.model.best_error[0] / scores.rivals[0].best_error[0]
    assert f"{percent(abs(nearer))} {'nearer' if nearer > 0 else 'farther'}" in lead
    assert report.warning("a note") == "a note"
    assert {"code", "value / bound", "log bound", "upper", "lower", "fresh samples"} <= report.labels
    assert len(report.pictures) == 3  # answers, bound, codes
    settings = dict(report.tables[-1])
    assert settings["source"] == "made up"
    weights = sum(p.numel() for p in model.autoencoder_.parameters())
    assert settings["network"] == f"{weights:,} weights"


def test_lines_are_the_trackers(plane):
    _, _, model, rival, _ = plane
    figure: Any = plots.bound(model.bound_history_, {"other": rival.bound_history_})
    left, right = figure.axes
    looks = model.bound_history_
    np.testing.assert_array_equal(left.lines[0].get_ydata(), [look.log_bound for look in looks])
    np.testing.assert_array_equal(left.lines[1].get_ydata(), [look.log_value for look in looks])
    np.testing.assert_array_equal(right.lines[0].get_ydata(), [look.ratio for look in looks])
    np.testing.assert_array_equal(right.lines[1].get_ydata(), [look.ratio for look in rival.bound_history_])


def test_same_arguments_give_the_same_file(plane, tmp_path):
    report, _, model, rival, options = plane
    before = global_state()
    model.save(tmp_path / "model")
    loaded = MixtureAutoencoder.load(tmp_path / "model").set_params(random_state=3)
    again, _ = written(tmp_path / "r.html", loaded, TRAIN, TEST, **options | {"rivals": {STANDARD: rival}})
    assert global_state() == before
    assert again.source == report.source


def test_pictures(tmp_path):
    rng = np.random.default_rng(0)
    tone = np.repeat([0.0, 16.0], 60)[:, None] * np.ones(16)
    X = tone + rng.uniform(0, 1, (120, 16))  # dark and bright images
    model = fitted(X, standardize=False, steps=20)
    report, _ = written(tmp_path / "r.html", model, X, X[::2], image_shape=(1, 4, 4), classes=np.repeat([0, 1], 30))
    assert {"data", "samples"} <= report.labels
    assert "12 most probable" not in report.source
    assert "5 most probable" in report.source
    rows = np.zeros((1, 3, 1, 4, 4))
    rows[0, 1], rows[0, 2] = 0.5, 2.0
    figure: Any = plots.sheet(rows, [""], gap=1)
    image = figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(image[1, [1, 8, 13], 0], [0.0, 0.5, 1.0])  # a gap of two after the first
    assert (image[:, 4:7] == 1).all()


def test_many_columns_and_codes(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 5))
    model = fitted(X, code_features=3, steps=20)
    report, _ = written(tmp_path / "r.html", model, X[:100], X[100:], classes=np.arange(20) % 2)
    assert {"code 1", "code 2", "0", "1"} <= report.labels
    assert len(report.pictures) == 2
    assert "first two of 3" in " ".join(report.texts["figcaption"])
    assert "100 rows to learn from" in report.warning("Only")
    assert "only 20 test rows" in report.warning("There are")
    assert "more centers or more steps" in report.warning("of their bound")


def test_wrong_arguments(plane, tmp_path):
    model, other = plane[2], fitted(1000 * TRAIN, steps=2)
    cases: list[Any] = [
        (TRAIN[:, :1], TEST, {}, "train must be finite numbers of shape"),
        (TRAIN, TEST[:0], {}, "test must be finite"),
        (TRAIN, TEST, {"image_shape": (1, 2, 2)}, r"image_shape must be \(C, H, W\) with a product of 2"),
        (TRAIN, TEST, {"classes": CLASSES[:5]}, r"classes must have the shape \(80,\)"),
        (TRAIN, TEST, {"rivals": {"far": other}}, "“far” sees X in other units"),
    ]
    for train, test, options, message in cases:
        with pytest.raises(ValueError, match=message):
            autoencoder_report(tmp_path / "r.html", model, train, test, title="", **options)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        autoencoder_report(tmp_path / "nowhere" / "r.html", model, TRAIN, TEST, title="")
    assert not list(tmp_path.iterdir())
