"""The regressor with every family and with atoms, against quadrature, exact truths and fresh rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import expit

from mixtura import AtomMixture, MixtureDensityRegressor
from mixtura.estimators.predictions import quantiles, variances

SMALL: dict[str, Any] = {"components": 3, "hidden": (16,), "epochs": 20, "ensemble": 2, "random_state": 0}
TURN = 2 * np.pi


def small(**options: Any) -> MixtureDensityRegressor:
    return MixtureDensityRegressor(**(SMALL | options))


def lines(n: int, seed: int) -> tuple[Any, Any]:
    """Return x and two targets in units far apart."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 2))
    sign = np.where(rng.random(n) < 0.5, 1, -1)
    first = 100 * (sign * X[:, 0] + 0.1 * rng.standard_normal(n))
    return X, np.column_stack([first, 5 + 0.01 * (X[:, 1] + 0.2 * rng.standard_normal(n))])


def rain(n: int, seed: int) -> tuple[Any, Any, Any]:
    """Return x, an amount that is zero with the probability given, else lognormal, and that probability."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 1))
    dry = expit(0.5 + 2 * X[:, 0])
    wet = np.exp(1 + X[:, 0] + 0.3 * rng.standard_normal(n))
    return X, np.where(rng.random(n) < dry, 0.0, wet), dry


def angles(n: int, seed: int) -> tuple[Any, Any]:
    """Return x and an angle around π + x, in [-π, π): on both sides of the cut."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 1))
    return X, (X[:, 0] + rng.vonmises(0, 25, n)) % TURN - np.pi


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    X, y = lines(400, 0)
    fitted = {f: (small(family=f).fit(X, y[:, 0]), X, y[:, 0]) for f in ("gaussian", "laplace", "cauchy")}
    fitted |= {f"{f}, two targets": (small(family=f).fit(X, y), X, y) for f in ("gaussian", "laplace", "cauchy")}
    for c in ("isotropic", "low_rank"):
        fitted[c] = (small(covariance=c).fit(X, y), X, y)
    fitted["conditional"] = (small(loss="conditional").fit(X, y[:, 0]), X, y[:, 0])
    X, y = angles(400, 0)
    fitted["vonmises"] = (small(family="vonmises").fit(X, y), X, y)
    X, amount, _ = rain(1000, 0)
    fitted |= {f"{f}, atoms": (small(family=f, atoms=[0.0]).fit(X, amount), X, amount) for f in ("gaussian", "laplace")}
    both = np.column_stack([amount, np.where(amount == 0, -1.0, 100 * X[:, 0])])
    fitted["two targets, atoms"] = (small(atoms=[[0.0, -1.0]]).fit(X, both), X, both)
    return fitted


NAMES = [
    "gaussian",
    "laplace",
    "cauchy",
    "gaussian, two targets",
    "laplace, two targets",
    "cauchy, two targets",
    "isotropic",
    "low_rank",
    "conditional",
    "vonmises",
    "gaussian, atoms",
    "laplace, atoms",
    "two targets, atoms",
]
ATOMS = [name for name in NAMES if "atoms" in name]
ONE = [n for n in NAMES if "two" not in n and n not in ("isotropic", "low_rank")]


@pytest.mark.parametrize("name", ONE)
def test_density_and_masses_sum_to_one_in_target_units(name: str, models: dict[str, Any]) -> None:
    model, X, y = models[name]
    q = model.predict_dist(X[:5])
    mass = torch.zeros(5)
    if isinstance(q, AtomMixture):
        mass = q.log_prob(torch.zeros(5)).exp()
        assert float(mass.min()) > 0.05
    # x = middle + unit * sinh(t) reaches the tails of a Cauchy distribution.
    t = torch.linspace(-20, 20, 40_001, dtype=torch.float64) + 1e-9
    middle, unit = float(np.median(y)), float(y.std())
    x, slope = middle + unit * t.sinh(), unit * t.cosh()
    if name == "vonmises":
        x, slope = torch.linspace(-np.pi, np.pi, 40_001, dtype=torch.float64), torch.full((40_001,), TURN / 40)
    density = q.log_prob(x.unsqueeze(-1).expand(-1, 5)).exp() * slope.unsqueeze(-1)
    np.testing.assert_allclose(mass + density.sum(0) / 1000 - density[[0, -1]].mean(0) / 1000, 1, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_log_prob_is_the_distributions(name: str, models: dict[str, Any]) -> None:
    model, X, y = models[name]
    np.testing.assert_array_equal(model.log_prob(X, y), model.predict_dist(X).log_prob(torch.as_tensor(y)).numpy())
    fresh = {"vonmises": angles}.get(name)
    if fresh is not None:  # of fresh rows against the density that made them
        X, y = fresh(2000, 1)
        truth = stats.vonmises(25).logpdf(y + np.pi - X[:, 0]).mean()
        assert truth - 0.3 < model.score(X, y) < truth + 0.05


@pytest.mark.parametrize("name", ATOMS)
def test_an_atom_has_the_log_of_its_mass(name: str, models: dict[str, Any]) -> None:
    model, X, y = models[name]
    atom = y.reshape(len(y), -1)[:, 0] == 0
    assert 0.5 < atom.mean() < 0.7
    log_prob, q = model.log_prob(X, y), model.predict_dist(X)
    mass = q.log_weights[:, :-1].logsumexp(-1).numpy()
    np.testing.assert_array_equal(log_prob[atom], mass[atom])
    beside = np.nextafter(y, np.inf)
    density = (q.log_weights[:, -1] + q.continuous.log_prob(torch.as_tensor(beside))).numpy()
    np.testing.assert_allclose(model.log_prob(X, beside), density, rtol=1e-12)
    X, _, dry = rain(2000, 1)
    assert np.abs(model.predict_dist(X).log_weights[:, :-1].exp().sum(-1).numpy() - dry).mean() < 0.06


def test_rain_reaches_the_likelihood_of_the_truth(models: dict[str, Any]) -> None:
    model, _, _ = models["gaussian, atoms"]
    X, y, dry = rain(4000, 2)
    with np.errstate(divide="ignore"):
        wet = np.log1p(-dry) + stats.lognorm(0.3, scale=np.exp(1 + X[:, 0])).logpdf(y)
    truth = np.where(y == 0, np.log(dry), wet).mean()
    assert truth - 0.12 < model.score(X, y) < truth + 0.03


def test_quantiles_of_rain_are_zero_inside_the_mass(models: dict[str, Any]) -> None:
    model, X, _ = models["gaussian, atoms"]
    q = model.predict_dist(X)
    u = np.array([0.02, 0.3, 0.6, 0.9, 0.99])
    x = model.predict_quantiles(X, u)
    inside = q.log_prob(torch.zeros(len(X), dtype=torch.float64)).exp().numpy()
    below = (q.cdf(torch.zeros(len(X), dtype=torch.float64)).numpy() - inside)[:, None]
    np.testing.assert_array_equal((below < u) & (u <= below + inside[:, None]), x == 0)
    got = q.cdf(torch.as_tensor(x.T)).numpy().T
    np.testing.assert_allclose(got[x != 0], np.broadcast_to(u, x.shape)[x != 0], atol=1e-9)
    draws = model.sample(X[:3], 20_000)
    np.testing.assert_allclose((draws == 0).mean(1), inside[:3], atol=4 * 0.5 / 20_000**0.5)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "vonmises"])
def test_quantiles_invert_the_distribution_function(name: str, models: dict[str, Any]) -> None:
    model, X, y = models[name]
    q, u = model.predict_dist(X[:20]), [0.9, 0.99] if "atoms" in name else [0.01, 0.5, 0.99]
    x = torch.as_tensor(np.moveaxis(model.predict_quantiles(X[:20], u), -1, 0))
    level = torch.tensor(u).double().reshape(-1, *(1,) * y.ndim).expand(x.shape)
    off = torch.ones_like(x, dtype=torch.bool) if "atoms" not in name else (x != 0) & (x != -1)
    np.testing.assert_allclose(q.cdf(x)[off], level[off], atol=1e-9)


@pytest.mark.parametrize("name", [n for n in NAMES if "cauchy" not in n and n != "vonmises"])
def test_mean_and_variance_are_those_of_draws(name: str, models: dict[str, Any]) -> None:
    model, X, _ = models[name]
    mean, (aleatoric, epistemic) = model.predict(X[:4]), model.predict_variances(X[:4])
    draws = model.sample(X[:4], 40_000)
    variance = model.predict_dist(X[:4]).variance.numpy()
    np.testing.assert_allclose(aleatoric + epistemic, variance, rtol=1e-10)
    assert (epistemic > 0).all()
    error = np.sqrt(variance / 40_000)
    assert (np.abs(draws.mean(1) - mean) < 5 * error).all()
    np.testing.assert_allclose(draws.var(1), variance, rtol=0.1)


def test_two_parts_of_the_variance_are_those_of_the_members(models: dict[str, Any]) -> None:
    model, X, _ = models["gaussian"]
    members = model.predict_members(X)
    aleatoric, epistemic = model.predict_variances(X)
    np.testing.assert_allclose(aleatoric, (members.variance[0] + members.variance[1]).numpy() / 2, rtol=1e-12)
    np.testing.assert_allclose(epistemic, ((members.mean[0] - members.mean[1]) / 2).square().numpy(), atol=1e-9)
    one = small(ensemble=1, epochs=2).fit(X[:50], X[:50, 0])
    assert (one.predict_variances(X).epistemic == 0).all()


def test_cauchy_predicts_the_median_and_has_no_variance(models: dict[str, Any]) -> None:
    for name in ("cauchy", "cauchy, two targets"):
        model, X, _ = models[name]
        np.testing.assert_array_equal(model.predict(X[:9]), model.predict_quantiles(X[:9], 0.5))
        with pytest.raises(ValueError, match="Cauchy components have no variance: use predict_interval"):
            model.predict_variances(X)


@pytest.mark.parametrize("options", [{"family": "cauchy"}, {"loss": "conditional"}])
def test_wild_values_do_not_spoil_the_rest(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (1000, 1))
    y = X[:, 0] + 0.1 * rng.standard_cauchy(1000)
    y[:3] = [1e5, -2e5, 1e6]
    fresh = rng.uniform(-1, 1, (1000, 1))
    answer = fresh[:, 0] + 0.1 * rng.standard_cauchy(1000)
    model = small(components=2, epochs=20, **options).fit(X, y)
    log_prob, truth = model.log_prob(fresh, answer), stats.cauchy(fresh[:, 0], 0.1).logpdf(answer)
    assert np.median(log_prob) > np.median(truth) - 0.2
    if "family" in options:
        assert truth.mean() - 0.05 < log_prob.mean() < truth.mean() + 0.01


def test_cauchy_learns_several_targets_of_one_unit() -> None:
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (1500, 2))
    radial = rng.standard_normal((1500, 2)) / np.abs(rng.standard_normal((1500, 1)))  # t with one degree of freedom
    y = 3e4 * (X + 0.1 * radial)
    model = small(components=1, family="cauchy", epochs=20).fit(X[:1000], y[:1000])
    truth = stats.multivariate_t(shape=np.eye(2) * (0.1 * 3e4) ** 2, df=1).logpdf(y[1000:] - 3e4 * X[1000:]).mean()
    assert truth - 0.15 < model.score(X[1000:], y[1000:]) < truth + 0.02


def circular(a: Any) -> Any:
    return (a + np.pi) % TURN - np.pi


def test_angles_near_the_cut(models: dict[str, Any]) -> None:
    model, _, _ = models["vonmises"]
    X, y = angles(2000, 1)
    assert np.abs(model.predict(X)).max() <= np.pi
    assert np.abs(circular(model.predict(X) - np.pi - X[:, 0])).max() < 0.2
    low, high = model.predict_interval(X, 0.9).T
    assert (high - low).max() < 2  # an arc around π, not all the rest of the circle; 2 · 1.645 / 5 would be exact
    assert ((y - low) % TURN <= high - low).mean() == pytest.approx(0.9, abs=0.05)
    aleatoric, epistemic = model.predict_variances(X)
    np.testing.assert_allclose(aleatoric + epistemic, model.predict_dist(X).variance.numpy(), rtol=1e-9)
    assert aleatoric.mean() == pytest.approx(1 - 0.98, abs=0.015)  # 1 - I_1(25) / I_0(25)
    whole_turns = model.log_prob(X, y) - model.log_prob(X, y + TURN)
    np.testing.assert_allclose(whole_turns, 0, atol=1e-8)


def test_quantiles_of_angles_are_those_of_a_circle_cut_elsewhere(models: dict[str, Any]) -> None:
    model, X, _ = models["vonmises"]
    q = model.predict_dist(X[:6])
    x = quantiles(q, [0.05, 0.5, 0.95])
    for i in range(6):
        m = float(q.mean[i])
        for j, u in enumerate((0.05, 0.5, 0.95)):
            t = torch.linspace(m - np.pi, x[i, j], 20_001, dtype=torch.float64)
            density = q.log_prob(t.unsqueeze(-1).expand(-1, 6))[:, i].exp()
            assert np.trapezoid(density, t) == pytest.approx(u, abs=1e-7)


@pytest.mark.parametrize("name", [n for n in NAMES if "atoms" not in n])
def test_calibrated_regions_hold_fresh_rows(name: str, models: dict[str, Any], tmp_path: Any) -> None:
    """Fresh rows that are three times wilder: the model is wrong, the regions are right after calibration."""
    model, _, _ = models[name]
    several = "two" in name or name in ("isotropic", "low_rank")  # whose regions are found by drawing
    half = 300 if several else 450
    X, y = angles(2 * half, 3) if name == "vonmises" else lines(2 * half, 3)
    y = y if name == "vonmises" or several else y[:, 0]
    middle = model.predict(X)
    y = middle + (circular(y - middle) if name == "vonmises" else y - middle) * 3
    assert not hasattr(model, "levels_")
    some = 20 if several or name == "vonmises" else half
    inside = model.predict_region(X[:some], 0.8).contains(torch.as_tensor(y[:some])).double().mean()
    assert float(inside) < 0.7
    model.calibrate(X[:half], y[:half])
    region = model.predict_region(X[half:], 0.8)
    held = region.contains(torch.as_tensor(y[half:])).double().mean()
    assert float(held) == pytest.approx(0.8, abs=4 * (2 * 0.16 / half) ** 0.5)
    model.save(tmp_path / "model")
    again = MixtureDensityRegressor.load(tmp_path / "model").predict_region(X[half:], 0.8)
    assert torch.equal(again.log_level, region.log_level)
    del model.levels_


def test_a_new_fit_forgets_the_calibration() -> None:
    X, y = lines(60, 0)
    model = small(epochs=1).fit(X, y[:, 0]).calibrate(X, y[:, 0])
    assert not hasattr(model.fit(X, y[:, 0]), "levels_")


@pytest.mark.parametrize("name", ATOMS)
def test_regions_with_atoms_are_refused(name: str, models: dict[str, Any]) -> None:
    model, X, y = models[name]
    with pytest.raises(ValueError, match="masses at atoms cannot be compared with one: use predict_interval"):
        model.predict_region(X)
    with pytest.raises(ValueError, match="masses at atoms"):
        model.calibrate(X, y)


@pytest.mark.parametrize("name", NAMES)
def test_saved_model_is_the_same_bit_for_bit(name: str, models: dict[str, Any], tmp_path: Any) -> None:
    model, X, y = models[name]
    model.save(tmp_path / "model")
    again = MixtureDensityRegressor.load(tmp_path / "model")
    np.testing.assert_array_equal(again.log_prob(X, y), model.log_prob(X, y))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.predict_quantiles(X[:50]), model.predict_quantiles(X[:50]))
    np.testing.assert_array_equal(again.sample(X[:50], 3), model.sample(X[:50], 3))


def test_numbers_and_arrays_of_numpy_can_be_saved(tmp_path: Any) -> None:
    X, y, _ = rain(100, 0)
    model = small(components=np.int64(2), atoms=np.array([0.0]), min_scale=np.float32(0.25), epochs=2).fit(X, y)
    model.save(tmp_path / "model")
    again = MixtureDensityRegressor.load(tmp_path / "model")
    np.testing.assert_array_equal(again.log_prob(X, y), model.log_prob(X, y))
    assert (again.components, again.atoms, again.min_scale) == (2, [0.0], 0.25)


def test_members_of_another_family_are_asked_for_their_own_variance() -> None:
    from mixtura import CauchyMixture

    with pytest.raises(ValueError, match="no variance"):
        variances(CauchyMixture(torch.zeros(2, 3, 1), torch.zeros(2, 3, 1), 1.0, event_dim=0))
