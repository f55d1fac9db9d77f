"""What is chosen for a generator, and that it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import make_moons
from torch import Tensor

from mixtura.costs import nuclear_norm
from mixtura.distributions import GaussianMixture
from mixtura.hilbert import effective_rank
from mixtura.nn import MixtureGenerator
from mixtura.training import checkpoint, fit_generator, isolated_seed, plan_generator
from tests.helpers import global_state


def _moons(n: int = 2000) -> Tensor:
    return torch.as_tensor(make_moons(n, noise=0.05, random_state=0)[0], dtype=torch.float32)


def _noise(n: int, D: int) -> Tensor:
    return torch.randn(n, D, generator=torch.Generator().manual_seed(0))


def _generator(D: int = 2) -> MixtureGenerator:
    with isolated_seed(0):
        return MixtureGenerator(D, hidden=(64, 64))


def test_samples_that_meet_are_a_mixture_and_those_that_do_not_are_a_sample() -> None:
    assert plan_generator(_moons()).reading == "finite"
    high = plan_generator(_noise(1000, 64))
    assert high.reading == "sampled"
    assert high.effective_rank > 0.95
    assert plan_generator(_noise(1000, 64), "matrix_matrix").reading == "finite"  # it has no other
    assert plan_generator(_noise(1000, 64), reading="finite").reading == "finite"


@pytest.mark.parametrize(
    ("reading", "centers", "of", "share"), [("finite", 128, 128, 0.3), ("sampled", 512, 256, 0.68)]
)
def test_the_last_variance_gives_a_batch_the_stated_effective_rank(
    reading: Any, centers: int, of: int, share: float
) -> None:
    x = _moons()
    plan = plan_generator(x, reading=reading)
    assert (plan.batch_size, plan.centers) == (512, centers)
    p = GaussianMixture.from_samples(x[:of].double(), plan.annealing.target)
    assert effective_rank(p).item() / of == pytest.approx(share, abs=0.01)
    assert plan.annealing.start == pytest.approx(float(x.double().var(0).sum()))


def test_a_chosen_variance_is_kept_and_without_annealing_it_is_there_from_the_beginning() -> None:
    assert plan_generator(_moons(), variance=0.01).annealing.target == 0.01
    assert plan_generator(_moons(), variance=0.01, anneal=False).annealing(0.0) == 0.01


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"variance": 0.0}, "variance must be 'auto' or positive"),
        ({"variance": float("nan")}, "variance must be 'auto' or positive"),
        ({"batch_size": 3}, "batch_size must be at least 4"),
        ({"cost": "svd"}, "name must be one of"),
        ({"cost": "matrix_matrix", "reading": "sampled"}, "has no sampled reading"),
        ({"reading": "both"}, "reading must be"),
    ],
)
def test_wrong_settings_are_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        plan_generator(_moons(100), **change)


def test_rows_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(ValueError, match="two different rows"):
        plan_generator(torch.ones(50, 2))


def test_a_generator_learns_the_moons_and_ends_with_the_variance_of_the_plan() -> None:
    x, outside = _moons(), global_state()
    generator, plan = _generator(), plan_generator(x)
    p = GaussianMixture.from_samples(x[:500], plan.annealing.target)

    def gap() -> float:
        with isolated_seed(1), torch.no_grad():
            centers = generator(500).loc
        return nuclear_norm(p, GaussianMixture.from_samples(centers, plan.annealing.target)).gap.item()

    before = gap()
    history = fit_generator(generator, x, plan, steps=600)
    assert generator.variance == pytest.approx(plan.annealing.target)
    assert gap() < 0.5 < before
    assert history.skipped == 0
    assert global_state() == outside


def test_weights_count() -> None:
    x = torch.cat([_noise(300, 2) * 0.1 - 3, _noise(300, 2) * 0.1 + 3])
    weight = torch.cat([torch.full((300,), 1e-6), torch.ones(300)])
    generator = _generator()
    fit_generator(generator, x, plan_generator(x, variance=0.5), weight=weight, steps=200)
    with torch.no_grad():
        assert (generator(400).loc[:, 0] > 0).double().mean() > 0.95


def test_a_killed_run_goes_on_to_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_SECONDS", 0.0)
    x, path = _moons(1024), tmp_path / "run.ckpt"
    plan = plan_generator(x)
    whole, killed, resumed = _generator(), _generator(), _generator()
    fit_generator(whole, x, plan, steps=8)
    saves = 0
    save = checkpoint.Checkpoint.save_now_and_then

    def dies(self: Any, *args: Any) -> None:
        nonlocal saves
        save(self, *args)
        saves += 1
        if saves == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as m:
        m.setattr(checkpoint.Checkpoint, "save_now_and_then", dies)
        with pytest.raises(KeyboardInterrupt):
            fit_generator(killed, x, plan, steps=8, checkpoint=path)
    with pytest.raises(ValueError, match="checkpoint"):
        fit_generator(_generator(), x, plan_generator(x, "scalar"), steps=8, checkpoint=path)
    fit_generator(resumed, x, plan, steps=8, checkpoint=path)
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert not path.exists()
