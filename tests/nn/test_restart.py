"""A component that is started afresh is where it is told to be, whatever x is; the others stay what they were."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mixtura.nn import MDN, MixtureHead
from mixtura.nn.restart import restart
from tests.helpers import HEAD_KINDS, assert_close

KINDS = [*HEAD_KINDS, {"covariance": "full", "min_weight": 0.05}]
E, K, T = 2, 4, 3
CHOSEN = torch.tensor([[False, True, False, True], [False, False, False, False]])
LOC = torch.arange(E * K * T, dtype=torch.float64).reshape(E, K, T)
SCALE = torch.tensor([[0.5, 0.7, 0.9], [3.0, 3.0, 3.0]], dtype=torch.float64)


def _head(components: Any = K, **kind: Any) -> tuple[MixtureHead, Tensor]:
    torch.manual_seed(0)
    head = MixtureHead(6, T, components, members=E, min_scale=0.1, **kind).double()
    with torch.no_grad():
        head.linear.weight.mul_(10)
        head.linear.bias[..., :K].normal_()
    return head, torch.randn(E, 30, 6, dtype=torch.float64)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
def test_every_family_and_covariance(kind: dict[str, Any]) -> None:
    head, h = _head(**kind)
    before, before_scales = head(h), head.scales(h)
    mask = restart(head, h, CHOSEN, LOC, SCALE)
    after, scales = head(h), head.scales(h)
    assert_close(after.loc[0][:, [1, 3]], LOC[0, [1, 3]].expand(30, 2, T), 1e-12)
    expected = SCALE[0] if scales.shape[-1] > 1 else SCALE[0].square().mean().sqrt().expand(1)
    assert_close(scales[0][:, [1, 3]], expected.expand(30, 2, -1), 1e-9)
    assert torch.equal(after.loc[0][:, [0, 2]], before.loc[0][:, [0, 2]])
    assert torch.equal(scales[0][:, [0, 2]], before_scales[0][:, [0, 2]])
    left, were = after.log_weights[0][:, [0, 2]], before.log_weights[0][:, [0, 2]]
    if not head.min_weight:  # the others share what is left as before
        assert_close(left[:, 0] - left[:, 1], were[:, 0] - were[:, 1], 1e-9, 1.0)
    assert torch.equal(after.log_prob(h[..., :T])[1], before.log_prob(h[..., :T])[1])  # nothing chosen: nothing done
    assert mask.shape == head.linear.bias.shape
    assert not mask[1].any()
    assert mask[0].double().mean() == 0.5


def test_weight_is_an_even_share_where_logits_do_not_depend_on_x_and_near_it_elsewhere() -> None:
    head, h = _head()
    with torch.no_grad():
        head.linear.weight[:, :K] = 0.0
    restart(head, h, CHOSEN, LOC, SCALE)
    assert_close(head(h).weights[0][:, [1, 3]], torch.full((30, 2), 1 / K), 1e-9)
    head, h = _head()
    restart(head, h, CHOSEN, LOC, SCALE)
    assert_close(head(h).weights[0][:, [1, 3]].log().mean(0), torch.full((2,), 1 / K).log(), 0.2)


def test_components_that_a_network_lacks_take_no_share() -> None:
    head, h = _head(components=[3, 4])
    chosen = torch.tensor([[False, True, False, False], [False, True, False, False]])
    with torch.no_grad():
        head.linear.weight[:, :K] = 0.0
        head.linear.bias[:, 3] = 50.0  # what the first network lacks
        head.linear.bias[1, 3] = 0.0
    restart(head, h, chosen, LOC, SCALE)
    assert_close(head(h).weights[:, 0, 1], [1 / 3, 1 / 4], 1e-9)


def test_factor_of_a_low_rank_covariance_is_not_zero() -> None:
    head, h = _head(covariance="low_rank")
    with torch.no_grad():
        head._part(3).zero_()
    restart(head, h, CHOSEN, LOC, SCALE)
    factor = head._raw(h)[3][0, 0].unflatten(-1, (K, T, -1))
    assert bool((factor[[1, 3]] != 0).all())
    assert bool((factor[1] != factor[3]).all())


def test_scales_are_those_of_the_mixture() -> None:
    mdn = MDN(2, T, 3, hidden=(4,), family="laplace", separate=True, members=E).double()
    x = torch.randn(E, 5, 2, dtype=torch.float64)
    q: Any = mdn(x)
    head: Any = mdn.head
    assert_close(head.scales(mdn.features(x)), q.scale, 1e-12)
