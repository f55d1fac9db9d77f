"""The watched bound: what it is of, that it is fixed, and that watching changes nothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mixtura.costs import conditional
from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.nn import EncoderMixtureDecoder
from mixtura.training import BoundTracker, TrackedBound, code_bound, isolated_seed
from tests.helpers import assert_close, global_state


def rows(n: int = 60) -> Tensor:
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(0))


def network(**kwargs: int) -> EncoderMixtureDecoder:
    with isolated_seed(0):
        model = EncoderMixtureDecoder(2, centers=4, hidden=(16,), **kwargs)
        model(10 * rows())  # so that the normalisation in evaluation is not that of its start
    return model


def test_it_is_the_bound_of_dense_mixtures_at_codes_with_noise() -> None:
    x, model = rows(), network().eval()
    with torch.no_grad(), isolated_seed(5):
        codes = model.encode(x)
        draws = model.add_noise(codes[torch.randperm(60)[:20]])
        logits = -(draws - codes.T).square().double() / (2 * model.code_variance)
        p = GaussianMixture(logits, x.double().expand(20, 60, 2), Isotropic(0.3))
        q = model.decode(draws)
    truth = conditional(p, GaussianMixture(q.logits, q.loc, Isotropic(0.3)))
    found = code_bound(model, x, 0.3, draws=20, seed=5)
    assert_close(found.log_value, truth.log_value, 1e-6, 1)  # the logits above are differences of float32
    assert_close(found.gap, truth.gap, 1e-6, 1)


@pytest.mark.parametrize("noise_features", [0, 2])
def test_watching_draws_the_same_every_time_and_changes_nothing(noise_features: int) -> None:
    model, x = network(noise_features=noise_features), rows()
    tracker = BoundTracker(x, 0.3, rows=40, draws=30)
    before, state = global_state(), {k: v.clone() for k, v in model.state_dict().items()}
    first, second = tracker(model, 1), tracker(model.eval(), 2)
    assert (first.log_value, first.log_bound) == (second.log_value, second.log_bound)
    assert global_state() == before
    assert all(torch.equal(state[k], v) for k, v in model.state_dict().items())
    assert tracker.history == [first, second]
    model.train()
    tracker(model, 3)
    assert model.training


def test_the_schedule_of_the_kernel_does_not_move_what_is_watched() -> None:
    model, tracker = network(), BoundTracker(rows(), 0.3, draws=30)
    before = tracker(model, 1)
    model.variance = 7.0
    assert tracker(model, 2).log_value == before.log_value


def test_a_few_draws_agree_with_many_within_their_standard_error() -> None:
    model, x = network(), rows(200)
    many = code_bound(model, x, 0.1, draws=8000)
    for seed in range(3):
        few = code_bound(model, x, 0.1, draws=300, seed=seed)
        assert abs(few.gap - many.gap) < 4 * few.standard_error
        assert many.standard_error < 0.3 * few.standard_error


def test_classes_are_told_apart() -> None:
    """Where the class is the only difference of the rows, it leaves nothing open, and the bound is that of a point."""
    x = torch.tensor([[0.0, 0.0], [9.0, 0.0]]).repeat(10, 1)
    labels = torch.tensor([0, 1]).repeat(10)
    model = EncoderMixtureDecoder(2, centers=1, hidden=(4,), classes=2, code_variance=1e4)
    assert_close(torch.tensor(BoundTracker(x, 0.5, labels)(model, 1).log_bound), -math.log(2 * math.pi), 1e-6)
    plain = EncoderMixtureDecoder(2, centers=1, hidden=(4,), code_variance=1e4)
    assert_close(torch.tensor(BoundTracker(x, 0.5)(plain, 1).log_bound), -math.log(4 * math.pi), 1e-3)


def test_ratio_and_gap_are_two_words_for_one_thing() -> None:
    entry = TrackedBound(1, log_value=-5.0, log_bound=-4.5)
    assert entry.gap == 0.5
    assert entry.ratio == pytest.approx(math.exp(-5.0) / math.exp(-4.5))
    assert TrackedBound(1, log_value=1e-12, log_bound=0.0).ratio == 1


def test_wrong_settings_are_refused() -> None:
    for change in ({"rows": 0}, {"draws": 0}, {"variance": 0.0}, {"variance": math.inf}):
        with pytest.raises(ValueError, match="must be positive"):
            BoundTracker(rows(), **{"variance": 1.0} | change)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="must be positive, got 0, 200"):
        code_bound(network(), rows(0), 1.0)
