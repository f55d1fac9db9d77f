"""The mixture decoder: what its centers depend on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from mixtura.nn import MixtureDecoder
from mixtura.training import isolated_seed


def decoder(*args: Any, **kwargs: Any) -> MixtureDecoder:
    with isolated_seed(0):
        return MixtureDecoder(*args, **kwargs).eval()


CODES = torch.linspace(-1, 1, 6).unsqueeze(-1)


def test_one_center_without_noise_is_a_plain_decoder() -> None:
    model = decoder(1, 3, centers=1, hidden=(8,))
    plain = nn.Sequential(*model.trunk, model.head)
    mixture = model(CODES)
    torch.testing.assert_close(mixture.loc[:, 0], plain(CODES))
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in plain.parameters())


@pytest.mark.parametrize("shape", [2, (3, 8, 4)])
@pytest.mark.parametrize("noise_features", [0, 2])
def test_every_answer_depends_on_its_code_alone(shape: Any, noise_features: int) -> None:
    model = decoder(1, shape, centers=4, hidden=(8, 6), noise_features=noise_features)
    with isolated_seed(1):
        whole = model(CODES)
    one = CODES.clone().requires_grad_()
    with isolated_seed(1):
        mixture = model(one)
    torch.testing.assert_close(mixture.loc, whole.loc)
    (gradient,) = torch.autograd.grad(mixture.loc[2].square().sum(), one)
    assert gradient[2].abs() > 0
    assert bool((gradient[[0, 1, 3, 4, 5]] == 0).all())
    assert whole.loc.shape == (6, 4, 2 if isinstance(shape, int) else 96)


def test_centers_of_images_are_whole_images() -> None:
    """The last bias belongs to one center and channel: it brightens all of that image's channel and nothing else."""
    model = decoder(1, (3, 8, 4), centers=2, hidden=(8, 6))
    before = model(CODES).loc.reshape(6, 2, 3, 8, 4)
    assert bool(((before > 0) & (before < 1)).all())
    last = [m for m in model.head.modules() if isinstance(m, nn.ConvTranspose2d)][-1]
    assert last.bias is not None
    with torch.no_grad():
        last.bias[4] += 1.0  # center 1, channel 1
    brighter = model(CODES).loc.reshape(6, 2, 3, 8, 4) > before
    assert bool(brighter[:, 1, 1].all())
    assert int(brighter.sum()) == brighter[:, 1, 1].numel()


@pytest.mark.parametrize("shape", [2, (1, 8, 8)])
def test_a_code_is_folded_in_many_places(shape: Any) -> None:
    """Also by a network in training: a normalised first layer would fold all its units at the mean of the codes."""
    model = decoder(1, shape, hidden=(64, 64)).train()
    codes = torch.linspace(-2, 2, 401).unsqueeze(-1)
    first = nn.Sequential(*list(model.trunk)[:2])
    on = first(codes) > 0
    folds = (on[1:] != on[:-1]).any(1)  # between which codes any unit switches
    assert int(folds.sum()) > 20


def test_the_maps_of_a_center_are_its_own() -> None:
    """Behind the features that all share, a gradient of one center's image meets no other's parameters."""
    model = decoder(1, (3, 8, 8), centers=2, hidden=(16, 8))
    first, last = (m for m in model.head.modules() if isinstance(m, nn.ConvTranspose2d))
    model(CODES).loc[:, 1].square().sum().backward()
    assert first.weight.grad is not None
    assert last.weight.grad is not None
    assert first.weight.shape == (8, 4, 4, 4)  # a fourth of the channels each
    for gradient in (first.weight.grad[:, :2], last.weight.grad[:2]):
        assert bool((gradient == 0).all())
    for gradient in (first.weight.grad[:, 2:], last.weight.grad[2:]):
        assert bool((gradient != 0).any())


def test_weights_of_images_are_those_of_a_layer_over_the_root_of_its_width() -> None:
    model = decoder(1, (1, 8, 8), centers=3, hidden=(16, 8))
    assert model.weight_head is not None
    by_hand = torch.log_softmax(model.weight_head(model.trunk(CODES)) / 4, -1)
    torch.testing.assert_close(model(CODES).log_weights, by_hand)


def test_noise_makes_any_number_of_centers_that_differ_and_weigh_alike() -> None:
    model = decoder(1, 2, centers=3, noise_features=2)
    assert model(CODES).components == 3
    with isolated_seed(0):
        many = model(CODES, centers=500)
    torch.testing.assert_close(many.log_weights.exp(), torch.full((6, 500), 1 / 500))
    assert bool((many.loc.var(1) > 0).all())
    with isolated_seed(1):
        again = model(CODES, centers=500)
    error = ((many.loc.var(1) + again.loc.var(1)) / 500).sqrt()
    assert bool(((many.loc.mean(1) - again.loc.mean(1)).abs() < 5 * error).all())  # draws of one distribution


def test_a_class_changes_the_answer_as_a_one_hot_input_does() -> None:
    model = decoder(1, 2, centers=3, classes=4)
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    by_hand = model.head(model.trunk(torch.cat([CODES, torch.eye(4)[labels]], -1))).reshape(6, 3, 2)
    torch.testing.assert_close(model(CODES, labels).loc, by_hand)


def test_variance_is_that_of_all_components() -> None:
    model = decoder(1, 2)
    model.variance = 0.25
    q = model(CODES)
    w = q.log_weights.exp().unsqueeze(-1)
    between = (w * (q.loc - (w * q.loc).sum(1, keepdim=True)).square()).sum(1)
    torch.testing.assert_close(q.variance, between + 0.25)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"centers": 0}, "centers must be positive"),
        ({"code_features": 0}, "code_features and centers must be positive"),
        ({"noise_features": -1}, "noise_features and classes not negative"),
        ({"out_features": (1, 9, 8)}, "multiples of 4"),
        ({"out_features": (1, 8)}, "a number or"),
        ({"hidden": ()}, "at least one width"),
        ({"variance": 0.0}, "variance must be positive"),
    ],
)
def test_wrong_sizes_are_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        decoder(**{"code_features": 1, "out_features": 2} | change)


def test_wrong_calls_are_refused() -> None:
    with pytest.raises(ValueError, match="without noise has 10 centers, got 3"):
        decoder(1, 2)(CODES, centers=3)
    with pytest.raises(ValueError, match="got 0"):
        decoder(1, 2, noise_features=1)(CODES, centers=0)
    with pytest.raises(ValueError, match="has 0 classes, but labels were given"):
        decoder(1, 2)(CODES, torch.zeros(6).long())
    with pytest.raises(ValueError, match="has 2 classes, but no labels were given"):
        decoder(1, 2, classes=2)(CODES)
    for labels in (torch.full((6,), 2), torch.full((6,), -1), torch.zeros(5).long(), torch.zeros(6)):
        with pytest.raises(ValueError, match="whole numbers from 0 to 1, one for each of 6 rows"):
            decoder(1, 2, classes=2)(CODES, labels)
