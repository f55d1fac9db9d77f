"""The autoencoder against quadrature, formulas by hand, changes of units and scikit-learn's own checks."""

import copy
import warnings
from itertools import pairwise

import joblib
import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixtura import GaussianMixture, MixtureAutoencoder, MixtureDensityEstimator
from mixtura.cli import main
from tests.helpers import global_state

TINY = {"centers": 3, "hidden": (8,), "steps": 5, "random_state": 0}


def tiny(**options):
    return MixtureAutoencoder(**(TINY | options))


def moons(n=300, seed=0):
    return make_moons(n, noise=0.05, random_state=seed)[0]


def trained(**options):
    return MixtureAutoencoder(hidden=(64, 64), steps=240, random_state=0, **options)


UNIT, ORIGIN = np.array([100.0, 0.01]), np.array([-3000.0, 5.0])
X, NEW = moons() * UNIT + ORIGIN, moons(200, seed=1) * UNIT + ORIGIN


@pytest.fixture(scope="module")
def ten():
    return trained(centers=10, validation_fraction=0).fit(X)


@pytest.fixture(scope="module")
def one():
    return trained(centers=1, validation_fraction=0).fit(X)


def squares(rows, others):
    """Squared distances in standardised columns."""
    return np.square((rows - others) / X.std(0)).sum(-1)


@parametrize_with_checks([tiny()])
def test_scikit_learn(estimator, check):
    check(estimator)


def test_answers_tell_more_than_the_mean_and_than_one_center(ten, one):
    spread = squares(NEW, X.mean(0)).mean()
    means = squares(NEW, ten.inverse_transform(ten.transform(NEW))).mean()
    assert means < 0.6 * spread
    errors = squares(NEW[:, None], ten.reconstruct(NEW, 30))
    best = [errors[:, :n].min(1).mean() for n in (1, 3, 10, 30)]
    assert all(b < 0.8 * a for a, b in pairwise(best))
    assert best[-1] < 0.5 * squares(NEW, one.reconstruct(NEW)[:, 0]).mean()


def test_more_centers_come_nearer_to_the_bound(ten, one):
    ratios = {}
    for model in (ten, one):
        for look in model.bound_history_:
            assert 0 < look.ratio <= 1
        last = model.bound_history_[-1]
        assert model.bound_.gap.item() == pytest.approx(last.gap, abs=1e-9)
        assert last.ratio > model.bound_history_[0].ratio
        ratios[model.centers] = last.ratio
    assert ratios[1] < ratios[10] - 0.1


def test_codes_are_standardised_and_answers_are_the_networks(ten):
    y = ten.transform(X)
    assert y.shape == (300, 1)
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=0.1)
    q = ten.predict_dist(X)
    assert isinstance(q, GaussianMixture)
    np.testing.assert_allclose(q.mean.numpy(), ten.inverse_transform(y), rtol=1e-12)
    centers = q.loc.numpy()
    drawn = ten.reconstruct(X, 400)
    same = (drawn[:, :, None] == centers[:, None]).all(-1)
    assert same.any(-1).all()  # every answer is one of the row's centers
    w = q.log_weights.exp().numpy()
    np.testing.assert_allclose(same.mean(1), w, atol=5 * 0.5 / 400**0.5)
    np.testing.assert_array_equal(drawn, ten.reconstruct(X, 400))  # random_state is an int


def test_scores_are_the_density_given_the_code(ten):
    q = ten.predict_dist(NEW[:20])
    sd = ten.variance_**0.5 * ten.scale_
    parts = stats.norm.logpdf(NEW[:20, None], q.loc.numpy(), sd).sum(-1)
    by_hand = logsumexp(parts + q.log_weights.numpy(), axis=-1)
    np.testing.assert_allclose(ten.score_samples(NEW[:20]), by_hand, rtol=1e-9)
    assert ten.score(NEW) == pytest.approx(ten.score_samples(NEW).mean(), abs=1e-12)
    a, b = (np.linspace(c.mean() - 6 * c.std(), c.mean() + 6 * c.std(), 241) for c in X.T)
    points = torch.as_tensor(np.stack(np.meshgrid(a, b, indexing="ij"), -1))
    density = ten.predict_dist(NEW[:1]).log_prob(points.unsqueeze(2)).exp().squeeze(-1).numpy()
    assert np.trapezoid(np.trapezoid(density, b), a) == pytest.approx(1, abs=1e-4)


def test_no_other_variance_makes_the_rows_more_likely(ten):
    other = copy.copy(ten)  # fitted without rows held back: the training rows decide
    for factor in (0.5, 0.95, 1.05, 2.0):
        other.variance_ = factor * ten.variance_
        assert other.score(X) < ten.score(X)


def test_samples_are_like_the_data(ten):
    drawn, fresh = ten.sample(300), moons(300, seed=2) * UNIT + ORIGIN

    def apart(a, b):
        """Energy distance of two samples."""
        a, b = (rows / X.std(0) for rows in (a, b))
        return 2 * cdist(a, b).mean() - cdist(a, a).mean() - cdist(b, b).mean()

    rng = np.random.default_rng(0)
    shuffled = np.column_stack([rng.permutation(c) for c in fresh.T])
    assert apart(drawn, fresh) < 0.5 * apart(shuffled, fresh)
    assert (cdist(drawn / X.std(0), X / X.std(0)).min(1) < 0.3).mean() > 0.9
    y = ten.transform(X)
    total = ten.code_density_.covariance_matrix.item()
    assert total > y.var() + ten.code_variance  # codes with their noise, and what lies between them
    assert total == pytest.approx(y.var() + ten.code_variance, rel=0.1)


@pytest.mark.parametrize("cost", ["trace", "nuclear_norm", "likelihood", "squared_error"])
def test_other_costs(cost):
    model = trained(centers=4, cost=cost, variance=2.1, batch_size=64).set_params(steps=80).fit(X)  # never annealed
    assert model.plan_.cost == cost
    assert np.mean(model.history_.loss[-3:]) < model.history_.loss[0]
    assert model.bound_.gap > 0


def test_noise_makes_as_many_centers_as_are_asked_for():
    model = tiny(noise_features=2).fit(X)
    answers = model.reconstruct(X[:4], 50)
    assert len(np.unique(answers.reshape(-1, 2), axis=0)) == 200
    assert model.predict_dist(X[:4]).components == 3
    np.testing.assert_array_equal(answers, model.reconstruct(X[:4], 50))
    assert np.isfinite(model.score_samples(X)).all()


def test_units_of_the_columns_do_not_matter():
    scale, shift = np.array([1024.0, 2.0**-20]), np.array([4096.0, 0.0])
    Z = moons()
    model, other = tiny().fit(Z), tiny().fit(Z * scale + shift)
    np.testing.assert_allclose(other.transform(Z * scale + shift), model.transform(Z), atol=1e-3)
    np.testing.assert_allclose((other.sample(50) - shift) / scale, model.sample(50), atol=1e-3)
    lost = np.log(scale).sum()
    np.testing.assert_allclose(other.score_samples(Z * scale + shift), model.score_samples(Z) - lost, atol=2e-2)
    together = tiny(standardize=False).fit(Z)
    np.testing.assert_allclose(together.scale_, np.sqrt(Z.var(0).mean()))
    np.testing.assert_allclose(tiny(standardize=False).fit(7 * Z).transform(7 * Z), together.transform(Z), atol=1e-3)


def pictures(n=60):
    """Bright squares on 8 x 8 pixels, whole numbers from 0 to 255."""
    rng = np.random.default_rng(0)
    images = np.zeros((n, 1, 8, 8), dtype=np.uint8)
    for image, (a, b), tone in zip(images, rng.integers(0, 5, (n, 2)), rng.integers(50, 256, n), strict=True):
        image[0, a : a + 4, b : b + 4] = tone
    images[0, 0, 0, 0] = 255
    return images


def test_images_in_other_units_are_told_and_come_back_in_theirs():
    images = pictures()
    model = tiny(image_shape=(1, 8, 8), hidden=(16, 4))
    with pytest.warns(UserWarning, match="pixels reach 255: they were divided by it"):
        whole = clone(model).fit(images)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        share = clone(model).fit(images.reshape(-1, 64) / 255)
    np.testing.assert_allclose(whole.transform(images), share.transform(images / 255), atol=1e-5)
    np.testing.assert_allclose(whole.reconstruct(images, 3), 255 * share.reconstruct(images / 255, 3), atol=0.01)
    np.testing.assert_allclose(whole.sample(9), 255 * share.sample(9), atol=0.01)
    lost = 64 * np.log(255)
    np.testing.assert_allclose(whole.score(images), share.score(images / 255) - lost, atol=0.1)
    assert whole.sample(30).min() >= 0
    assert whole.sample(30).max() <= 255


@pytest.mark.parametrize("options", [{}, {"noise_features": 1, "code_features": 2}, {"image_shape": (1, 8, 8)}])
@pytest.mark.filterwarnings("ignore:pixels reach")
def test_a_saved_and_a_pickled_model_are_the_same(options, tmp_path):
    data = pictures().reshape(-1, 64) if "image_shape" in options else X
    model = tiny(**options).set_params(hidden=(16, 4)).fit(data)
    model.save(tmp_path / "model")
    joblib.dump(model, tmp_path / "pickle")
    for again in (MixtureAutoencoder.load(tmp_path / "model"), joblib.load(tmp_path / "pickle")):
        for method in ("transform", "score_samples", "reconstruct"):
            np.testing.assert_array_equal(getattr(again, method)(data), getattr(model, method)(data))
        np.testing.assert_array_equal(again.sample(9), model.sample(9))
        assert again.get_params() == model.get_params()
        assert again.bound_history_ == model.bound_history_
        assert again.history_ == model.history_
        assert again.plan_ == model.plan_
        assert torch.equal(again.bound_.gap, model.bound_.gap)
        np.testing.assert_array_equal(again.fit(data).transform(data), model.transform(data))


def test_other_files_and_commands_are_refused(ten, tmp_path, capsys):
    path = tmp_path / "model"
    ten.save(path)
    with pytest.raises(ValueError, match="it holds a MixtureAutoencoder"):
        MixtureDensityEstimator.load(path)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    for command in (["sample", str(path)], ["predict", str(path), str(tmp_path / "t.csv")]):
        assert main(command) == 2
        assert "holds an autoencoder: use MixtureAutoencoder.load in Python" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match=str(path)):
        MixtureAutoencoder.load(path)
    with pytest.raises(ValueError, match="not fitted"):
        tiny().save(path)


def test_a_killed_run_goes_on(tmp_path, monkeypatch):
    from mixtura.training import checkpoint, coding

    model = tiny(steps=40, batch_size=64)
    whole = clone(model).fit(X)
    monkeypatch.setattr(checkpoint, "_SECONDS", 0)
    fit, path = coding.fit, tmp_path / "run"

    def interrupted(*args, on_epoch, **options):
        def stop(epoch):
            if epoch.epoch == 5:
                raise KeyboardInterrupt

        assert on_epoch is None
        return fit(*args, on_epoch=stop, **options)

    with monkeypatch.context() as patch:
        patch.setattr(coding, "fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            clone(model).set_params(checkpoint=path).fit(X)
    assert path.exists()
    resumed = clone(model).set_params(checkpoint=path).fit(X)
    assert resumed.history_.loss == whole.history_.loss
    np.testing.assert_array_equal(resumed.score_samples(X), whole.score_samples(X))
    np.testing.assert_array_equal(resumed.sample(9), whole.sample(9))
    assert torch.equal(resumed.bound_.gap, whole.bound_.gap)
    assert resumed.bound_history_ == whole.bound_history_
    assert not path.exists()


def test_in_the_tools_of_scikit_learn():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=["height", "width"])
    model = tiny(code_features=2).fit(table)
    assert list(model.get_feature_names_out()) == ["mixtureautoencoder0", "mixtureautoencoder1"]
    framed = model.set_output(transform="pandas").transform(table)
    assert list(framed.columns) == list(model.get_feature_names_out())
    same = tiny(code_features=2).fit(X).transform(X)
    np.testing.assert_allclose(framed.to_numpy(), same, atol=1e-9)  # columns of a table lie otherwise in memory
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(table.rename(columns={"width": "depth"}))
    piped = make_pipeline(StandardScaler(), tiny(), LinearRegression()).fit(X, X[:, 0])
    assert np.isfinite(piped.predict(NEW)).all()


def test_global_state_is_untouched_and_the_seed_decides():
    before = global_state()
    first, again, other = (tiny(random_state=s).fit(X) for s in (1, 1, 2))
    drawn = first.sample(5)
    first.reconstruct(X, 2)
    assert global_state() == before
    np.testing.assert_array_equal(drawn, again.sample(5))
    np.testing.assert_array_equal(first.transform(X), again.transform(X))
    assert (drawn != other.sample(5)).any()


def test_odd_rows():
    rng = np.random.default_rng(0)
    doubled = np.vstack([X] * 2)
    constant = np.column_stack([X, np.full(300, 7.0)])
    integers = rng.integers(0, 3, (200, 2)).astype(float)
    wild = np.column_stack([moons() * 1e150, moons() * 1e-150])
    for rows in (doubled, constant, integers, wild, X[:4], X[:, :1]):
        model = tiny().fit(rows)
        assert np.isfinite(model.score_samples(rows)).all()
        assert np.isfinite(model.sample(9)).all()


@pytest.mark.parametrize(
    ("options", "rows", "message"),
    [
        ({}, np.where(np.arange(300)[:, None] == 7, np.nan, X), "Input X contains NaN"),
        ({}, np.full((40, 2), 3.5), "not all the same"),
        ({}, X[:1], "minimum of 4 is required"),
        ({"code_features": 3}, X, "the code is wider than the data: code_features = 3, in_features = 2"),
        ({"code_features": 0}, X, "code_features and centers must be positive"),
        ({"centers": 0}, X, "code_features and centers must be positive"),
        ({"cost": "scalar"}, X, "cost must be one of conditional"),
        ({"variance": 0}, X, "variance must be 'auto' or positive"),
        ({"code_variance": 0}, X, "code_variance must be positive"),
        ({"batch_size": 1}, X, "batch_size must be > 1"),
        ({"steps": 0}, X, "steps and learning_rate must be positive"),
        ({"validation_fraction": 1.0}, X, "validation_fraction"),
        ({"hidden": ()}, X, "hidden"),
        ({"standardize": "robust"}, X, "standardize must be True, False or 'auto'"),
        ({"image_shape": (1, 7, 9)}, np.zeros((9, 63)) + np.eye(9, 63), "multiples of 4.*pad the images"),
        ({"image_shape": (1, 8, 8)}, np.eye(9, 63), r"images of shape \(1, 8, 8\) have 64 values, but X has 63"),
        ({"image_shape": (1, 8, 8)}, -np.eye(9, 64), "pixels must not be negative, got -1"),
        ({"image_shape": (1, 8, 8), "standardize": True}, np.eye(9, 64), "pixels share a unit"),
        ({"image_shape": (8, 8)}, np.eye(9, 64), r"\(C, H, W\)"),
    ],
)
def test_bad_input_is_a_sentence(options, rows, message):
    with pytest.raises(ValueError, match=message):
        tiny(**({"hidden": (8, 4)} | options)).fit(rows)


def test_bad_input_afterwards(ten):
    for method in (ten.transform, ten.score_samples, ten.reconstruct, ten.predict_dist):
        with pytest.raises(ValueError, match="expecting 2 features"):
            method(X[:, :1])
    with pytest.raises(ValueError, match="codes must have 1 columns, got 2"):
        ten.inverse_transform(X)
    for call in (ten.sample, lambda n: ten.reconstruct(X, n)):
        with pytest.raises(ValueError, match="n must be positive, got 0"):
            call(0)
