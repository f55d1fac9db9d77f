"""Which view of the inputs."""

import pytest
import torch
from torch import Tensor

from mixtura.nn import MDN
from mixtura.selection import select_view
from mixtura.training import RegressionPlan

N = 400


def chosen(views: list[Tensor], y: Tensor, weight: Tensor | None = None, seed: int = 0) -> int:
    def build(members: int) -> MDN:
        mdn = MDN(views[0].shape[1], 1, 1, hidden=(16,), members=members)
        mdn.head.initialize(y)
        return mdn

    plan = RegressionPlan("likelihood", 100, 64, 1e-2, 1e-2, None, 0.0, 0.0, 0.0)
    return select_view(build, views, y, torch.ones(N) if weight is None else weight, plan, seed=seed)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_view_that_shows_the_target_wins(position: int):
    torch.manual_seed(0)
    x = torch.rand(N, 1)
    y = (40 * x).sin() + 0.1 * torch.randn(N, 1)
    views = [x, x.square(), x.sqrt()]
    views[position] = (40 * x).sin()
    assert chosen(views, y) == position


def test_short_waves_that_say_nothing_lose():
    torch.manual_seed(1)
    x = torch.randn(N, 3)
    y = x.sum(1, keepdim=True) + 0.3 * torch.randn(N, 1)
    plain, noisy = torch.cat([x, torch.zeros(N, 60)], 1), torch.cat([x, torch.randn(N, 60)], 1)
    assert [chosen([plain, noisy], y, seed=s) for s in range(3)] == [0, 0, 0]
    assert [chosen([noisy, plain], y, seed=s) for s in range(3)] == [1, 1, 1]


def test_weights_decide():
    torch.manual_seed(2)
    x = torch.rand(N, 2)
    waves = (40 * x).sin()
    first = torch.arange(N) < N // 2
    y = torch.where(first, waves[:, 0], waves[:, 1]).unsqueeze(-1) + 0.1 * torch.randn(N, 1)
    views = [torch.stack([first.float(), waves[:, i]], 1) for i in (0, 1)]
    weight = torch.where(first, 1.9, 0.1)
    assert chosen(views, y, weight) == 0
    assert chosen(views, y, 2 - weight) == 1
