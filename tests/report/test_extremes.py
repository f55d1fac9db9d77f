"""Reports on data that are small, constant, huge or otherwise out of the ordinary."""

import numpy as np
import pytest

from tests.report.test_regression import data, written


def report_on(tmp_path, X, y, **options):
    return written(tmp_path / "r.html", X, y, **options)[0]


def test_one_feature_shows_the_test_rows(tmp_path):
    X, y = data()
    report = report_on(tmp_path, X[:, :1], y[:, 0], components=1, validation_fraction=0)
    assert "test rows" in report.labels
    assert "rows held back" not in report.labels
    assert "No rows were held back, so the last epoch, 3, was kept." in report.source
    assert dict(report.tables[-1])["mixture"] == "1 Gaussian component"
    assert len(report.pictures) == 4  # PIT, density along the feature, rows, training


def test_more_features_do_not(tmp_path):
    X, y = data()
    X[:, 1] = 7
    report = report_on(tmp_path, X, y[:, 0])
    assert "test rows" not in report.labels
    assert "feature 2 = 7. Test rows are not drawn" in report.source
    assert dict(report.tables[-1])["constant features"] == "feature 2"


def test_only_constant_features(tmp_path):
    X, y = data()
    report = report_on(tmp_path, np.ones_like(X), y[:, 0])
    assert "Every feature is constant" in report.source
    assert len(report.pictures) == 3


def test_only_features_with_two_values(tmp_path):
    X, y = data()
    report = report_on(tmp_path, np.sign(X), y[:, 0])
    assert {"−1", "1"} <= report.labels
    assert "follow feature 1, the most important." in report.source


@pytest.mark.parametrize("n", [1, 2, 12])
def test_few_test_rows(tmp_path, n):
    X, y = data()
    report = report_on(tmp_path, X, y[:, 0], test=n)
    assert f"There {'is' if n == 1 else 'are'} only {n} test row" in report.warning("is uncertain")
    assert "so few rows can hardly show one" in report.source or "too" in report.texts["p"][1]
    assert "the training rows are predicted" in report.source
    assert ("±" in report.tables[0][1][1]) == (n > 1)
    assert ("needs 10 rows" in report.source) == (n < 10)


def test_few_rows_at_all(tmp_path):
    X, y = data(6)
    report = report_on(tmp_path, X, y, test=2)
    assert "are only 2 test rows" in report.warning("is uncertain")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    X, y = data()
    return written(tmp_path_factory.mktemp("plain") / "r.html", X, y[:, 0])[1]


@pytest.mark.parametrize(("unit", "shift"), [(1e-15, 0), (1e12, 0), (1e-12, 1e3)])
def test_units_only_shift_the_likelihood(tmp_path, plain, unit, shift):
    X, y = data()
    report, scores, _ = written(tmp_path / "r.html", X, unit * y[:, 0] + shift)
    coarse = unit / max(shift, unit) < 1e-12  # the targets have hardly a digit left
    assert scores.model.nll - np.log(unit) == pytest.approx(plain.model.nll, abs=0.05 if coarse else 1e-3)
    assert scores.regression.nll - np.log(unit) == pytest.approx(plain.regression.nll, abs=0.05 if coarse else 1e-3)
    assert scores.model.crps[0] / unit == pytest.approx(plain.model.crps[0], rel=0.05 if coarse else 1e-3)
    assert len(report.pictures) == 5


def test_many_targets(tmp_path):
    X, y = data()
    y = np.column_stack([y, y[:, 0] + y[:, 1], X[:, 1]])
    report = report_on(tmp_path, X, y)
    assert len(report.tables[1]) == 5
    assert len(report.tables[2]) == 1 + 4 * 4
    assert "joint density of target 1 and target 3, the two targets that are correlated most" in report.source
    assert "feature 2 puts the rows in the same order as the target target 4" in report.warning("copy or a leak")
    assert not any("target 4" in label for label in report.labels)  # the first three get pictures


def test_many_features(tmp_path):
    X, y = data()
    X = np.column_stack([X, np.random.default_rng(1).standard_normal((300, 28))])
    report = report_on(tmp_path, X, y[:, 0])
    assert "The other 20 features matter less." in report.source
    assert "and 17 more. Test rows" in report.source


def test_leak_repeats_and_grid(tmp_path):
    X, y = data()
    target = np.where(y[:, 0] > 0, np.round(y[:, 0]), 0)
    X[:, 1] = -np.exp(target / 100)
    report = report_on(tmp_path, X, target)
    assert "feature 2 puts the rows in the opposite order" in report.warning("copy or a leak")
    assert report.warning("share one value").startswith(f"{100 * (target == 0).mean():.0f} % of the rows")
    assert "target = 0." in report.warning("share one value")
    assert "step 1;" in report.warning("lie on a grid")


def test_a_model_worse_than_the_baselines_says_so(tmp_path):
    X, _ = data()
    y = np.sin(20 * X[:, 0]) + 1e-3 * X[:, 1]
    report, scores, _ = written(tmp_path / "r.html", X, y)
    assert scores.model.gain_over(scores.regression)[0] < 0
    assert "regression, one sd is better than the model" in report.warning("^By likelihood, reg")
    assert "regression, one sd is better than the model" in report.warning("^By CRPS of target, reg")
    assert "nats worse than a boosted regression" in report.texts["p"][1]
