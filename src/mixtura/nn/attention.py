"""A soft window that slides over a text while a network writes it."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

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
        s = self.start(text) if state is None else state
        cell, steer, H, features = self.cell, self.window.linear, self.cell.hidden_size, x.shape[-1]
        gates = nn.functional.linear(
            x.transpose(0, 1), cell.weight_ih[:, :features], cell.bias_ih + cell.bias_hh
        )  # (T, B, 4H)
        W = torch.cat([cell.weight_hh, cell.weight_ih[:, features:]], 1)  # (4H, H + C)
        shown = nn.functional.pad(text, (0, 0, 0, 1))  # the place behind a text has no character to show
        hw, phi, c, kappa = _Recurrence.apply(gates, shown, s.h, s.w, s.c, s.kappa, W, steer.weight, steer.bias)
        return hw.transpose(0, 1), phi.transpose(0, 1), WindowState(hw[-1, :, :H], c, kappa, hw[-1, :, H:], phi[-1])


class _Recurrence(torch.autograd.Function):
    """All steps of a :class:`WindowedLSTM`, with the derivative written out: for batches of 16 or 32 that takes two
    thirds of the time of recording every operation; the gradients of the matrices are one product for all steps.

    Args: what x adds to the gates ``(T, B, 4H)``, text ``(B, U + 1, C)``, h, w, c and κ before the first step, the
    matrix ``(4H, H + C)`` of the gates for h and w, matrix ``(3K, H)`` and bias of the steering. Returns h beside w
    ``(T, B, H + C)``, φ ``(T, B, U + 1)``, and c and κ after the last step. Gates stand in the order i, f, g, o.
    """

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any,
        gates: Tensor,
        text: Tensor,
        h: Tensor,
        w: Tensor,
        c: Tensor,
        kappa: Tensor,
        W: Tensor,
        V: Tensor,
        b: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        (T, B, _), H, K, U = gates.shape, h.shape[1], kappa.shape[1], text.shape[1]
        position = torch.arange(U, dtype=gates.dtype, device=gates.device)
        hw, cs, kappas = (gates.new_empty(T + 1, B, n) for n in (W.shape[1], H, K))
        hw[0], cs[0], kappas[0] = torch.cat([h, w], 1), c, kappa
        ifgo, tanh_c, steps = (gates.new_empty(T, B, n) for n in (4 * H, H, 3 * K))
        bumps, phis = gates.new_empty(T, B, K, U), gates.new_empty(T, B, U)
        for t in range(T):
            a = torch.addmm(gates[t], hw[t], W.t())
            torch.sigmoid(a, out=ifgo[t])
            torch.tanh(a[:, 2 * H : 3 * H], out=ifgo[t, :, 2 * H : 3 * H])
            i, f, g, o = ifgo[t].chunk(4, 1)
            c = torch.mul(f, cs[t], out=cs[t + 1]).addcmul_(i, g)
            h = torch.mul(o, torch.tanh(c, out=tanh_c[t]), out=hw[t + 1, :, :H])
            steps[t] = nn.functional.softplus(torch.addmm(b, h, V.t()))
            alpha, beta, step = steps[t].chunk(3, 1)
            distance = torch.add(kappas[t], step, out=kappas[t + 1]).unsqueeze(-1) - position  # (B, K, U)
            torch.exp(distance.square_().mul_(-beta.unsqueeze(-1)), out=bumps[t])
            phi = torch.bmm(alpha.unsqueeze(1), bumps[t], out=phis[t].unsqueeze(1))
            hw[t + 1, :, H:] = torch.bmm(phi, text).squeeze(1)
        ctx.save_for_backward(text, W, V, hw, cs, kappas, ifgo, tanh_c, steps, bumps)
        return hw[1:], phis, cs[-1], kappas[-1]

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, d_hw: Tensor, d_phi: Tensor, d_c: Tensor, d_kappa: Tensor
    ) -> tuple[Tensor | None, ...]:
        text, W, V, hw, cs, kappas, ifgo, tanh_c, steps, bumps = ctx.saved_tensors
        T, _, H = tanh_c.shape
        position = torch.arange(text.shape[1], dtype=text.dtype, device=text.device)
        d_gates, d_steer = torch.empty_like(ifgo), torch.empty_like(steps)
        slope = -torch.expm1(-steps)  # of softplus, from its value
        d_before = torch.zeros_like(hw[0])  # of h and w, by the next step
        for t in reversed(range(T)):
            d_h, d_w = (d_before + d_hw[t]).split([H, text.shape[-1]], 1)
            alpha, beta, _ = steps[t].chunk(3, 1)
            d_shown = torch.baddbmm(d_phi[t].unsqueeze(-1), text, d_w.unsqueeze(-1)).mT  # (B, 1, U + 1)
            by_bump = d_shown * bumps[t]
            distance = kappas[t + 1].unsqueeze(-1) - position
            slid = by_bump * distance
            d_kappa = d_kappa - 2 * alpha * beta * slid.sum(-1)
            d_beta = -alpha * slid.mul_(distance).sum(-1)
            torch.mul(torch.cat([by_bump.sum(-1), d_beta, d_kappa], 1), slope[t], out=d_steer[t])
            d_h = torch.addmm(d_h, d_steer[t], V)
            i, f, g, o = ifgo[t].chunk(4, 1)
            d_c = d_c + d_h * o * (1 - tanh_c[t].square())
            to_i, to_f, to_g, to_o = d_gates[t].chunk(4, 1)
            torch.mul(d_c, g * i * (1 - i), out=to_i)
            torch.mul(d_c, cs[t] * f * (1 - f), out=to_f)
            torch.mul(d_c, i * (1 - g.square()), out=to_g)
            torch.mul(d_h, tanh_c[t] * o * (1 - o), out=to_o)
            d_c = d_c * f
            d_before = d_gates[t] @ W
        d_W = d_gates.flatten(0, 1).t() @ hw[:-1].flatten(0, 1)
        d_V = d_steer.flatten(0, 1).t() @ hw[1:, :, :H].flatten(0, 1)
        return d_gates, None, d_before[:, :H], d_before[:, H:], d_c, d_kappa, d_W, d_V, d_steer.sum((0, 1))


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
