"""Training of the autoencoders of the experiments, and its bookkeeping."""

import torch

from mixtura.experiments.coding import autoencoder_for, learn_code, moons
from mixtura.training import BoundTracker
from tests.helpers import global_state


def test_moons_are_drawn_by_the_seed() -> None:
    a, b, c = moons(200, 0), moons(200, 0), moons(200, 1)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert a.dtype == torch.float32
    half = a[:, 1] > 0.25
    assert abs(a[half, 0].mean() - 0.0) < 0.35  # the upper moon lies around 0, the lower one around 1
    assert abs(a[~half, 0].mean() - 1.0) < 0.35


def test_training_repeats_and_its_last_look_is_at_the_model_that_comes_back() -> None:
    x, before = moons(120, 0), global_state()
    first, second = (learn_code(autoencoder_for(x, centers=3, hidden=(8,), seed=4), x, steps=20, seed=4) for _ in "ab")
    assert global_state() == before
    assert [e.ratio for e in first.history] == [e.ratio for e in second.history]
    tracker = BoundTracker(x, first.variance, draws=100)
    assert tracker(first.model, 0).ratio == first.history[-1].ratio
    assert first.model.variance == first.variance
    assert first.seconds > 0
    assert first.looking > 0


def test_images_and_classes_reach_the_network() -> None:
    x = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(40) % 2
    model = autoencoder_for(x, centers=2, hidden=(8, 4), classes=2)
    start = [p.clone() for p in model.parameters()]
    learn_code(model, x, "squared_error", steps=2, labels=labels, batch_size=20)
    assert model(x[:5], labels[:5]).event_shape == (64,)
    assert all(not torch.equal(a, b) for a, b in zip(start, model.parameters(), strict=True) if a.dim() > 1)
