"""Components that explain nothing come back where they are needed, and nothing else changes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mixtura.nn import MDN
from mixtura.nn.heads import Family
from mixtura.training import (
    Epoch,
    Folds,
    History,
    RegressionLoss,
    RegressionPlan,
    checkpoint,
    component_health,
    fit_networks,
    isolated_seed,
    regression,
)
from mixtura.training.health import mixture_head
from mixtura.training.revival import revival, revive
from tests.helpers import HEAD_KINDS, assert_close


def _data(n: int = 200, seed: int = 0) -> list[Tensor]:
    """Two targets on three branches of one input."""
    g = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(n, 1, generator=g) - 1
    branch = torch.randint(3, (n, 1), generator=g) - 1.0
    y = torch.cat([branch + 0.3 * x, branch * x], -1) + 0.1 * torch.randn(n, 2, generator=g)
    return [x, y, torch.ones(n)]


def _network(y: Tensor, kill: str | None = "logit", **settings: Any) -> MDN:
    """Two networks of three components; the last component of the first is killed."""
    with isolated_seed(0):
        mdn = MDN(1, 2, **{"components": 3, "hidden": (16,), "members": 2} | settings)
    mdn.head.initialize(y)
    head = mixture_head(mdn)
    with torch.no_grad():
        if kill == "logit":
            head._part(0)[0, 2] -= 40.0
        elif kill == "location":
            head._part(1)[0, 4:] = 1e3
    return mdn


def _fit(
    mdn: nn.Module, data: Sequence[Tensor], epochs: int = 16, loss: RegressionLoss = "likelihood", **options: Any
) -> History:
    plan = RegressionPlan(loss, epochs, 32, 5e-3, 1e-2, None, 0.0, 0.0, 0.0)
    with isolated_seed(1):
        folds = Folds.draw(len(data[0]), 2, 0.2)
    return fit_networks(mdn, data, folds, plan, seed=2, **options)


def _nll(mdn: MDN, data: Sequence[Tensor]) -> float:
    with torch.no_grad():
        return -mdn(data[0].expand(2, -1, -1)).log_prob(data[1])[0].mean().item()


@pytest.mark.parametrize(
    ("kill", "kind"),
    # No place is so far that Cauchy components do not find back from it, nor is any on a circle.
    [("logit", kind) for kind in HEAD_KINDS] + [("location", kind) for kind in (HEAD_KINDS[2], HEAD_KINDS[4])],
    ids=lambda value: value if isinstance(value, str) else next(iter(value.values())),
)
def test_killed_component_lives_again_and_the_likelihood_is_better(
    kill: str, kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, test = _data(), _data(seed=1)
    with_revival = _network(data[1], kill, **kind)
    history = _fit(with_revival, data)
    assert not component_health(with_revival, data).dead.any()
    assert history.revived >= 1
    assert all(e.revived == 0 for e in history.epochs[8:])
    monkeypatch.setattr(regression, "revival", lambda *_: None)
    without = _network(data[1], kill, **kind)
    assert _fit(without, data).revived == 0
    assert component_health(without, data).dead.tolist() == [[False, False, True], [False] * 3]
    assert _nll(with_revival, test) < _nll(without, test) - 0.05  # nats: three branches, and two components


def test_networks_without_a_dead_component_train_as_if_nobody_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = _data()
    looked = _network(data[1], None)
    history = _fit(looked, data, epochs=4)
    monkeypatch.setattr(regression, "revival", lambda *_: None)
    other = _network(data[1], None)
    assert _fit(other, data, epochs=4) == history
    assert all(torch.equal(a, b) for a, b in zip(looked.parameters(), other.parameters(), strict=True))


def test_conditional_cost_revives_nothing() -> None:
    data = _data()
    mdn = _network(data[1])
    assert _fit(mdn, data, epochs=8, loss="conditional").revived == 0
    assert component_health(mdn, data).dead[0, 2]


def _stepped(mdn: MDN, data: Sequence[Tensor]) -> torch.optim.Optimizer:
    """An optimiser that remembers something of every parameter."""
    optimizer = torch.optim.AdamW(mdn.parameters(), lr=0.0, weight_decay=0.0)
    mdn(data[0]).log_prob(data[1]).mean().backward()
    optimizer.step()
    for state in optimizer.state.values():
        state["exp_avg"].fill_(1.0)
        state["exp_avg_sq"].fill_(2.0)
    return optimizer


@pytest.mark.parametrize("atoms", [False, True], ids=["density", "atoms"])
def test_one_revival_step_by_step(atoms: bool) -> None:
    """Two dead components of the second network: where they start, what is forgotten, and what stays."""
    x, y, _ = _data(200)
    y[:40] = 0.25  # an atom, or the only repeated value
    data = [t.expand(2, *t.shape) for t in (x, y, torch.linspace(0.5, 1.5, 200))]
    mdn = _network(y, None, components=5, atoms=torch.full((1, 2), 0.25) if atoms else None)
    head = mixture_head(mdn)
    with torch.no_grad():
        head._part(0)[1, [0, 3]] -= 40.0
        average = copy.deepcopy(mdn)
        for p in average.parameters():
            p.add_(0.1)
    optimizer = _stepped(mdn, data)
    before, old_average = copy.deepcopy(mdn), copy.deepcopy(average)
    with torch.no_grad():
        q = before.eval()(data[0])
        log_prob = (q.continuous if atoms else q).log_prob(data[1])[1]
    if atoms:
        log_prob[:40] = torch.inf
    with isolated_seed(0):
        assert revive(mdn, average, optimizer, data) == 2
    assert mdn.training
    rows = 160 if atoms else 200
    worst = y[log_prob.argsort()[: rows // 10]]
    loc = head(mdn.eval().features(data[0])).loc[1, 0, [0, 3]].detach()
    usual = y[40:] if atoms else y
    weight = torch.linspace(0.5, 1.5, 200)[-len(usual) :, None]
    mean = (weight * usual).sum(0) / weight.sum()
    scale = ((weight * (usual - mean) ** 2).sum(0) / weight.sum()).sqrt() / 5 ** (1 / 3)
    nearest = ((loc.unsqueeze(1) - worst) / scale).norm(dim=-1)
    assert nearest.amin(1).amax() < 0.6  # a tenth of a scale beside a row
    assert nearest.argmin(1).unique().numel() == 2  # not the same row
    assert_close(head.scales(mdn.features(data[0]))[1, 0, [0, 3]], scale.expand(2, 2), 1e-4)
    for name, p in head.linear.named_parameters():
        own = p[1].detach() != dict(mixture_head(before).linear.named_parameters())[name][1]
        outputs = own.nonzero()[:, 0].unique()
        assert len(outputs) <= 2 * (1 + 2 + 2 + 1)  # weight, location, scales, dependence of two components
        a = dict(mixture_head(average).linear.named_parameters())[name]
        old = dict(mixture_head(old_average).linear.named_parameters())[name]
        assert torch.equal(a[1][outputs], p[1][outputs])
        for kind, value in (("exp_avg", 1.0), ("exp_avg_sq", 2.0)):
            moment = optimizer.state[p][kind]
            assert (moment[1][outputs] == 0).all()
            assert int((moment == 0).flatten(2).any(-1).sum() if p.dim() > 2 else (moment == 0).sum()) == 12
            assert (moment[0] == value).all()
        kept = torch.ones(p.shape[1], dtype=torch.bool)
        kept[(optimizer.state[p]["exp_avg"][1] == 0).reshape(p.shape[1], -1).any(-1)] = False
        assert torch.equal(a[1][kept], old[1][kept])
        assert torch.equal(a[0], old[0])
        assert torch.equal(p[0], dict(mixture_head(before).linear.named_parameters())[name][0])
    for (name, p), q in zip(mdn.trunks.named_parameters(), before.trunks.parameters(), strict=True):
        assert torch.equal(p, q), name


def test_nothing_is_drawn_and_changed_where_nothing_is_dead() -> None:
    x, y, weight = _data(50)
    data = [t.expand(2, *t.shape) for t in (x, y, weight)]
    mdn = _network(y, None, components=[3, 2])  # what a network lacks is not dead
    before, state = copy.deepcopy(mdn), torch.get_rng_state()
    assert revive(mdn, copy.deepcopy(mdn), _stepped(mdn, data), data) == 0
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(mdn.parameters(), before.parameters(), strict=True))


def test_more_dead_components_than_rows() -> None:
    x, y, weight = _data(3)
    data = [t.expand(2, *t.shape) for t in (x, y, weight)]
    mdn = _network(y, None, components=8)
    with torch.no_grad():
        mixture_head(mdn)._part(0)[:, 1:] -= 1e5
    assert revive(mdn, copy.deepcopy(mdn), _stepped(mdn, data), data) == 6
    assert all(bool(torch.isfinite(p).all()) for p in mdn.parameters())


@pytest.mark.parametrize(("epochs", "expected"), [(3, [1]), (10, [1, 2, 3, 4, 5]), (60, list(range(3, 31, 3)))])
def test_it_looks_every_few_epochs_of_the_first_half(
    epochs: int, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr("mixtura.training.revival.revive", lambda *_: 1)
    data = _data(10)
    mdn = _network(data[1], None)
    after_epoch = revival(data, Folds.draw(10, 2, 0.1), epochs)
    optimizer = torch.optim.AdamW(mdn.parameters())
    seen = [e for e in range(1, epochs + 1) if after_epoch(mdn, mdn, optimizer, e)]
    assert seen == expected


class KilledError(Exception):
    pass


@pytest.mark.parametrize("kill_after", [1, 5])
@pytest.mark.parametrize("family", ["gaussian", "laplace"])
def test_run_that_goes_on_from_a_checkpoint_is_the_same_bit_for_bit(
    kill_after: int, family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, path = _data(), tmp_path / "run"
    whole = _network(data[1], family=family)
    history = _fit(whole, data, epochs=8)
    assert history.revived >= 1
    monkeypatch.setattr(checkpoint, "_SECONDS", 0.0)
    original = checkpoint.Checkpoint.save_now_and_then

    def save(self: checkpoint.Checkpoint, *args: Any) -> None:
        original(self, *args)
        epochs: list[Epoch] = args[4]
        if len(epochs) == kill_after:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "save_now_and_then", save)
        with pytest.raises(KilledError):
            _fit(_network(data[1], family=family), data, epochs=8, checkpoint=path)
    resumed = _network(data[1], None, family=family)
    assert _fit(resumed, data, epochs=8, checkpoint=path) == history
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
