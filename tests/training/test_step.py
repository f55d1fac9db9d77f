"""Clipping of networks side by side against each network alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from mixtura.nn import MDN
from mixtura.training import Folds, fit
from mixtura.training.step import clip_gradients
from tests.helpers import assert_close

SHAPES = [(5, 4), (4,), (2, 3)]


def with_gradients(scales: Sequence[float]) -> tuple[list[nn.Parameter], list[Tensor]]:
    """Return parameters of E networks with random gradients, and a copy of these."""
    g = torch.Generator().manual_seed(0)
    parameters = [nn.Parameter(torch.zeros(len(scales), *shape)) for shape in SHAPES]
    for p in parameters:
        p.grad = torch.randn(p.shape, generator=g) * torch.tensor(scales).reshape(-1, *(1,) * (p.dim() - 1))
    return parameters, [p.grad.clone() for p in parameters if p.grad is not None]


def test_each_network_is_clipped_to_norm_one() -> None:
    scales = (1e-3, 1.0, 1e4)
    parameters, before = with_gradients(scales)
    assert clip_gradients(parameters, torch.zeros(3)).tolist() == [True] * 3
    for e in range(3):
        single = [nn.Parameter(p[e].detach().clone()) for p in parameters]
        for p, g in zip(single, before, strict=True):
            p.grad = g[e].clone()
        norm = nn.utils.clip_grad_norm_(single, 1.0)
        assert float(norm) == pytest.approx(math.sqrt(sum(float(g[e].square().sum()) for g in before)), rel=1e-5)
        for p, s in zip(parameters, single, strict=True):
            assert p.grad is not None
            assert s.grad is not None
            assert_close(p.grad[e], s.grad, 1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_what_is_not_finite_stays_in_its_network(bad: float, where: str) -> None:
    parameters, before = with_gradients((1e-3, 1.0, 1e-3))
    value = torch.zeros(3)
    if where == "loss":
        value[1] = bad
    else:
        assert parameters[0].grad is not None
        parameters[0].grad[1, 2, 2] = bad
    assert clip_gradients(parameters, value).tolist() == [True, False, True]
    for p, g in zip(parameters, before, strict=True):
        assert p.grad is not None
        assert torch.equal(p.grad[1], torch.zeros_like(g[1]))
        assert_close(p.grad[[0, 2]], g[[0, 2]], 1e-6)


def test_one_network_is_clipped_as_torch_does() -> None:
    p = nn.Parameter(torch.zeros(3))
    p.grad = torch.tensor([3.0, 0.0, 4.0])
    assert bool(clip_gradients([p], torch.tensor(0.0)))
    assert_close(p.grad, [0.6, 0.0, 0.8], 1e-5)
    assert not bool(clip_gradients([p], torch.tensor(math.nan)))


def test_a_network_beside_one_that_fails_learns_as_it_would_alone() -> None:
    """Where the second network loses steps, the first has the weights of a run in which nothing is lost."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(60, 2, generator=g)
    y = x[:, :1] + 0.1 * torch.randn(60, 1, generator=g)
    folds = Folds(torch.arange(50).expand(2, 50).contiguous(), torch.arange(50, 60).expand(2, 10).contiguous())

    def run(spoilt: float | None) -> dict[str, Tensor]:
        torch.manual_seed(0)
        mdn = MDN(2, 1, 2, (8,), members=2)
        steps = iter(range(10_000))

        def loss(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
            value = -model(batch[0]).log_prob(batch[1]).mean(-1)
            # Every third training step of the second network is lost.
            if spoilt is not None and model.training and next(steps) % 3 == 1:
                value = value * torch.tensor([1.0, spoilt])
            return value

        history = fit(mdn, loss, (x, y), folds=folds, epochs=4, batch_size=10)
        assert history.skipped == (0 if spoilt is None else 7)  # steps 1, 4, ..., 19 of 20
        return mdn.state_dict()

    clean, beside = run(None), run(math.nan)
    for name, value in clean.items():
        assert torch.equal(value[0], beside[name][0]), name
        assert bool(beside[name][1].isfinite().all())
    assert any(not torch.equal(v[1], beside[k][1]) for k, v in clean.items())
