"""A soft window that slides over a text while a network writes it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["SoftWindow", "WindowState", "WindowedLSTM", "one_hot_text"]


class WindowState(NamedTuple):
    """What a :class:`WindowedLSTM` remembers from one step to the next."""

    h: Tensor
    """Output of the cell, shape ``(B, hidden)``."""
    c: Tensor
    """Memory of the cell, shape ``(B, hidden)``."""
    kappa: Tensor
    """Positions of the windows in the text, in characters from its first, shape ``(B, windows)``."""
    w: Tensor
    """What the window shows, shape ``(B, characters)``."""
    phi: Tensor
    """Weight of every character, and of U, the place behind a text of U characters, shape ``(B, U + 1)``."""


class SoftWindow(nn.Module):
    r"""Weigh the characters of a text by a mixture of windows that only move on.

    ``φ(t, u) = Σ_k α_k(t) exp(-β_k(t) (κ_k(t) - u)²)``, where α, β and ``κ(t) - κ(t-1)`` are softplus of linear maps of
    h(t). (The paper has the exponential, which overflows.)

    Args:
        in_features: width of h.
        windows: number of windows.

    Source:
        Graves 2013, "Generating sequences with recurrent neural networks", equations 46 to 51.
    """

    def __init__(self, in_features: int, windows: int = 10) -> None:
        super().__init__()
        self.windows = windows
        self.linear = nn.Linear(in_features, 3 * windows)
        with torch.no_grad():
            self.linear.weight.mul_(0.1)
        self.set_pace(0.1)

    def set_pace(self, pace: float) -> None:
        """Let the windows begin with so many characters a step."""
        with torch.no_grad():
            log_pace = torch.linspace(-0.5, 0.5, self.windows).exp().mul(pace).expm1().log()
            self.linear.bias.zero_()
            self.linear.bias[2 * self.windows :] = log_pace.to(self.linear.bias)

    def forward(self, h: Tensor, kappa: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        """Return φ at the positions u, shape ``(B, len(position))``, and the new κ, shape ``(B, windows)``."""
        alpha, beta, step = nn.functional.softplus(self.linear(h)).chunk(3, -1)
        kappa = kappa + step
        distance = kappa.unsqueeze(-1) - position  # (B, windows, U + 1)
        phi = torch.exp(-beta.unsqueeze(-1) * distance.square())
        return torch.bmm(alpha.unsqueeze(1), phi).squeeze(1), kappa


class WindowedLSTM(nn.Module):
    """Read points and a text, by an LSTM cell that steers the window whose contents it gets at the next step.

    Args:
        in_features: of a point.
        hidden: width of the cell.
        characters: number of different characters C.
        windows: number of windows.
    """

    def __init__(self, in_features: int, hidden: int, characters: int, windows: int = 10) -> None:
        super().__init__()
        self.characters = characters
        self.cell = nn.LSTMCell(in_features + characters, hidden)
        self.window = SoftWindow(hidden, windows)

    def start(self, text: Tensor) -> WindowState:
        """Return the state before the first point, for a text as of :func:`one_hot_text`, shape ``(B, U, C)``."""
        B, U, C = text.shape
        zero = text.new_zeros(B, self.cell.hidden_size)
        return WindowState(
            zero, zero, text.new_zeros(B, self.window.windows), text.new_zeros(B, C), text.new_zeros(B, U + 1)
        )

    def forward(self, x: Tensor, text: Tensor, state: WindowState | None = None) -> tuple[Tensor, Tensor, WindowState]:
        """Return h and what the window shows, shapes ``(B, T, hidden + C)``, φ, ``(B, T, U + 1)``, and the state.

        Args:
            x: points, shape ``(B, T, in_features)``.
            text: as of :func:`one_hot_text`, shape ``(B, U, C)``.
            state: after the points before; None begins.
        """
        position = torch.arange(text.shape[1] + 1, dtype=x.dtype, device=x.device)
        s = self.start(text) if state is None else state
        seen, phis = [], []
        for point in x.unbind(1):
            h, c = self.cell(torch.cat([point, s.w], -1), (s.h, s.c))
            phi, kappa = self.window(h, s.kappa, position)
            w = torch.bmm(phi[:, None, :-1], text).squeeze(1)  # a padding has no character to show
            s = WindowState(h, c, kappa, w, phi)
            seen.append(torch.cat([h, w], -1))
            phis.append(phi)
        return torch.stack(seen, 1), torch.stack(phis, 1), s


def one_hot_text(codes: Tensor, characters: int) -> Tensor:
    """Return a text as vectors, shape ``(B, U, characters)``: a one at the code of each character, zeros for padding.

    Args:
        codes: integers below ``characters``, shape ``(B, U)``; -1 behind the end of a text.
        characters: number of different characters.

    Raises:
        ValueError: where a code is out of range, or a text is empty.

    Example:
        >>> one_hot_text(torch.tensor([[1, 0], [0, -1]]), 2).tolist()
        [[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]]
    """
    if codes.dim() != 2 or codes.is_floating_point() or not bool((codes >= 0).any(1).all()):
        raise ValueError(f"text must be integers of shape (B, U), at least one in each row, got {tuple(codes.shape)}.")
    if int(codes.max()) >= characters or int(codes.min()) < -1:
        raise ValueError(
            f"text has the codes {int(codes.min())} to {int(codes.max())}; with {characters} characters they must be "
            f"0 to {characters - 1}, and -1 behind the end."
        )
    return (codes.unsqueeze(-1) == torch.arange(characters, device=codes.device)).to(torch.get_default_dtype())
