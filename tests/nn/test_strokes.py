"""The network that draws."""

import numpy as np
import pytest
import torch

from mixtura.nn import Drawings, StrokeRNN
from mixtura.nn.heads import CovarianceKind
from mixtura.nn.strokes import _cut, _passed
from mixtura.training import isolated_seed
from tests.helpers import global_state
from tests.nn.test_drawings import _drawings

TEXTS = [[i % 3] * (1 + i % 4) for i in range(9)]


def _rnn(characters: int = 0, covariance: CovarianceKind = "full", hidden: int = 12, components: int = 3) -> StrokeRNN:
    with isolated_seed(0):
        rnn = StrokeRNN(hidden, components, covariance, characters=characters, windows=3)
        for p in rnn.parameters():
            torch.nn.init.normal_(p, std=0.4)
    return rnn


def _data(characters: int) -> Drawings:
    return Drawings(_drawings(), TEXTS if characters else None)


@pytest.mark.parametrize("characters", [0, 3])
def test_steps_give_what_the_whole_drawing_gives(characters: int) -> None:
    rnn, b = _rnn(characters).double(), _data(characters).batch(torch.arange(9))
    points = b.points.double()
    q = rnn(points, b.text)
    previous, state = torch.tensor([[0.0, 0.0, 1.0]]).double().expand(9, 3), None
    for t in range(points.shape[1]):
        now, state = rnn.step(previous, state, b.text)
        torch.testing.assert_close(now.log_prob(points[:, t]), q.log_prob(points)[:, t])
        torch.testing.assert_close(now.offset.mean, q.offset.mean[:, t])
        previous = points[:, t]


@pytest.mark.parametrize("characters", [0, 3])
@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_generated_points_follow_the_forward_pass(characters: int, covariance: CovarianceKind) -> None:
    """At a temperature near zero every point is a mean that the forward pass over the drawing so far gives."""
    rnn = _rnn(characters, covariance)
    texts = [[0, 1], [2], [1, 1, 0, 2]]
    before = global_state()
    drawn = rnn.generate(
        None if characters else 3, text=texts if characters else None, temperature=1e-9, max_points=12, random_state=0
    )
    assert global_state() == before
    for d, text in zip(drawn, texts, strict=True):
        points = torch.from_numpy(d).unsqueeze(0)
        q = rnn(points, torch.tensor([text]) if characters else None)
        heaviest = q.offset.logits.argmax(-1)[0]
        mean = q.offset.loc[0, torch.arange(len(d)), heaviest]
        np.testing.assert_allclose(d[:, :2], mean.detach(), atol=2e-4)
        assert (q.pen_logits.argmax(-1)[0, :-1].clamp(max=1) == points[0, :-1, 2]).all()


def test_random_drawings_end_where_the_pen_says_so() -> None:
    rnn = _rnn()
    with torch.no_grad():
        rnn.pen.bias.copy_(torch.tensor([0.0, 0.0, -1.0]))
        rnn.pen.weight.zero_()
    drawn = rnn.generate(2_000, max_points=200, random_state=1)
    length = np.array([len(d) for d in drawn])
    p = np.exp(-1) / (2 + np.exp(-1))  # geometric
    assert length.mean() == pytest.approx(1 / p, abs=4 * (1 - p) ** 0.5 / p / 2_000**0.5)
    inside = np.concatenate([d[:-1, 2] for d in drawn])
    assert inside.mean() == pytest.approx(0.5, abs=4 * 0.5 / len(inside) ** 0.5)
    assert all(d[-1, 2] == 1 for d in drawn)
    assert max(map(len, rnn.generate(50, max_points=4, random_state=0))) <= 4
    again = rnn.generate(2_000, max_points=200, random_state=1)
    assert all(np.array_equal(a, b) for a, b in zip(drawn, again, strict=True))


def test_a_drawing_ends_where_the_window_has_passed_its_text() -> None:
    phi = torch.tensor([[0.3, 0.2, 0.1, 0.0], [0.1, 0.2, 0.9, 0.0], [0.1, 0.2, 0.0, 0.3], [0.0, 0.1, 0.2, 0.3]])
    codes = torch.tensor([[0, 1, 2], [0, 1, -1], [1, -1, -1], [0, 1, 2]])
    assert _passed(phi, codes).tolist() == [False, True, True, True]
    rnn = _rnn(3)
    assert rnn.first is not None
    with torch.no_grad():
        rnn.first.window.linear.weight.zero_()
        rnn.first.window.set_pace(0.5)
        rnn.first.window.linear.bias[:6] = 3.0  # high and narrow
        rnn.pen.weight.zero_()
        rnn.pen.bias.copy_(torch.tensor([0.0, 20.0, -20.0]))
    short, long = map(len, rnn.generate(text=[[0], [0] * 8], max_points=100, random_state=0))
    assert abs(long - short - 14) <= 2  # seven characters at half a character a point


@pytest.mark.parametrize("characters", [0, 3])
def test_padding_changes_nothing(characters: int) -> None:
    rnn, data = _rnn(characters), _data(characters)
    b = data.batch(torch.arange(9))
    together = rnn(b.points, b.text).log_prob(b.points)
    for i in range(9):
        alone = data.batch(torch.tensor([i]))
        value = rnn(alone.points, alone.text).log_prob(alone.points)[0]
        torch.testing.assert_close(together[i][b.mask[i]], value, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("characters", [0, 3])
def test_a_point_is_predicted_from_those_before_it_only(characters: int) -> None:
    rnn, b = _rnn(characters), _data(characters).batch(torch.arange(9))
    points = b.points.clone().requires_grad_()
    mean = rnn(points, b.text).offset.mean
    (gradient,) = torch.autograd.grad(mean[:, 4].sum(), points)
    assert bool(gradient[:, :4].any())
    assert not bool(gradient[:, 4:].any())


@pytest.mark.parametrize("characters", [0, 2])
def test_gradients(characters: int) -> None:
    rnn = _rnn(characters, hidden=3, components=2).double()
    points = torch.randn(2, 4, 3, dtype=torch.float64)
    points[..., 2] = torch.tensor([0, 1, 0, 2])
    text = torch.tensor([[0, 1], [1, -1]]) if characters else None
    assert torch.autograd.gradcheck(
        lambda *_: rnn(points, text).log_prob(points), list(rnn.parameters()), fast_mode=True
    )


@pytest.mark.parametrize("characters", [0, 3])
def test_extreme_offsets_leave_finite_numbers(characters: int) -> None:
    rnn = _rnn(characters)
    points = torch.tensor([[[1e6, -1e6, 0.0], [0.0, 1e6, 1.0], [1e-30, 0.0, 2.0]]])
    log_prob = rnn(points, torch.tensor([[0, 1]]) if characters else None).log_prob(points)
    assert bool(torch.isfinite(log_prob).all())
    log_prob.sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in rnn.parameters() if p.grad is not None)


def test_start_is_the_average_point() -> None:
    rng = np.random.default_rng(0)
    drawings = [np.column_stack([rng.normal([3, -2], [0.5, 0.2], (20, 2)), np.arange(20) % 5 == 4]) for _ in range(40)]
    data = Drawings(drawings, [[0, 1]] * 40)
    rnn = StrokeRNN(8, 4, characters=2)
    rnn.initialize(data)
    b = data.batch(torch.arange(4))
    q = rnn(b.points, b.text)
    all_points = np.concatenate(drawings)
    np.testing.assert_allclose(q.offset.mean.mean((0, 1)).detach(), all_points[:, :2].mean(0), atol=0.1)
    np.testing.assert_allclose(q.pen.probs.mean((0, 1)).detach(), [0.8, 0.15, 0.05], atol=0.01)
    assert rnn.first is not None
    _, _, state = rnn.first(b.points[:, :1], torch.zeros(4, 2, 2))
    assert state.kappa.log().mean().exp().item() == pytest.approx(0.1, rel=0.3)


def test_cutting() -> None:
    points = np.array([[[1, 1, 0], [2, 2, 2], [3, 3, 0]], [[1, 1, 0], [2, 2, 1], [3, 3, 0]]], np.float32)
    a, b = _cut(points)
    assert a.tolist() == [[1, 1, 0], [2, 2, 1]]
    assert b.tolist() == [[1, 1, 0], [2, 2, 1], [3, 3, 1]]


def test_wrong_input_is_said() -> None:
    plain, written = _rnn(), _rnn(3)
    points = torch.zeros(2, 4, 3)
    for wrong, call in (
        (r"shape \(B, T, 3\) with T >= 1, got \(2, 0, 3\)", lambda: plain(points[:, :0])),
        ("takes no text", lambda: plain(points, torch.tensor([[0], [0]]))),
        ("wants a text", lambda: written(points)),
        ("2 drawings and 1 texts", lambda: written(points, torch.tensor([[0]]))),
        ("codes 0 to 3; with 3 characters", lambda: written(points, torch.tensor([[0], [3]]))),
        ("takes no text", lambda: plain.attention(points, torch.tensor([[0], [0]]))),
        ("give n, a positive number of drawings, or text", plain.generate),
        ("give n", lambda: written.generate(2, text=[[0], [1]])),
        ("give n", lambda: plain.generate(0)),
        ("max_points = 0", lambda: plain.generate(1, max_points=0)),
        ("wants a text", lambda: written.generate(1)),
        ("hidden and windows must be positive", lambda: StrokeRNN(0)),
    ):
        with pytest.raises(ValueError, match=wrong):
            call()


def test_attention_moves_over_the_text() -> None:
    rnn, b = _rnn(3), _data(3).batch(torch.arange(9))
    assert b.text is not None
    phi = rnn.attention(b.points, b.text)
    assert phi.shape == (9, b.points.shape[1], b.text.shape[1] + 1)
    assert rnn.first is not None
    torch.testing.assert_close(
        torch.einsum("tu,uc->tc", phi[0, :, :1], torch.eye(3)[b.text[0, :1]]),
        rnn._features(rnn._before(b.points), rnn._letters(b.text, 9), None)[0][0, :, -3:],
    )
