"""The soft window over a text."""

import numpy as np
import pytest
import torch

from mixtura.nn.attention import WindowedLSTM, WindowState, one_hot_text
from mixtura.training import isolated_seed


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _by_hand(lstm: WindowedLSTM, x: np.ndarray, codes: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """h and w, φ and κ of one drawing, by the formulas, in loops."""
    cell = {k: v.detach().numpy() for k, v in lstm.cell.named_parameters()}
    W, b = lstm.window.linear.weight.detach().numpy(), lstm.window.linear.bias.detach().numpy()
    h, c = np.zeros((2, lstm.cell.hidden_size))
    kappa, w = np.zeros(lstm.window.windows), np.zeros(lstm.characters)
    seen, phis = [], []
    for point in x:
        gates = cell["weight_ih"] @ np.concatenate([point, w]) + cell["bias_ih"]
        i, f, g, o = np.split(gates + cell["weight_hh"] @ h + cell["bias_hh"], 4)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        alpha, beta, step = np.split(_softplus(W @ h + b), 3)
        kappa = kappa + step
        phi = np.array([sum(alpha * np.exp(-beta * (kappa - u) ** 2)) for u in range(len(codes) + 1)])
        w = np.zeros(lstm.characters)
        for u, code in enumerate(codes):
            w[code] += phi[u]
        seen.append(np.concatenate([h, w]))
        phis.append(phi)
    return np.stack(seen), np.stack(phis), kappa


@pytest.fixture
def lstm() -> WindowedLSTM:
    with isolated_seed(0):
        lstm = WindowedLSTM(3, 6, characters=4, windows=3).double()
        for p in lstm.parameters():
            torch.nn.init.normal_(p, std=0.7)
    return lstm


def test_window_is_the_papers_in_loops(lstm: WindowedLSTM) -> None:
    x = np.random.default_rng(0).standard_normal((2, 9, 3))
    texts = [[2, 0, 0, 3, 1], [1, 3]]
    codes = torch.tensor([texts[0], [*texts[1], -1, -1, -1]])
    seen, phi, state = lstm(torch.as_tensor(x), one_hot_text(codes, 4).double())
    for i, text in enumerate(texts):
        expected = _by_hand(lstm, x[i], text)
        np.testing.assert_allclose(seen[i].detach(), expected[0], rtol=1e-10)
        np.testing.assert_allclose(phi[i, :, : len(text) + 1].detach(), expected[1], rtol=1e-10)
        np.testing.assert_allclose(state.kappa[i].detach(), expected[2], rtol=1e-10)


def test_two_halves_are_the_whole(lstm: WindowedLSTM) -> None:
    x = torch.randn(2, 8, 3, dtype=torch.float64)
    text = one_hot_text(torch.tensor([[0, 1, 2], [3, -1, -1]]), 4).double()
    whole, _, end = lstm(x, text)
    first, _, state = lstm(x[:, :5], text)
    second, _, after = lstm(x[:, 5:], text, state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    torch.testing.assert_close(after, end)


def test_windows_begin_with_the_pace(lstm: WindowedLSTM) -> None:
    torch.nn.init.zeros_(lstm.window.linear.weight)
    lstm.window.set_pace(0.3)
    _, _, state = lstm(torch.zeros(1, 1, 3).double(), one_hot_text(torch.tensor([[0, 1, 2]]), 4).double())
    assert state.kappa.log().mean().exp().item() == pytest.approx(0.3, rel=1e-4)


def test_windows_only_move_on(lstm: WindowedLSTM) -> None:
    text, state = one_hot_text(torch.tensor([[0, 1, 2]]), 4).double(), None
    with torch.no_grad():
        lstm.window.linear.weight.mul_(100)
        for x in torch.randn(20, 1, 1, 3, dtype=torch.float64):
            before = torch.zeros(1, 3) if state is None else state.kappa
            _, phi, state = lstm(x, text, state)
            assert bool((state.kappa >= before).all())
            assert bool(torch.isfinite(phi).all())


def test_gradients(lstm: WindowedLSTM) -> None:
    """Of everything that is returned by everything that it depends on, the state among them."""
    text = one_hot_text(torch.tensor([[0, 1, 2], [3, -1, -1]]), 4).double()
    x = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    state = [0.5 * torch.rand_like(s) for s in lstm.start(text)]
    inputs = [x, *lstm.parameters(), *(s.requires_grad_() for s in state[:4])]

    def forward(x: torch.Tensor, *others: torch.Tensor) -> tuple[torch.Tensor, ...]:
        h, c, kappa, w = others[-4:]
        seen, phi, after = lstm(x, text, WindowState(h, c, kappa, w, state[4]))
        return seen, phi, *after

    assert torch.autograd.gradcheck(forward, inputs)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (torch.tensor([[0, 4]]), r"codes 0 to 4; with 4 characters they must be 0 to 3"),
        (torch.tensor([[0, -2]]), r"codes -2 to 0"),
        (torch.tensor([[0], [-1]]), r"at least one in each row, got \(2, 1\)"),
        (torch.tensor([0, 1]), r"integers of shape \(B, U\)"),
        (torch.tensor([[0.0]]), r"integers of shape \(B, U\)"),
    ],
)
def test_codes_that_are_no_text_are_said(codes: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one_hot_text(codes, 4)
