"""What answers are worth, against sums by hand, brute force and the inner products of the library."""

import math

import pytest
import torch

from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.experiments.answers import (
    Answers,
    answers,
    answers_sheet,
    best_error,
    different_answers,
    distance_apart,
    nearest_distance,
)
from mixtura.hilbert import log_inner
from mixtura.nn import EncoderMixtureDecoder
from mixtura.training import isolated_seed
from tests.helpers import global_state

G = torch.Generator().manual_seed(0)
WEIGHTS = torch.rand(7, 4, generator=G).softmax(-1)
CENTERS = torch.randn(7, 4, 3, generator=G)


@pytest.mark.parametrize("v", [1e-3, 0.2, 50.0])
def test_different_answers_are_the_inverse_of_the_norm_of_the_cost(v: float) -> None:
    q = GaussianMixture(WEIGHTS.double().log(), CENTERS.double(), Isotropic(torch.tensor(v).double()))
    norms = (log_inner(q, q) + 1.5 * math.log(4 * math.pi * v)).exp()
    assert different_answers(CENTERS, WEIGHTS, v) == pytest.approx(1 / norms.mean().item(), rel=1e-5)


def test_errors_and_distances_by_brute_force() -> None:
    x = torch.randn(7, 3, generator=G)
    real = torch.randn(11, 3, generator=G)
    squares = [[sum((CENTERS[b, k] - x[b]).tolist()[d] ** 2 for d in range(3)) for k in range(4)] for b in range(7)]
    assert best_error(CENTERS, x) == pytest.approx(sum(map(min, squares)) / 7, rel=1e-5)
    a = Answers(WEIGHTS, CENTERS, CENTERS)
    weighted = sum(float(WEIGHTS[b, k]) * squares[b][k] for b in range(7) for k in range(4)) / 7
    assert a.mean_error(x) == pytest.approx(weighted, rel=1e-5)
    pairs = [
        math.dist(CENTERS[b, i].tolist(), CENTERS[b, j].tolist()) for b in range(7) for i in range(4) for j in range(i)
    ]
    assert distance_apart(CENTERS) == pytest.approx(sum(pairs) / len(pairs), rel=1e-5)
    nearest = [min(math.dist(c.tolist(), r.tolist()) for r in real) for c in CENTERS.reshape(-1, 3)]
    assert nearest_distance(CENTERS, real) == pytest.approx(sum(nearest) / len(nearest), rel=1e-5)
    heaviest = a.by_weight(2)
    for b in range(7):
        order = sorted(range(4), key=lambda k: -float(WEIGHTS[b, k]))
        torch.testing.assert_close(heaviest[b], CENTERS[b, order[:2]])


def test_draws_follow_the_weights_and_repeat() -> None:
    with isolated_seed(0):
        model = EncoderMixtureDecoder(2, centers=3, hidden=(8, 8))
    before = global_state()
    x = torch.randn(600, 2, generator=G)
    a, again = (answers(model, x, draws=500, seed=3) for _ in range(2))
    assert global_state() == before
    assert model.training
    assert torch.equal(a.drawn, again.drawn)
    assert a.drawn.shape == (600, 500, 2)
    q = model.eval()(x)
    torch.testing.assert_close(a.centers, q.loc)
    torch.testing.assert_close(a.weights, q.log_weights.exp())
    mean = (a.weights.unsqueeze(-1) * a.centers).sum(1)
    spread = (a.weights.unsqueeze(-1) * (a.centers - mean.unsqueeze(1)).square()).sum(1)
    z = (a.drawn.mean(1) - mean) / (spread / 500).sqrt()
    assert z.abs().max() < 5.5
    assert abs(z.square().mean().item() - 1) < 0.2


def test_a_sheet_shows_an_image_and_then_its_answers() -> None:
    images = torch.rand(5, 3, 4, 4, generator=G)
    columns = [torch.zeros(5, 1, 48), images.flatten(1).unsqueeze(1).expand(-1, 2, -1)]
    sheet = answers_sheet("", images, columns, rows=2)
    assert sheet.columns == 4
    assert sheet.images.shape == (8, 6, 6, 3)
    framed = torch.as_tensor(sheet.images).movedim(-1, 1)
    shown = framed[..., 1:-1, 1:-1]
    assert (framed.sum() - shown.sum()).item() == pytest.approx(8 * 3 * 20)  # the frames are white
    for row in (0, 1):
        for k in (0, 2, 3):
            assert torch.equal(shown[4 * row + k], images[row])
        assert not shown[4 * row + 1].any()
    assert answers_sheet("", images[:, :1], [], rows=5).images.shape == (5, 6, 6)
