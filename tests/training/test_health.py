"""What is said about components against densities from scipy, row by row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from mixtura import MixtureDensityRegressor
from mixtura.datasets import inverse_sine
from mixtura.nn import MDN, MixtureHead
from mixtura.training import ComponentHealth, component_health, health, isolated_seed
from tests.helpers import HEAD_KINDS, Array, assert_close

T, K = 2, 3


def _data(n: int = 40) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(n, 2, generator=g), torch.randn(n, T, generator=g)
    return x, y, torch.rand(n, generator=g) + 0.1


def _network(seed: int = 0, members: int | None = 2, **settings: Any) -> MDN:
    """A network whose scales cross 1.1 times their floor of .5 from row to row."""
    with isolated_seed(seed):
        settings = {"components": K, "members": members} | settings
        mdn = MDN(2, T, hidden=(8,), min_scale=0.5, **settings).double()
    head = health.mixture_head(mdn)
    with torch.no_grad():
        head.linear.weight.mul_(30)
        head._part(2).sub_(2.0)
    return mdn


def _log_prob(head: MixtureHead, loc: Array, scale: Array, dependence: Array, y: Array) -> float:
    """Return the log-density of one component from what the head emits for it."""
    if head.family == "laplace":
        return stats.laplace(loc, scale).logpdf(y).sum()
    if head.family == "cauchy":
        return stats.multivariate_t(loc, scale[0] ** 2 * np.eye(T), df=1).logpdf(y)
    if head.family == "vonmises":
        return stats.vonmises(scale**-2.0, loc).logpdf(y).sum()
    S = np.diag(scale**2)
    if head.covariance == "full":
        U = np.array([[1, 0], [dependence[0], 1]]) / scale[:, None]
        S = np.linalg.inv(U.T @ U)
    if head.covariance == "low_rank":
        F = dependence.reshape(T, -1)
        S = S + F @ F.T
    return stats.multivariate_normal(loc, S).logpdf(y)


def _by_hand(mdn: MDN, data: Sequence[Tensor], e: int | None) -> tuple[Array, Array, Array]:
    """Return usage, smallest scale and share at the floor of network e, one row and component after the other."""
    x, y, weight = data
    head, pick = health.mixture_head(mdn), () if e is None else (e, 0)
    one = head.family == "cauchy" or (head.family == "gaussian" and head.covariance == "isotropic")
    sizes = [K, K * T, K if one else K * T]
    own, smallest, resting = np.zeros(K), np.full((K, T), np.inf), np.zeros((K, T))
    for i in range(len(x)):
        with torch.no_grad():
            h = mdn.eval().features(x[i] if e is None else x[i].expand(2, 1, -1))
            assert isinstance(h, Tensor)
            logits, loc, raw_scale, dependence = np.split(head.linear(h)[pick].numpy(), np.cumsum(sizes))
        scale = np.broadcast_to(0.5 + np.log1p(np.exp(raw_scale)).reshape(K, -1), (K, T))
        parts = zip(logits, loc.reshape(K, T), scale, dependence.reshape(K, -1), strict=True)
        logs = [a + _log_prob(head, m, s, b, y[i].numpy()) for a, m, s, b in parts]
        r = weight[i].item() * np.exp(logs - np.logaddexp.reduce(logs))
        own += r
        smallest = np.minimum(smallest, scale)
        resting += r[:, None] * (scale < 1.1 * 0.5)
    return own / weight.sum().item(), smallest, resting / own[:, None]


@pytest.mark.parametrize("kind", HEAD_KINDS, ids=lambda kind: next(iter(kind.values())))
def test_every_family_and_covariance_row_by_row(kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_CHUNK", 7)
    mdn, data = _network(**kind).train(), tuple(t.double() for t in _data())
    units = torch.tensor([10.0, 0.1], dtype=torch.float64)
    found = component_health(mdn, data, scale=units)
    assert mdn.training
    for e in range(2):
        usage, smallest, resting = _by_hand(mdn, data, e)
        assert_close(found.usage[e], usage, 1e-9)
        assert_close(found.smallest_scale[e], smallest * units.numpy(), 1e-9)
        assert_close(found.at_floor[e], resting, 1e-9, 1.0)
        assert 0 < resting.max() < 1
    assert_close(found.floor, [5.0, 0.05], 1e-12)


def test_one_network_alone() -> None:
    mdn, data = _network(members=None), tuple(t.double() for t in _data())
    found = component_health(mdn, data)
    usage, smallest, resting = _by_hand(mdn, data, None)
    assert_close(found.usage[0], usage, 1e-9)
    assert_close(found.smallest_scale[0], smallest, 1e-9)
    assert_close(found.at_floor[0], resting, 1e-9, 1.0)


def test_rows_that_are_atoms_do_not_count() -> None:
    atom = torch.tensor([[0.5, -0.5]])
    mdn, (x, y, weight) = _network(atoms=atom), _data()
    y[::3] = atom
    rest = torch.arange(len(y)) % 3 != 0
    found = component_health(mdn, (x, y, weight))
    usage, _, resting = _by_hand(mdn, tuple(t[rest].double() for t in (x, y, weight)), 1)
    assert_close(found.usage[1], usage, 1e-9)
    assert_close(found.at_floor[1], resting, 1e-9, 1.0)
    with pytest.raises(ValueError, match="every target is an atom"):
        component_health(mdn, (x[::3], y[::3], weight[::3]))
    with pytest.raises(ValueError, match="sum to nothing"):
        component_health(mdn, (x, y, torch.zeros_like(weight)))


def test_many_rows_are_read_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows in order a tenth is read, from the first to the last."""
    mdn, (x, y, weight) = _network(), _data(1001)
    order = x[:, 0].argsort()
    monkeypatch.setattr(health, "_ROWS", 101)
    found = component_health(mdn, (x[order], y[order], weight[order]))
    expected = component_health(mdn, tuple(t[order][::10] for t in (x, y, weight)))
    assert_close(found.usage, expected.usage, 1e-12)


def test_component_that_was_killed_is_dead_and_one_that_a_network_lacks_is_not() -> None:
    mdn, data = _network(components=[3, 2]), _data()
    with torch.no_grad():
        mdn.head.linear.bias[0, 1] -= 60.0
        mdn.head.linear.weight[0, 1] = 0.0
    found = component_health(mdn, data)
    assert found.dead.tolist() == [[False, True, False], [False] * 3]
    assert found.usage[1, 2].isnan()
    assert found.at_floor[1, 2].isnan().all()
    assert_close(found.usage.nansum(1), [1.0, 1.0], 1e-9)
    assert str(found).startswith("1 of 5 components is not used: it explains less than 0.5 % of the rows.")


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_dead_is_a_hundredth_of_an_even_share(factor: float) -> None:
    usage = torch.tensor([[0.01 / 4 * factor, 0.4, 0.4, 0.2 - 0.01 / 4 * factor]])
    zeros = torch.zeros(1, 4, 1)
    found = ComponentHealth(usage, zeros + 1, zeros, torch.ones(1), torch.zeros(1))
    assert found.dead[0].tolist() == [factor < 1, False, False, False]


def test_regressor_reports_in_the_targets_units_and_keeps_its_report(tmp_path: Any) -> None:
    X, t = inverse_sine(300, random_state=0)
    y = (8 * t).round() / 8 * 1000
    model = MixtureDensityRegressor(3, hidden=(8,), ensemble=2, epochs=5, random_state=0).fit(X, y)
    found = model.health_
    assert found.step.tolist() == [125.0]
    assert_close(found.floor, [125 / math.sqrt(12)], 1e-7)  # kept in float32
    mixture: Any = model.predict_members(X)  # (E, n)
    assert_close(found.usage, mixture.responsibilities(torch.as_tensor(y)).mean(1), 1e-5)
    assert_close(found.smallest_scale[..., 0], mixture.covariance.variances(1)[..., 0].sqrt().amin(1), 1e-5)
    assert "lies on a grid of step 125; no component may be narrower than step/√12 = 36.1." in str(found)
    model.save(tmp_path / "model")
    loaded = MixtureDensityRegressor.load(tmp_path / "model").health_
    for name, value in found.state().items():
        assert torch.equal(value, getattr(loaded, name))
    assert str(loaded) == found.advice
