"""The density estimator against quadrature, changes of units and scikit-learn's own checks."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtura import GaussianMixture, MixtureDensityEstimator, MixtureDensityRegressor
from tests.helpers import global_state

SMALL = {"components": 60, "hidden": (16, 16), "steps": 60, "batch_size": 64, "random_state": 0}
COSTS = ["nuclear_norm", "scalar", "vector_matrix", "matrix_matrix", "likelihood", "bures"]


def small(**options):
    return MixtureDensityEstimator(**(SMALL | options))


def moons(n=300, seed=0):
    return make_moons(n, noise=0.05, random_state=seed)[0]


@parametrize_with_checks([small(components=20, steps=5)])
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def plane():
    """A density of two columns with different units."""
    X = moons() * [100, 0.01] + [-3000, 5]
    return small().fit(X), X


@pytest.fixture(scope="module")
def line():
    """A density of one column with two modes."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(-1, 0.2, 200), rng.normal(2, 0.4, 200)][:, None] * 1e4
    return small(hidden=(32, 32), steps=400, learning_rate=5e-3).fit(X), X


def test_density_of_a_line_integrates_to_one(line):
    model, X = line
    grid = np.linspace(X.mean() - 15 * X.std(), X.mean() + 15 * X.std(), 40_001)
    assert np.trapezoid(np.exp(model.score_samples(grid[:, None])), grid) == pytest.approx(1, abs=1e-6)


def test_density_of_a_plane_integrates_to_one(plane):
    model, X = plane
    a, b = (np.linspace(c.mean() - 8 * c.std(), c.mean() + 8 * c.std(), 401) for c in X.T)
    points = np.stack(np.meshgrid(a, b, indexing="ij"), -1).reshape(-1, 2)
    density = np.exp(model.score_samples(points)).reshape(401, 401)
    assert np.trapezoid(np.trapezoid(density, b), a) == pytest.approx(1, abs=1e-4)


def test_scores_are_the_mixtures(plane):
    model, X = plane
    assert isinstance(model.mixture_, GaussianMixture)
    np.testing.assert_array_equal(model.score_samples(X), model.mixture_.log_prob(torch.as_tensor(X)).numpy())
    assert model.score(X) == pytest.approx(model.score_samples(X).mean(), abs=1e-12)
    sd = np.sqrt(model.variance_) * model.scale_
    centers = model.mixture_.loc.numpy()
    by_hand = np.exp(stats.norm.logpdf(X[:9, None], centers, sd).sum(-1)).mean(1)  # equal weights
    np.testing.assert_allclose(model.score_samples(X[:9]), np.log(by_hand), rtol=1e-8)


def test_learns_two_modes(line):
    model, X = line
    marginal = model.mixture_.marginal(0)
    assert marginal.cdf(torch.tensor(0.5e4, dtype=torch.float64)).item() == pytest.approx(0.5, abs=0.1)
    truth = np.log(0.5 * (stats.norm.pdf(X, -1e4, 2e3) + stats.norm.pdf(X, 2e4, 4e3))).mean()
    one = stats.norm.logpdf(X, X.mean(), X.std()).mean()
    assert truth - 0.35 < model.score(X) < truth + 0.05
    assert model.score(X) > one + 0.1


def test_samples_follow_the_density(line, plane):
    model, _ = line
    u = model.mixture_.marginal(0).cdf(torch.as_tensor(model.sample(4000)[:, 0])).numpy()
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    model, _ = plane
    draws = model.sample(20_000)
    mean, covariance = model.mixture_.mean.numpy(), model.mixture_.covariance_matrix.numpy()
    np.testing.assert_allclose(draws.mean(0), mean, atol=4 * np.sqrt(np.diag(covariance) / 20_000).max())
    np.testing.assert_allclose(
        np.cov(draws.T) / np.outer(*2 * [draws.std(0)]), covariance / np.outer(*2 * [draws.std(0)]), atol=0.05
    )
    np.testing.assert_array_equal(draws, model.sample(20_000))  # random_state is an int
    assert model.centers(7).shape == (7, 2)


def test_units_of_the_columns_do_not_matter():
    X = moons()
    scale, shift = np.array([1024.0, 2.0**-20]), np.array([4096.0, 0.0])
    model, other = small().fit(X), small().fit(X * scale + shift)
    lost = np.log(scale).sum()
    np.testing.assert_allclose(other.score_samples(X * scale + shift), model.score_samples(X) - lost, atol=2e-2)
    np.testing.assert_allclose(other.variance_, model.variance_, rtol=0.05)
    thousand = small(standardize=True).fit(1000 * X - 7)
    np.testing.assert_allclose(thousand.score(1000 * X - 7), model.score(X) - 2 * np.log(1000), atol=0.02)


def test_far_from_zero_and_narrow():
    X = moons()
    model, far = small().fit(X), small().fit(1e9 + X)
    assert far.score(1e9 + X) == pytest.approx(model.score(X), abs=0.1)
    wild = np.column_stack([X * 1e150, X * 1e-150])
    assert np.isfinite(small().fit(wild).score_samples(wild)).all()


@pytest.mark.parametrize("cost", COSTS)
def test_every_cost_trains(cost):
    X = moons()
    model = small(cost=cost, steps=150, variance=0.3, anneal=False).fit(X)
    loss = model.history_.loss
    start, end = loss[0], np.mean(loss[-3:])
    assert end < start
    if model.bound_.log_bound is not None:
        assert 0 <= model.bound_.gap.item() < start
    assert model.plan_.cost == cost
    one = stats.multivariate_normal(X.mean(0), np.cov(X.T)).logpdf(X).mean()
    assert model.score(X) > one - 0.3


@pytest.mark.parametrize("reading", ["finite", "sampled"])
def test_readings(reading):
    X = moons()
    model = small(reading=reading, variance=0.3, anneal=False, steps=150).fit(X)
    assert model.plan_.reading == reading
    assert np.mean(model.history_.loss[-3:]) < model.history_.loss[0]
    assert model.plan_.centers == {"finite": 16, "sampled": 64}[reading]


def test_the_schedule_ends_at_the_variance_asked_for():
    model = small(variance=0.05).fit(moons())
    a = model.plan_.annealing
    assert a.target == 0.05
    assert a.start == pytest.approx(2, rel=0.05)  # the total variance of two standardised columns
    assert model.generator_.variance == pytest.approx(0.05)
    still = small(variance=0.05, anneal=False).fit(moons())
    assert still.plan_.annealing.start == 0.05


def test_a_center_that_no_kernel_reaches_is_told():
    with pytest.warns(UserWarning, match=r"no gradient reaches .* increase variance, steps or batch_size, or set"):
        model = small(variance=1e-12, anneal=False, steps=2).fit(moons())
    assert model.reach_ < 0.5
    assert small(variance=1.0, steps=2).fit(moons()).reach_ == 1


def test_weights():
    X = moons()
    weight = np.r_[np.ones(200), np.zeros(100)]
    np.testing.assert_array_equal(
        small(steps=9).fit(X, sample_weight=weight).score_samples(X), small(steps=9).fit(X[:200]).score_samples(X)
    )  # no weight is no row
    rng = np.random.default_rng(0)
    X = np.where(np.arange(1000) % 2, 1.0, -1.0)[:, None] + 0.1 * rng.normal(size=(1000, 1))
    model = small(variance=0.5, steps=400, batch_size=256, learning_rate=5e-3)
    model.fit(X, sample_weight=np.where(X[:, 0] > 0, 3.0, 1.0))
    assert (model.centers(2000) > 0).mean() == pytest.approx(0.75, abs=0.06)


def test_global_state_is_untouched():
    X, before = moons(100), global_state()
    model = small(steps=5).fit(X)
    model.sample(3)
    model.centers(3)
    model.score_samples(X)
    assert global_state() == before


def test_seed_decides_everything():
    X = moons(100)
    first, again, other = (small(steps=9, random_state=s).fit(X) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.score_samples(X), again.score_samples(X))
    np.testing.assert_array_equal(first.sample(5), again.sample(5))
    assert (first.score_samples(X) != other.score_samples(X)).any()


def test_in_a_pipeline_and_with_odd_rows():
    X = np.vstack([moons(100)] * 2)  # every row twice
    assert np.isfinite(clone(make_pipeline(StandardScaler(), small(steps=9))).fit(X).score(X))
    integers = np.random.default_rng(0).integers(0, 5, (200, 2))
    assert np.isfinite(small(steps=9).fit(integers).score_samples(integers)).all()
    constant = np.column_stack([moons(100), np.full(100, 7.0)])
    assert np.isfinite(small(steps=9).fit(constant).score_samples(constant)).all()
    copies = moons(100)[:, [0, 0, 1]]
    assert np.isfinite(small(steps=9).fit(copies).score_samples(copies)).all()
    few = moons(4)
    assert np.isfinite(small(steps=9).fit(few).score_samples(few)).all()


def test_saved_model_is_the_same_in_another_process(plane, tmp_path):
    model, X = plane
    model.save(tmp_path / "model")
    np.save(tmp_path / "X.npy", X)
    code = """
import sys, numpy as np, torch, mixtura as mx
folder = sys.argv[1]
torch.set_num_threads(int(sys.argv[2]))
X = np.load(folder + "/X.npy")
m = mx.MixtureDensityEstimator.load(folder + "/model")
b = m.bound_
out = dict(a=m.score_samples(X), b=m.sample(9), c=m.centers(9), d=m.history_.loss, e=m.variance_, f=m.reach_,
           g=[b.log_value.item(), b.loss.item(), b.gap.item()], h=str(m.plan_))
np.savez(folder + "/out.npz", **out)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path), str(torch.get_num_threads())], check=True)
    out, b = np.load(tmp_path / "out.npz"), model.bound_
    expected = {
        "a": model.score_samples(X),
        "b": model.sample(9),
        "c": model.centers(9),
        "d": model.history_.loss,
        "e": model.variance_,
        "f": model.reach_,
        "h": str(model.plan_),
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(out[name], values)
    np.testing.assert_allclose(out["g"], [b.log_value.item(), b.loss.item(), b.gap.item()], rtol=1e-15)
    loaded = MixtureDensityEstimator.load(tmp_path / "model")
    assert loaded.get_params() == model.get_params()


def test_a_killed_run_goes_on(tmp_path, monkeypatch):
    from mixtura.training import checkpoint, generation

    X = moons()
    whole = small().fit(X)
    monkeypatch.setattr(checkpoint, "_SECONDS", 0)
    fit, path = generation.fit, tmp_path / "run"

    def interrupted(*args, on_epoch, **options):
        def stop(epoch):
            if epoch.epoch == 8:
                raise KeyboardInterrupt

        assert on_epoch is None
        return fit(*args, on_epoch=stop, **options)

    with monkeypatch.context() as patch:
        patch.setattr(generation, "fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            small(checkpoint=path).fit(X)
    assert path.exists()
    resumed = small(checkpoint=path).fit(X)
    for name, tensor in whole.generator_.state_dict().items():
        assert torch.equal(resumed.generator_.state_dict()[name], tensor)
    assert resumed.history_.loss == whole.history_.loss
    np.testing.assert_array_equal(resumed.score_samples(X), whole.score_samples(X))
    assert not path.exists()


def test_a_checkpoint_of_another_run_is_refused(tmp_path, monkeypatch):
    from mixtura.training import checkpoint

    monkeypatch.setattr(checkpoint, "_SECONDS", 0)
    monkeypatch.setattr(checkpoint.Checkpoint, "delete", lambda self: None)
    path = tmp_path / "run"
    small(steps=9, checkpoint=path).fit(moons(100))
    with pytest.raises(ValueError, match=r"run"):
        small(steps=9, checkpoint=path, cost="scalar").fit(moons(100))


@pytest.mark.parametrize("what", ["truncated", "empty", "text", "regressor"])
def test_broken_files_are_refused(what, tmp_path, plane):
    path = tmp_path / "model"
    plane[0].save(path)
    if what == "truncated":
        path.write_bytes(path.read_bytes()[:-50])
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "text":
        path.write_text("hello " * 100)
    else:
        X = moons(40)
        MixtureDensityRegressor(2, hidden=(8,), epochs=1).fit(X[:, :1], X[:, 1]).save(path)
    with pytest.raises(ValueError, match=str(path)):
        MixtureDensityEstimator.load(path)


def test_missing_file_and_unfitted_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model file"):
        MixtureDensityEstimator.load(tmp_path / "nothing")
    with pytest.raises(ValueError, match="not fitted"):
        small().save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


GOOD = moons(40)


@pytest.mark.parametrize(
    ("options", "X", "weight", "message"),
    [
        ({}, np.where(GOOD > 1, np.nan, GOOD), None, "Input X contains NaN"),
        ({}, np.where(GOOD > 1, np.inf, GOOD), None, "Input X contains infinity"),
        ({}, np.full((40, 2), 3.5), None, "not all the same"),
        ({}, GOOD[:1], None, "minimum of 4 is required"),
        ({}, GOOD, np.zeros(40), "(?i)weight"),
        ({}, GOOD, -np.ones(40), "[Nn]egative"),
        ({}, GOOD, np.r_[np.ones(3), np.zeros(37)], "at least 4 rows of positive weight"),
        ({"cost": "nuclear"}, GOOD, None, "cost must be one of scalar"),
        ({"cost": "trace"}, GOOD, None, "cost must be one of scalar"),
        ({"reading": "infinite"}, GOOD, None, "reading must be 'auto', 'finite' or 'sampled'"),
        ({"cost": "bures", "reading": "sampled"}, GOOD, None, "has no sampled reading"),
        ({"variance": 0}, GOOD, None, "variance must be 'auto' or positive"),
        ({"variance": -1.0}, GOOD, None, "variance must be 'auto' or positive"),
        ({"variance": "silverman"}, GOOD, None, "variance must be 'auto' or positive"),
        ({"validation_fraction": 1.5}, GOOD, None, "validation_fraction"),
        ({"components": 0}, GOOD, None, "components must be positive"),
        ({"steps": 0}, GOOD, None, "steps and learning_rate must be positive"),
        ({"batch_size": 2}, GOOD, None, "batch_size must be at least 4"),
        ({"hidden": (0,)}, GOOD, None, "hidden"),
        ({"noise_features": -1}, GOOD, None, "noise_features"),
        ({"learning_rate": -1.0}, GOOD, None, "learning_rate|learning rate"),
    ],
)
def test_bad_input_is_a_sentence(options, X, weight, message):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(X, sample_weight=weight)


def test_bad_input_afterwards(plane):
    model, X = plane
    with pytest.raises(ValueError, match="expecting 2 features"):
        model.score_samples(X[:, :1])
    with pytest.raises(ValueError, match="contains NaN"):
        model.score_samples(np.full((3, 2), np.nan))


@pytest.mark.parametrize("n", [0, -1])
def test_bad_number_of_samples(n, plane):
    with pytest.raises(ValueError, match=r"\bn\b"):
        plane[0].sample(n)
