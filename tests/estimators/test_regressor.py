"""The regressor against quadrature, exact transformations and scikit-learn's own checks."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtura import GaussianMixture, MixtureDensityRegressor
from mixtura.datasets import inverse_sine, inverse_sine_optimum

SMALL = {"components": 3, "hidden": (16,), "epochs": 15, "ensemble": 2, "random_state": 0}


def small(**options):
    return MixtureDensityRegressor(**(SMALL | options))


@parametrize_with_checks(
    [small(components=2)],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": "a row twice is not in one batch, a row of weight 2 is"
    },
)
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def one_target():
    X, t = inverse_sine(1500, random_state=0)
    return small(components=5, epochs=40).fit(X, 1000 * t - 3000), X, 1000 * t - 3000


@pytest.fixture(scope="module")
def two_targets():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (1500, 2))
    e = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 1500)
    y = np.column_stack([100 * (X[:, 0] + 0.3 * e[:, 0]), 5 + 0.01 * (X[:, 1] + 0.3 * e[:, 1])])
    return small(components=2, epochs=60).fit(X, y), X, y


def test_density_integrates_to_one_in_target_units(one_target):
    model, X, _ = one_target
    grid = np.linspace(-4500, 0, 30_001)
    density = model.predict_dist(X[:7]).log_prob(torch.as_tensor(grid)[:, None]).exp().numpy()
    np.testing.assert_allclose(np.trapezoid(density, grid, axis=0), 1, atol=1e-6)


def test_joint_density_integrates_to_one_in_target_units(two_targets):
    model, X, y = two_targets
    a, b = (np.linspace(c.mean() - 12 * c.std(), c.mean() + 12 * c.std(), 1201) for c in y.T)
    points = torch.as_tensor(np.stack(np.meshgrid(a, b, indexing="ij"), -1))
    density = model.predict_dist(X[:1]).log_prob(points.unsqueeze(-2))[..., 0].exp().numpy()
    assert np.trapezoid(np.trapezoid(density, b), a) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("fitted", ["one_target", "two_targets"])
def test_log_prob_is_the_distributions(fitted, request):
    model, X, y = request.getfixturevalue(fitted)
    mixture = model.predict_dist(X)
    assert isinstance(mixture, GaussianMixture)
    np.testing.assert_array_equal(model.log_prob(X, y), mixture.log_prob(torch.as_tensor(y)).numpy())
    assert model.score(X, y) == pytest.approx(model.log_prob(X, y).mean(), abs=1e-12)
    weight = np.arange(len(y))
    assert model.score(X, y, weight) == pytest.approx(np.average(model.log_prob(X, y), weights=weight), abs=1e-12)


def test_history_is_in_target_units(one_target):
    model, X, y = one_target
    assert min(model.history_.validation) == pytest.approx(-model.score(X, y), abs=0.15)


def test_learns_the_toy_problem():
    X, t = inverse_sine(3000, random_state=1)
    model = MixtureDensityRegressor(5, hidden=(32, 32), epochs=40, ensemble=2, random_state=0).fit(X, t)
    fresh = inverse_sine(4000, random_state=2)
    truth = inverse_sine_optimum()
    # A marginal Gaussian scores +0.18 nats; beating the optimum by more than the noise of 4,000 points would be wrong.
    assert truth - 0.05 < -model.score(*fresh) < truth + 0.08
    modes = model.predict_dist([[0.5]]).modes()
    assert int((modes.mass > 0.1).sum()) == 3  # t = .18, .5 and .82 all answer y = .5


def test_change_of_units():
    X, t = inverse_sine(400, random_state=0)
    model, scaled = small().fit(X, t), small().fit(X, 1024 * t)  # a power of two rounds nothing
    np.testing.assert_allclose(scaled.log_prob(X, 1024 * t), model.log_prob(X, t) - np.log(1024), rtol=1e-9)
    np.testing.assert_allclose(scaled.predict_quantiles(X), 1024 * model.predict_quantiles(X), rtol=1e-9)


def test_units_of_the_inputs_do_not_matter():
    X, t = inverse_sine(400, random_state=0)
    wild = np.hstack([X * 1e30, X * 1e-30, np.ones_like(X)])
    model = small().fit(wild, t)
    assert np.isfinite(model.log_prob(wild, t)).all()
    assert model.score(wild, t) > small(components=1).fit(np.ones_like(X), t).score(np.ones_like(X), t)
    assert np.isfinite(model.predict_quantiles(wild * 1e6)).all()  # far outside what was seen


def test_far_and_narrow_targets():
    X, t = inverse_sine(400, random_state=0)
    model, far = small().fit(X, t), small().fit(X, 1e9 + 1e-3 * t)
    np.testing.assert_allclose(far.score(X, 1e9 + 1e-3 * t), model.score(X, t) - np.log(1e-3), atol=0.05)


def test_quantiles_intervals_and_mean(one_target):
    model, X, y = one_target
    q = np.array([0.01, 0.3, 0.5, 0.99])
    mixture, quantiles = model.predict_dist(X[:50]), model.predict_quantiles(X[:50], q)
    np.testing.assert_allclose(
        mixture.cdf(torch.as_tensor(quantiles.T)).numpy(), np.broadcast_to(q[:, None], (4, 50)), atol=1e-9
    )
    np.testing.assert_array_equal(model.predict_quantiles(X[:50], 0.3), quantiles[:, 1])
    np.testing.assert_allclose(model.predict_interval(X[:50], 0.98), quantiles[:, [0, 3]], rtol=1e-12)
    low, high = model.predict_interval(X, 0.8).T
    assert np.mean((low <= y) & (y <= high)) == pytest.approx(0.8, abs=0.05)
    grid = np.linspace(-6000, 1000, 70_001)
    density = mixture.log_prob(torch.as_tensor(grid)[:, None]).exp().numpy()
    np.testing.assert_allclose(model.predict(X[:50]), np.trapezoid(density * grid[:, None], grid, axis=0), rtol=1e-6)


def test_several_targets(two_targets):
    model, X, _ = two_targets
    covariance = model.predict_dist(X).covariance_matrix.mean(0).numpy()
    assert covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]) == pytest.approx(0.8, abs=0.1)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), [30, 0.003], rtol=0.15)
    quantiles = model.predict_quantiles(X[:9], [0.2, 0.7])
    assert quantiles.shape == (9, 2, 2)
    second = model.predict_dist(X[:9]).marginal(1)
    np.testing.assert_allclose(second.cdf(torch.as_tensor(quantiles[:, 1, 1])).numpy(), 0.7, atol=1e-9)


def test_samples_follow_the_density(one_target, two_targets):
    model, X, _ = one_target
    draws = model.sample(X[:3], 10_000)
    u = model.predict_dist(X[:3]).cdf(torch.as_tensor(draws.T)).numpy()
    assert all(stats.kstest(u[:, i], "uniform").pvalue > 1e-3 for i in range(3))
    np.testing.assert_array_equal(draws, model.sample(X[:3], 10_000))  # random_state is an int
    model, X, _ = two_targets
    draws = model.sample(X[:2], 20_000)
    np.testing.assert_allclose(
        np.cov(draws[1].T), model.predict_dist(X[:2]).covariance_matrix[1].numpy(), rtol=0.08, atol=1e-3
    )


def test_weights():
    X, t = inverse_sine(300, random_state=0)
    weight = np.r_[np.ones(200), np.zeros(100)]
    np.testing.assert_array_equal(
        small().fit(X, t, weight).predict(X), small().fit(X[:200], t[:200]).predict(X)
    )  # no weight is no row
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1000, 1)), np.where(np.arange(1000) % 2, 1.0, -1.0) + 0.1 * rng.normal(size=1000)
    model = small(components=2).fit(X, y, np.where(y > 0, 3.0, 1.0))
    assert 1 - model.predict_dist(X).cdf(torch.zeros(())).mean().item() == pytest.approx(0.75, abs=0.03)


def test_global_state_is_untouched():
    X, t = inverse_sine(100, random_state=0)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    small().fit(X, t).sample(X, 3)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (numpy_state == np.random.get_state(legacy=False)["state"]["key"]).all()  # noqa: NPY002
    assert (threads, dtype) == (torch.get_num_threads(), torch.get_default_dtype())


def test_seed_decides_everything():
    X, t = inverse_sine(100, random_state=0)
    first, again, other = (small(random_state=s).fit(X, t).predict(X) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_in_a_pipeline():
    X, t = inverse_sine(200, random_state=0)
    pipeline = make_pipeline(PolynomialFeatures(2), small())
    assert clone(pipeline).fit(X, t).score(X, t) > -1


@pytest.mark.parametrize("fitted", ["one_target", "two_targets"])
def test_saved_model_predicts_the_same_in_another_process(fitted, request, tmp_path):
    model, X, y = request.getfixturevalue(fitted)
    model.save(tmp_path / "model")
    np.savez(tmp_path / "data.npz", X=X, y=y)
    code = """
import sys, numpy as np, torch, mixtura as mx
folder = sys.argv[1]
torch.set_num_threads(int(sys.argv[2]))
data = np.load(folder + "/data.npz")
m = mx.MixtureDensityRegressor.load(folder + "/model")
X, y = data["X"], data["y"]
out = dict(a=m.predict(X), b=m.log_prob(X, y), c=m.predict_quantiles(X), d=m.sample(X, 2), e=m.history_.validation)
np.savez(folder + "/out.npz", **out)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path), str(torch.get_num_threads())], check=True)
    out = np.load(tmp_path / "out.npz")
    np.testing.assert_array_equal(out["a"], model.predict(X))
    np.testing.assert_array_equal(out["b"], model.log_prob(X, y))
    np.testing.assert_array_equal(out["c"], model.predict_quantiles(X))
    np.testing.assert_array_equal(out["d"], model.sample(X, 2))
    np.testing.assert_array_equal(out["e"], model.history_.validation)
    loaded = MixtureDensityRegressor.load(tmp_path / "model")
    assert loaded.get_params() | {"verbose": None} == model.get_params() | {"verbose": None}


def test_resumes_from_a_checkpoint(tmp_path, monkeypatch):
    from mixtura.training import checkpoint, loop

    X, t = inverse_sine(200, random_state=0)
    whole = small().fit(X, t)
    monkeypatch.setattr(checkpoint, "_SECONDS", 0)
    evaluations = iter(range(100))

    def interrupted(*args):
        if next(evaluations) == 7:
            raise KeyboardInterrupt
        return evaluate(*args)

    evaluate = loop.evaluate
    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(loop, "evaluate", interrupted)
        with pytest.raises(KeyboardInterrupt):
            small(checkpoint=path).fit(X, t)
    assert path.exists()
    np.testing.assert_array_equal(small(checkpoint=path).fit(X, t).predict(X), whole.predict(X))
    assert not path.exists()


def broken(path, what, model):
    model.save(path)
    data = path.read_bytes()
    if what == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "text":
        path.write_text("hello " * 100)
    elif what == "foreign":
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(3)}, path)
    elif what == "newer":
        path.write_bytes(data.replace(b'"version":"1"', b'"version":"9"'))


@pytest.mark.parametrize("what", ["truncated", "empty", "text", "foreign", "newer"])
def test_broken_files_are_refused(what, tmp_path, one_target):
    path = tmp_path / "model"
    broken(path, what, one_target[0])
    with pytest.raises(ValueError, match=str(path)):
        MixtureDensityRegressor.load(path)


def test_missing_file_and_unfitted_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model file"):
        MixtureDensityRegressor.load(tmp_path / "nothing")
    with pytest.raises(ValueError, match="not fitted"):
        small().save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


GOOD_X, GOOD_Y = np.random.default_rng(0).normal(size=(20, 2)), np.random.default_rng(1).normal(size=20)


@pytest.mark.parametrize(
    ("options", "X", "y", "weight", "message"),
    [
        ({}, np.where(GOOD_X > 1, np.nan, GOOD_X), GOOD_Y, None, "Input X contains NaN"),
        ({}, np.where(GOOD_X > 1, np.inf, GOOD_X), GOOD_Y, None, "Input X contains infinity"),
        ({}, GOOD_X, np.where(GOOD_Y > 0, np.nan, GOOD_Y), None, "Input y contains NaN"),
        ({}, GOOD_X, np.where(GOOD_Y > 0, np.inf, GOOD_Y), None, "Input y contains infinity"),
        ({}, GOOD_X, np.full(20, 3.5), None, "y is constant: every value of target 0 is 3.5"),
        ({}, GOOD_X[:1], GOOD_Y[:1], None, "minimum of 2 is required"),
        ({}, GOOD_X, GOOD_Y, np.zeros(20), "(?i)sample.weight"),
        ({}, GOOD_X, GOOD_Y, -np.ones(20), "[Nn]egative"),
        ({"loss": "absolute"}, GOOD_X, GOOD_Y, None, "loss must be one of 'likelihood', 'conditional'"),
        ({"validation_fraction": 1.5}, GOOD_X, GOOD_Y, None, "validation_fraction"),
        ({"components": 0}, GOOD_X, GOOD_Y, None, "components must be positive"),
        ({"covariance": "round"}, GOOD_X, GOOD_Y, None, "covariance must be"),
        ({"hidden": ()}, GOOD_X, GOOD_Y, None, "hidden must"),
    ],
)
def test_bad_input_is_a_sentence(options, X, y, weight, message):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(X, y, weight)


def test_bad_input_at_prediction(one_target):
    model, X, y = one_target
    with pytest.raises(ValueError, match="expecting 1 features"):
        model.predict(np.hstack([X, X]))
    with pytest.raises(ValueError, match="as in fit"):
        model.log_prob(X, np.column_stack([y, y]))
    for q in (0, 1, 1.5, -0.1, [0.5, 2.0]):
        with pytest.raises(ValueError, match="strictly between"):
            model.predict_quantiles(X, q)
    with pytest.raises(ValueError, match="strictly between"):
        model.predict_interval(X, 1)


def test_few_rows_and_repeated_targets():
    model = small(components=10).fit(np.arange(12.0)[:, None], np.r_[np.zeros(6), np.ones(6)])
    X = np.linspace(-5, 20, 7)[:, None]
    assert np.isfinite(model.log_prob(X, np.linspace(-1, 2, 7))).all()
    both = small(components=10, covariance="full").fit(np.arange(12.0)[:, None], np.eye(2)[np.arange(12) % 2])
    assert np.isfinite(both.predict_interval(X)).all()


@pytest.mark.parametrize(("fraction", "expected"), [(None, 400), (0.2, 1_000)])
def test_few_of_many_rows_choose_the_epoch(fraction, expected, monkeypatch):
    seen = []

    def fit_networks(network, data, folds, plan, **options):
        seen.append(folds.held.shape[1])
        raise KeyboardInterrupt

    monkeypatch.setattr("mixtura.estimators.regressor.fit_networks", fit_networks)
    x = np.random.default_rng(0).standard_normal((5_000, 1))
    with pytest.raises(KeyboardInterrupt):
        MixtureDensityRegressor(1, roughness=0.5, validation_fraction=fraction, random_state=0).fit(x, x[:, 0])
    assert seen == [expected]
