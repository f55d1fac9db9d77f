"""The encoder-mixture-decoder: its codes, their noise and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mixtura.nn import EncoderMixtureDecoder
from mixtura.training import isolated_seed


def model(*args: Any, **kwargs: Any) -> EncoderMixtureDecoder:
    with isolated_seed(0):
        return EncoderMixtureDecoder(*args, **kwargs)


def rows(n: int, *shape: int) -> Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(0))


def test_codes_have_mean_zero_and_variance_one() -> None:
    emd = model(5, code_features=2)
    x = 3 + 100 * rows(500, 5)
    code = emd.encode(x)
    torch.testing.assert_close(code.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(code.var(0, correction=0), torch.ones(2), atol=1e-3, rtol=0)
    for _ in range(200):
        emd.encode(x)
    code = emd.eval().encode(x)
    torch.testing.assert_close(code.var(0), torch.ones(2), atol=0.01, rtol=0)


@pytest.mark.parametrize("shape", [(4,), (1, 8, 8), (3, 8, 12)])
def test_after_training_a_row_is_coded_by_itself_flat_or_not(shape: tuple[int, ...]) -> None:
    emd = model(shape[0] if len(shape) == 1 else shape, centers=3, hidden=(16, 4)).eval()
    x = rows(7, *shape)
    torch.testing.assert_close(emd.encode(x)[2:3], emd.encode(x[2:3].flatten(1)))
    assert emd(x).loc.shape == (7, 3, x[0].numel())


def test_noise_has_the_variance_that_was_asked_for() -> None:
    emd = model(2, code_variance=0.25)
    noise = emd.add_noise(torch.zeros(20_000, 1))
    assert abs(noise.var().item() / 0.25 - 1) < 5 * (2 / 20_000) ** 0.5


def test_noise_while_training_or_when_asked() -> None:
    emd, x = model(2).eval(), rows(20, 2)
    torch.testing.assert_close(emd(x).loc, emd.decode(emd.encode(x)).loc)
    with isolated_seed(3):
        noisy = emd(x, noise=True).loc
    with isolated_seed(3):
        torch.testing.assert_close(noisy, emd.decode(emd.add_noise(emd.encode(x))).loc)
    emd.train()
    assert not torch.equal(emd(x).loc, emd(x).loc)
    torch.testing.assert_close(emd(x, noise=False).loc, emd(x, noise=False).loc)


@pytest.mark.parametrize("features", [3, (1, 4, 8)])
def test_encoder_and_decoder_are_told_the_class(features: Any) -> None:
    emd = model(features, classes=2, hidden=(8, 4)).eval()
    x = rows(4, 3 if features == 3 else 32)
    zeros, ones = torch.zeros(4).long(), torch.ones(4).long()
    code = emd.encode(x, zeros)
    assert bool((code != emd.encode(x, ones)).all())
    assert bool((emd.decode(code, zeros).loc != emd.decode(code, ones).loc).any())
    torch.testing.assert_close(emd(x, ones).loc, emd.decode(emd.encode(x, ones), ones).loc)


def test_state_goes_on_with_its_variance() -> None:
    emd, other = model(2), EncoderMixtureDecoder(2)
    emd(100 * rows(50, 2))
    emd.variance = 0.125
    other.load_state_dict(emd.state_dict())
    x = rows(5, 2)
    torch.testing.assert_close(other.eval()(x).loc, emd.eval()(x).loc)
    assert other.variance == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"code_features": 3}, "wider than the data: code_features = 3, in_features = 2"),
        ({"code_features": 0}, "code_features and centers must be positive"),
        ({"centers": 0}, "centers must be positive"),
        ({"in_features": (1, 28, 27)}, "multiples of 4"),
        ({"in_features": (1, 28, 28), "hidden": (16,)}, "a width and a number of channels"),
        ({"code_variance": 0.0}, "code_variance must be positive"),
        ({"variance": float("nan")}, "variance must be positive"),
    ],
)
def test_wrong_sizes_are_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        model(**{"in_features": 2} | change)


def test_wrong_calls_are_refused() -> None:
    emd = model(2)
    with pytest.raises(ValueError, match="normalised over a batch while training, got 1 row"):
        emd(rows(1, 2))
    with pytest.raises(ValueError, match=r"x must have the shape \(B, 2\), got \(4, 3\)"):
        emd(rows(4, 3))
    with pytest.raises(ValueError, match=r"\(B, 16\) or \(B, 1, 4, 4\), got \(4, 15\)"):
        model((1, 4, 4))(rows(4, 15))
    with pytest.raises(ValueError, match="but no labels were given"):
        model(2, classes=3)(rows(4, 2))
