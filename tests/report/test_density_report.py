"""The report on a density: its numbers against independent computations, and what it says where something is off."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.datasets import make_moons

from mixtura import MixtureDensityEstimator
from mixtura.report import density_report
from mixtura.report.density import plots
from mixtura.report.density.scores import baselines, narrowest
from mixtura.training import likelihood_variance
from tests.helpers import global_state
from tests.report.reading import Report, assert_needs_nothing, error, value

SMALL: dict[str, Any] = {"components": 100, "hidden": (16, 16), "steps": 60, "batch_size": 64, "random_state": 0}
UNIT = np.array([100.0, 0.01, 1.0])


def small(**options):
    return MixtureDensityEstimator(**(SMALL | options))


def data(n=300, seed=0):
    """Two moons in different units, and noise."""
    rng = np.random.default_rng(seed)
    return np.column_stack([make_moons(n, noise=0.05, random_state=seed)[0], rng.standard_normal(n)]) * UNIT


def written(path, X, test=80, fitted=None, **options: Any):
    """Fit, write, read."""
    model = fitted or small().fit(X[test:])
    options = {"title": "a report"} | options
    scores = density_report(path, model, X[test:], X[:test], **options)
    report = Report(path)
    assert_needs_nothing(report)
    return report, scores, model


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    X = data()
    path = tmp_path_factory.mktemp("three") / "r.html"
    return *written(path, X, column_names=["x", "y", "noise"], facts=[("source", "made up")], notes=["a note"]), X


def kernels(z, z_test, v):
    """Log-density of equal kernels, the long way."""
    D = z.shape[1]
    return np.log(np.exp(-(cdist(z_test, z) ** 2) / (2 * v)).mean(1)) - D / 2 * np.log(2 * np.pi * v)


def test_scores(three):
    report, scores, model, X = three
    train, test = X[80:], X[:80]
    units = np.log(train.std(0)).sum()
    z, z_test = ((rows - train.mean(0)) / train.std(0) for rows in (train, test))
    columns = [kernels(z[:, [d]], z_test[:, [d]], likelihood_variance(torch.as_tensor(z[:, [d]]))) for d in range(3)]
    expected = [
        model.score_samples(test),
        stats.multivariate_normal(z.mean(0), np.cov(z.T, bias=True)).logpdf(z_test) - units,
        np.sum(columns, 0) - units,
        kernels(z, z_test, likelihood_variance(torch.as_tensor(z))) - units,
    ]
    table = next(t for t in report.tables if t[0][-1].startswith("lead"))
    for (name, cell, lead), s, log_prob in zip(table[1:], scores.all, expected, strict=True):
        np.testing.assert_allclose(s.log_prob, log_prob, atol=2e-4)
        assert name == s.name
        assert value(cell) == pytest.approx(log_prob.mean(), abs=0.01)
        assert error(cell) == pytest.approx(stats.sem(log_prob), rel=0.05)
        if lead:
            difference = expected[0] - log_prob
            assert value(lead) == pytest.approx(difference.mean(), abs=0.01)
            assert error(lead) == pytest.approx(stats.sem(difference), rel=0.05)
            if abs(value(lead)) > 3 * error(lead):  # a lead that is more than chance is said
                assert lead.lstrip("-−+ ") in report.texts["p"][1]
    printed = str(scores).splitlines()
    assert [line.split("  ")[0].strip() for line in printed[1:5]] == [s.name for s in scores.all]
    assert printed[1].split()[2].replace("−", "-").startswith(f"{expected[0].mean():.1f}"[:3])


def test_a_baseline_knows_no_more_than_the_rounding_of_the_data():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 10, (2000, 2)).astype(float)
    _, independent, joint = baselines(x[200:], x[:200])
    ceiling = -2 * np.log(10)  # the truth: ten equal cells of size one in each column
    for score in (independent, joint):
        assert ceiling - 0.1 < score.log_prob.mean() < ceiling + 0.2  # log(1 + 2 exp(-π)) of neighbours in each
    np.testing.assert_allclose(narrowest(x), 1 / (2 * np.pi))
    assert narrowest(rng.normal(0, 3, (500, 1))) == pytest.approx(9e-6, rel=0.2)
    wild = np.column_stack([x[:, 0], 2 * x[:, 0], np.full(2000, 3.0)])  # a copy and a constant
    assert all(np.isfinite(s.log_prob).all() for s in baselines(wild[200:], wild[:200]))


def test_comparison(three):
    report, scores, model, X = three
    table = next(t for t in report.tables if "precision" in t[0])
    train, test = ((rows - model.mean_) / model.scale_ for rows in (X[80:], X[:80]))
    fresh = scores.fresh
    order = np.random.default_rng(0)
    order.permutation(80)
    other = train[order.permutation(220)][:80]
    v = model.plan_.annealing.target
    near, far = (np.sort(cdist(a, a), 1)[:, 5] for a in (test, other))
    d = cdist(other, test)
    assert fresh.neighbours.precision == pytest.approx((d <= near).any(1).mean())
    assert fresh.neighbours.recall == pytest.approx((far >= d.T).any(1).mean())
    gram = np.exp(-(cdist(test, other) ** 2) / (4 * v))  # of kernels with unit norm
    assert fresh.gap == pytest.approx(-np.log(np.linalg.norm(gram, "nuc") / 80), abs=1e-6)
    assert fresh.bound == pytest.approx(-1.5 * np.log(4 * np.pi * v), abs=1e-6)
    for row, c in zip(table[1:], (scores.samples, fresh), strict=True):
        assert row[0] == c.name
        assert value(row[1]) == pytest.approx(c.gap, rel=1e-3)
        assert value(row[2]) == pytest.approx(c.bound, rel=1e-3)
        assert value(row[3]) == pytest.approx(100 * c.neighbours.precision, abs=0.6)
        assert value(row[4]) == pytest.approx(100 * c.neighbours.recall, abs=0.6)


def test_what_was_chosen_is_said(three):
    report, _, model, _ = three
    said = dict(next(t for t in report.tables if t[0][0] == "cost"))
    plan = model.plan_
    assert plan.reading in said["cost"]
    assert f"{plan.batch_size} rows and {plan.centers} fresh centers" in said["batch"]
    start, target = said["kernel variance"].split(",")[0].removeprefix("from ").split(" to ")
    assert (value(start), value(target)) == pytest.approx((plan.annealing.start, plan.annealing.target), rel=1e-3)
    assert value(said["density variance"].split(",")[0]) == pytest.approx(model.variance_, rel=1e-3)
    settings = dict(report.tables[-1])
    assert settings["source"] == "made up"
    assert "x, y and noise" in settings["columns"]
    assert report.warning("a note") == "a note"
    assert {"x", "y", "noise", "samples", "gap [nats]", "kernel width [sd]"} <= report.labels
    assert len(report.pictures) == 3  # pairs, correlations, training


def test_correlations_are_drawn_as_they_are():
    rng = np.random.default_rng(0)
    a, b = (np.atleast_2d(np.corrcoef(rng.normal(size=(50, 3)).T)) for _ in range(2))
    figure: Any = plots.correlations(a, b, ["a", "b", "c"])
    for ax, matrix in zip(figure.axes, (a, b), strict=False):
        np.testing.assert_array_equal(ax.images[0].get_array(), matrix)
        assert [t.get_text() for t in ax.texts] == [f"{x:.2f}".replace("-", "−") for x in matrix.flat]


def test_the_density_in_the_picture_is_the_models(three):
    _, _, model, X = three
    figure: Any = plots.two_columns(X[:, :2], X[:50, :2], X[:60, :2], model.mixture_.marginal([0, 1]), ["x", "y"])
    image = figure.axes[3].images[0]
    density, (x0, x1, y0, y1) = np.asarray(image.get_array()), image.get_extent()
    n = len(density)
    cell = np.array([(x1 - x0) / n, (y1 - y0) / n])
    drawn = model.sample(20_000)[:, :2]
    inside = ((drawn > [x0, y0]) & (drawn < [x1, y1])).all(1).mean()
    assert density.sum() * cell.prod() == pytest.approx(inside, abs=0.02)
    i, j = 30, 70  # row of y, column of x
    point = torch.tensor([x0 + (j + 0.5) * cell[0], y0 + (i + 0.5) * cell[1]])
    assert density[i, j] == pytest.approx(model.mixture_.marginal([0, 1]).log_prob(point).exp().item(), rel=1e-6)
    assert [len(ax.lines[0].get_xdata()) for ax in figure.axes[:3]] == [300, 50, 60]


def test_a_line_and_a_plane(tmp_path):
    X = data()
    line, *_ = written(tmp_path / "line.html", X[:, :1])
    assert len(line.pictures) == 2
    plane, *_ = written(tmp_path / "plane.html", X[:, :2])
    assert {"column 1", "column 2", "centers"} <= plane.labels
    assert len(plane.pictures) == 2


def test_warnings(tmp_path):
    rng = np.random.default_rng(0)
    n = 200
    a = rng.standard_normal(n)
    X = np.column_stack(
        [a, a + 1e-3 * rng.standard_normal(n), np.where(np.arange(n) % 3, 0, rng.exponential(size=n)), np.full(n, 7.0)]
    )
    X = np.column_stack([X, rng.integers(0, 2, n), np.where(np.arange(n) == 99, 1e6, rng.standard_normal(n))])
    names = ["a", "b", "rain", "same", "switch", "far"]
    report, *_ = written(tmp_path / "r.html", X, test=5, column_names=names)
    assert "195 rows to learn from" in report.warning("Only")
    assert "only 5 test rows" in report.warning("There are")
    assert "a and b are nearly copies" in report.warning("copies")
    assert "rain = 0" in report.warning("point mass")
    assert "same" in report.warning("The same value")
    assert "switch takes only 2 different values" in report.warning("different values")
    assert "far (14)" in report.warning("standard deviations from the mean")
    assert "none that copies another" in " ".join(report.texts["figcaption"])
    repeated, *_ = written(tmp_path / "r.html", np.vstack([data(100)] * 3))
    assert "rows repeat an earlier one" in repeated.warning("repeat")


def test_centers_out_of_reach_are_told(tmp_path):
    X = data()[:, :2]
    with pytest.warns(UserWarning, match="no gradient"):
        model = small(variance=1e-12, anneal=False, steps=2).fit(X[80:])
    report, *_ = written(tmp_path / "r.html", X, fitted=model)
    assert "Increase variance, steps or batch_size" in report.warning("of the centers are so far")
    assert report.warning("“kernel density” is better than the model")


def test_a_missing_mode_and_an_invented_one_are_told(tmp_path):
    rng = np.random.default_rng(0)
    X = np.where(np.arange(300) % 2, 5.0, -5.0)[:, None] + rng.standard_normal((300, 2))
    model = small().fit(X[1::2])
    report, scores, _ = written(tmp_path / "r.html", X, fitted=model)
    assert "misses a part of the data" in report.warning("have no sample nearby")
    near = scores.samples.neighbours
    assert near is not None
    assert near.recall < 0.6
    both = small(steps=200).fit(X)
    report, scores, _ = written(tmp_path / "r.html", X[1::2], fitted=both)
    assert "joins what is apart" in report.warning("lie near no test row")
    near = scores.samples.neighbours
    assert near is not None
    assert near.precision < 0.8


@pytest.mark.parametrize(
    ("cost", "pictured"), [("likelihood", "loss [nats]"), ("scalar", "loss [nats]"), ("bures", "squared distance")]
)
def test_other_costs(cost, pictured, tmp_path):
    X = data()[:, :2]
    model = small(cost=cost, reading="finite").fit(X[80:])
    report, scores, _ = written(tmp_path / "r.html", X, fitted=model)
    assert pictured in report.labels
    assert (scores.samples.gap is None) == (cost == "likelihood")


def test_the_sampled_reading(tmp_path):
    X = data()[:, :2]
    model = small(reading="sampled").fit(X[80:])
    report, *_ = written(tmp_path / "r.html", X, fitted=model)
    assert "divergence" in report.labels
    assert "debiased divergence" in " ".join(report.texts["figcaption"])


def test_same_arguments_give_the_same_file(three, tmp_path):
    report, _, model, X = three
    model.save(tmp_path / "model")
    loaded = MixtureDensityEstimator.load(tmp_path / "model").set_params(random_state=None)
    before = global_state()
    options: dict[str, Any] = {
        "column_names": ["x", "y", "noise"],
        "facts": [("source", "made up"), ("random_state", "0")],
    }
    again, *_ = written(tmp_path / "r.html", X, fitted=loaded, notes=["a note"], **options)
    assert global_state() == before
    tables = again.tables[-1]
    assert [row for row in report.tables[-1] if row in tables] == report.tables[-1]
    assert report.tables[:-1] == again.tables[:-1]
    assert report.texts["p"] == again.texts["p"]
    first = report.source[report.source.index("<img") :].split(">")[0]
    assert first in again.source


def test_names_are_escaped(tmp_path):
    names = ["</td><script>alert(1)</script>", "a & b $x_1$", "温度 [°C]\n\x00"]
    report, *_ = written(tmp_path / "r.html", data(), column_names=names, title="<b>")
    assert report.texts["title"] == ["<b>"]
    assert "温度 [°C]" in report.labels


def test_wrong_arguments(three, tmp_path):
    _, _, model, X = three
    cases: list[Any] = [
        (X[:, :2], X, {}, "train must be finite numbers of shape"),
        (X, X[:0], {}, "test must be finite"),
        (X, np.full((5, 3), np.nan), {}, "test must be finite"),
        (X, X, {"column_names": ["a"]}, "column_names has 1 names, but there are 3"),
    ]
    for train, test, options, message in cases:
        with pytest.raises(ValueError, match=message):
            density_report(tmp_path / "r.html", model, train, test, title="", **options)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        density_report(tmp_path / "nowhere" / "r.html", model, X, X, title="")
    assert not list(tmp_path.iterdir())
    density_report(tmp_path / "r.html", model, X, X[:1], title="one test row")
    assert "is only 1 test row" in Report(tmp_path / "r.html").warning("There is")
