"""The report's numbers against an independent computation, and what it says where something is off."""

import os
import random
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import logsumexp
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold

from mixtura.estimators import MixtureDensityRegressor
from mixtura.report import regression_report
from tests.metrics.truth import crps_by_quadrature
from tests.report.reading import Report, assert_needs_nothing, error, value

SMALL = {"components": 3, "hidden": (16,), "epochs": 3, "random_state": 0}


def data(n=300, seed=0):
    """Two features, the first of which decides about two targets of different units."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 2))
    y = np.column_stack([100 * X[:, 0] + 20 * rng.standard_normal(n), 1e-3 * rng.standard_normal(n)])
    return X, y


def written(path, X, y, test=80, title="a report", names=None, **options):
    """Fit, write, read."""
    names = {} if names is None else names
    model = MixtureDensityRegressor(**(SMALL | options)).fit(X[test:], y[test:])
    scores = regression_report(path, model, (X[test:], y[test:]), (X[:test], y[:test]), title=title, **names)
    report = Report(path)
    assert_needs_nothing(report)
    return report, scores, model


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    X, y = data()
    path = tmp_path_factory.mktemp("one") / "report.html"
    return *written(path, X, y[:, 0], names={"facts": [("source", "made up"), ("rows", "as told")]}), X, y[:, 0]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    X, y = data()
    path = tmp_path_factory.mktemp("two") / "report.html"
    return *written(path, X, y, names={"target_names": ["power", "loss"]}), X, y


def gaussian_crps(m, s, y):
    z = (y - m) / s
    return s * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - np.pi**-0.5)


def regression(X, y, X_test):
    """The baseline, fold by fold."""
    residual = np.empty(len(y))
    for fit, rest in KFold(5, shuffle=True, random_state=0).split(X):
        residual[rest] = y[rest] - HistGradientBoostingRegressor(random_state=0).fit(X[fit], y[fit]).predict(X[rest])
    return HistGradientBoostingRegressor(random_state=0).fit(X, y).predict(X_test), np.sqrt((residual**2).mean())


def rows_of(scores):
    return (scores.model, scores.regression, scores.marginal)


def test_scores_of_the_model(one):
    report, scores, model, X, y = one
    q, truth = model.predict_dist(X[:80]), y[:80]
    w, m, s = q.weights.numpy(), q.loc.numpy(), q.covariance.variances(1)[..., 0].sqrt().numpy()
    log_prob = logsumexp(stats.norm.logpdf(truth[:, None], m, s), b=w, axis=1)
    np.testing.assert_allclose(scores.model.log_prob, log_prob, rtol=1e-10)
    assert scores.model.crps[0] == pytest.approx(
        np.mean([crps_by_quadrature(*row, 4001) for row in zip(w, m, s, truth, strict=True)]), rel=1e-5
    )
    assert scores.model.rmse[0] == pytest.approx(np.sqrt(np.mean(((w * m).sum(1) - truth) ** 2)))
    [_, nll, lead, crps, rmse] = report.tables[0][1]
    assert value(nll) == pytest.approx(-log_prob.mean(), abs=1e-3)
    assert error(nll) == pytest.approx(stats.sem(log_prob), rel=0.05)
    assert lead == ""
    assert value(crps) == pytest.approx(scores.model.crps[0], rel=1e-3)
    assert value(rmse) == pytest.approx(scores.model.rmse[0], rel=1e-3)


def test_scores_of_the_baselines(one):
    report, scores, _, X, y = one
    predicted, sd = regression(X[80:], y[80:], X[:80])
    for row, s, m, sigma in (
        (2, scores.regression, predicted, sd),
        (3, scores.marginal, y[80:].mean(), y[80:].std()),
    ):
        log_prob = stats.norm.logpdf(y[:80], m, sigma)
        np.testing.assert_allclose(s.log_prob, log_prob, rtol=1e-6)
        assert s.crps[0] == pytest.approx(gaussian_crps(m, sigma, y[:80]).mean(), rel=1e-6)
        assert s.rmse[0] == pytest.approx(np.sqrt(np.mean((y[:80] - m) ** 2)), rel=1e-6)
        name, nll, lead, crps, rmse = report.tables[0][row]
        assert name == s.name
        difference = scores.model.log_prob - log_prob
        assert value(nll) == pytest.approx(-log_prob.mean(), abs=0.01)
        assert value(lead) == pytest.approx(difference.mean(), abs=0.01)
        assert error(lead) == pytest.approx(stats.sem(difference), rel=0.05)
        assert value(crps) == pytest.approx(s.crps[0], rel=1e-3)
        assert value(rmse) == pytest.approx(s.rmse[0], rel=1e-3)
        assert f"{abs(value(lead)):g}"[:4] in report.texts["p"][1]  # and in words on top


def test_coverage_table(one):
    report, scores, model, X, y = one
    header, *rows = report.tables[1]
    assert header == ["interval", "holds", "mean width", "verdict"]
    for (interval, holds, width, _), level in zip(rows, (0.5, 0.8, 0.9, 0.95), strict=True):
        low, high = model.predict_interval(X[:80], level).T
        assert interval == f"{100 * level:g} %"
        assert value(holds) == pytest.approx(100 * ((low <= y[:80]) & (y[:80] <= high)).mean(), abs=0.06)
        assert error(holds) == pytest.approx(100 * np.sqrt(level * (1 - level) / 80), abs=0.06)
        assert value(width) == pytest.approx((high - low).mean(), rel=1e-3)
    assert [c.level for c in scores.coverage] == [0.5, 0.8, 0.9, 0.95]


def test_several_targets_are_scored_jointly_and_one_by_one(two):
    report, scores, model, X, y = two
    np.testing.assert_allclose(scores.model.log_prob, model.log_prob(X[:80], y[:80]))
    joint = np.sum([stats.norm.logpdf(y[:80, t], y[80:, t].mean(), y[80:, t].std()) for t in range(2)], axis=0)
    np.testing.assert_allclose(scores.marginal.log_prob, joint, rtol=1e-9)
    likelihood, each = report.tables[:2]
    assert [len(row) for row in likelihood] == [3] * 4
    assert value(likelihood[3][1]) == pytest.approx(-joint.mean(), abs=0.01)
    for t, name in enumerate(("power", "loss")):
        assert each[t + 1][0] == name
        assert [value(c) for c in each[t + 1][1:4]] == pytest.approx([s.crps[t] for s in rows_of(scores)], rel=1e-3)
        assert [value(c) for c in each[t + 1][4:]] == pytest.approx([s.rmse[t] for s in rows_of(scores)], rel=1e-3)
        expected = gaussian_crps(y[80:, t].mean(), y[80:, t].std(), y[:80, t]).mean()
        assert scores.marginal.crps[t] == pytest.approx(expected, rel=1e-6)
    assert {"power", "loss"} <= report.labels
    assert len(report.pictures) == 1 + 1 + 2 + 2 + 1 + 1  # PIT, importance, per target two, joint, training


def test_scores_print_as_a_table(two):
    scores = two[1]
    header, *lines = str(scores).splitlines()
    assert header.split() == ["NLL", "[nats]", "CRPS", "power", "RMSE", "power", "CRPS", "loss", "RMSE", "loss"]
    for line, s in zip(lines, rows_of(scores), strict=True):
        assert line.startswith(s.name)
        nll, plus_minus, se, *rest = line.removeprefix(s.name).split()
        assert plus_minus == "±"
        assert value(nll) == pytest.approx(s.nll, abs=0.01)
        assert value(se) == pytest.approx(s.nll_error, rel=0.05)
        assert [value(cell) for cell in rest] == pytest.approx([s.crps[0], s.rmse[0], s.crps[1], s.rmse[1]], rel=1e-3)


def test_facts_and_settings(one):
    report = one[0]
    settings = dict(report.tables[-1])
    assert settings["source"] == "made up"
    assert settings["rows"] == "as told"  # the caller knows better
    assert settings["mixture"] == "3 Gaussian components"
    assert settings["training"].startswith("3 epochs")
    assert "feature 1 and feature 2" in settings["features"]


def test_same_arguments_give_the_same_file(one, tmp_path):
    report, _, model, X, y = one
    model.save(tmp_path / "model")
    regression_report(
        tmp_path / "again.html",
        MixtureDensityRegressor.load(tmp_path / "model"),
        (X[80:], y[80:]),
        (X[:80], y[:80]),
        title="a report",
        facts=[("source", "made up"), ("rows", "as told")],
    )
    assert Report(tmp_path / "again.html").source == report.source


def global_states():
    numpy: Any = np.random.get_state()  # noqa: NPY002
    return random.getstate(), numpy[1].tolist(), torch.get_rng_state().tolist()


def test_leaves_everything_else_alone(one, tmp_path):
    _, _, model, X, y = one
    with mpl.rc_context({"font.size": 31}):  # whatever the program around has chosen
        settings, backend = dict(mpl.rcParams), mpl.get_backend(auto_select=False)
        states = global_states()
        regression_report(tmp_path / "r.html", model, (X[80:], y[80:]), (X[:9], y[:9]), title="")
        assert dict(mpl.rcParams) == settings
    assert mpl.get_backend(auto_select=False) == backend
    assert global_states() == states
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_an_old_report_survives_a_failure(one, tmp_path, monkeypatch):
    _, _, model, X, y = one
    path = tmp_path / "r.html"
    path.write_text("old")

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        regression_report(path, model, (X[80:], y[80:]), (X[:5], y[:5]), title="new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


NASTY = ["</td><script>alert(1)</script>", "a & b < c > d \"e\" 'f' $x_1$ $", "温度 [°C]\n\x00\ud800 ünï"]


def test_names_are_escaped(tmp_path):
    X, y = data()
    X = np.column_stack([X, X[:, 0] ** 2])
    names = {
        "feature_names": NASTY,
        "target_names": ["<img src=x onerror=alert(1)> ${}^"],
        "facts": [("<b>", "&amp;")],
        "notes": ["<i>left out</i>"],
    }
    report, _, _ = written(tmp_path / "r.html", X, y[:, 0], title='<h1> & "co"', names=names)
    assert report.texts["h1"] == report.texts["title"] == ['<h1> & "co"']
    settings = dict(report.tables[-1])
    assert settings["<b>"] == "&amp;"
    assert "</td><script>alert(1)</script>, a & b < c > d \"e\" 'f' $x_1$ $ and 温度 [°C] ünï" in settings["features"]
    assert report.warning("left out") == "<i>left out</i>"
    assert {NASTY[0][:27] + "…", "温度 [°C] ünï", "<img src=x onerror=alert(1)> ${}^"} <= report.labels


def test_wrong_arguments(one, tmp_path):
    _, _, model, X, y = one
    path, good = tmp_path / "r.html", (X[:20], y[:20])
    cases = [
        (good, (X[:0], y[:0]), {}, "test has X of shape"),
        (good, (X[:5], y[:4]), {}, "test has X of shape"),
        (good, (X[:5], y[:5, None]), {}, "y of test has shape"),
        ((X, y[:, None]), good, {}, "y of train has shape"),
        (good, good, {"feature_names": ["a"]}, "feature_names has 1 names, but there are 2"),
        (good, good, {"target_names": ["a", "b"]}, "target_names has 2 names, but there are 1"),
    ]
    for train, test, options, message in cases:
        with pytest.raises(ValueError, match=message):
            regression_report(path, model, train, test, title="", **options)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        regression_report(tmp_path / "nowhere" / "r.html", model, good, good, title="")
    assert not list(tmp_path.iterdir())
