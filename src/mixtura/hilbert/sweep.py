"""One sweep over the data for value and gradient: isotropic Gaussians of equal or different variances."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from mixtura._recompute import recomputed_gradients
from mixtura.hilbert.blocks import BITS, Blocks, Columns
from mixtura.hilbert.form import Form
from mixtura.hilbert.gaussian import isotropic
from mixtura.hilbert.split import split_columns

__all__ = ["sweep"]


def sweep(log_w: Tensor, x: Tensor, v: Tensor, y: Tensor, u: Tensor) -> Tensor:
    r"""Return ``log h_j = log Σ_i w_i N(x_i - y_j; 0, (v_i + u_j) I)`` in float64, shape ``(M,)``.

    With ``π_ij = w_i N_ij / h_j`` and ``s = v_i + u_j`` the gradient of ``log h_j`` is

        in y_j: ``Σ_i π_ij (x_i - y_j) / s``,  in u_j: ``Σ_i π_ij (‖x_i - y_j‖² / 2s² - D / 2s)``.

    Both are sums over i as ``h_j`` is: the same sweep accumulates all of them in float64, relative to a running
    maximum, in O(block · M) memory. Gradients in x, v_i and w_i take a second sweep, in backward, because they need
    ``h_j`` and the incoming gradient. The second derivative differentiates a recomputation in blocks.

    In float32 with few dimensions an exponent is rounded, so gradients in x, v_i and w_i are good to ``1e-7 |log h_j|``
    for components far from all data (2e-4 at 140 standard deviations); use float64 where that matters.

    Args:
        log_w: log-weights, shape ``(N,)``.
        x: means, shape ``(N, D)``.
        v: variances, shape ``(N,)`` or ``(1,)``.
        y: means, shape ``(M, D)``.
        u: variances, shape ``(M,)`` or ``(1,)``.
    """
    found: Any = _Sweep.apply(log_w, x, v, y, u)
    return found


class _Sweep(Function):
    @staticmethod
    def forward(ctx: Any, log_w: Tensor, x: Tensor, v: Tensor, y: Tensor, u: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        _, _, need_v, need_y, need_u = ctx.needs_input_grad
        need_s = need_u or (need_v and v.shape[0] == 1)
        blocks = Blocks.of(log_w, x, v, y, u, keep=need_s)
        log_h, dy, ds = _columns(blocks, need_y, need_s)
        ctx.save_for_backward(log_w, x, v, y, u, log_h, dy, ds)
        return log_h + blocks.constant

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        log_w, x, v, y, u, log_h, dy, ds = ctx.saved_tensors
        need_w, need_x, need_v, need_y, need_u = ctx.needs_input_grad
        if torch.is_grad_enabled():
            return recomputed_gradients(_plain, (log_w, x, v, y, u), ctx.needs_input_grad, g)
        gw = gx = gv = gu = None
        rows_v = need_v and v.shape[0] > 1
        if need_w or need_x or rows_v:
            gw, gx, gv = _rows(Blocks.of(log_w, x, v, y, u, keep=rows_v), log_h, g, need_x, rows_v)
        if need_v and not rows_v:
            gv = (g * ds).sum(0, keepdim=True)
        if need_u:
            gu = g * ds if u.shape[0] > 1 else (g * ds).sum(0, keepdim=True)
        gy = g.unsqueeze(-1) * dy if need_y else None
        gradients = (gw if need_w else None, gx, gv, gy, gu)
        return tuple(
            None if t is None else t.to(of.dtype) for t, of in zip(gradients, (log_w, x, v, y, u), strict=True)
        )


def _columns(blocks: Blocks, need_y: bool, need_s: bool) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return ``log h`` without its constant, and its gradients in y_j and in its variance, all in float64."""
    log_h = blocks.y.new_empty(blocks.M, dtype=torch.float64)
    dy = torch.empty_like(log_h).unsqueeze(-1).repeat(1, blocks.D) if need_y else None
    ds = torch.empty_like(log_h) if need_s else None
    for j in blocks.columns():
        total = _Total(blocks, j, need_y, need_s)
        for i in blocks.samples():
            total.look_at(i)
        for i in blocks.rows():
            total.add(i)
        total.write(j, log_h, dy, ds)
        lost = total.out_of_range().nonzero().squeeze(-1)
        if len(lost):  # columns whose nearest rows the samples did not meet
            columns = lost + j.start
            total = _Total(blocks, columns, need_y, need_s)
            for i in blocks.rows():
                total.add_moving(i)
            total.write(columns, log_h, dy, ds)
    return log_h, dy, ds


class _Total:
    """Accumulate ``h``, ``Σ_i E_ij (x_i - y_j)`` and the variance's moment over blocks, in units of ``2^shift``.

    The shift of a column is the maximum of its exponents in a sample of the rows, which spares nearly every sweep the
    pass that looks for a maximum; where a sum leaves its range, a second sweep over such columns moves the shift.
    """

    def __init__(self, blocks: Blocks, j: Columns, need_first: bool, need_second: bool) -> None:
        self.blocks, self.j = blocks, j
        M = blocks.y[j].shape[0]
        self.shift: Tensor = blocks.y.new_full((M,), -math.inf)
        self.h = blocks.y.new_zeros(M, dtype=torch.float64)
        self.first = blocks.y.new_zeros(blocks.D, M, dtype=torch.float64) if need_first else None
        self.second = torch.zeros_like(self.h) if need_second else None

    def out_of_range(self) -> Tensor:
        """Return the columns whose sums have lost their largest term."""
        return ~((self.h > 0.1) & (self.h < 1e30))

    def look_at(self, i: slice) -> None:
        """Move the shift to the maximum of a sample of the rows."""
        self.shift = torch.maximum(self.shift, self._maximum(self.blocks.exponents(i, self.j)))

    def write(self, j: Columns, log_h: Tensor, dy: Tensor | None, ds: Tensor | None) -> None:
        """Write the results into columns j."""
        log_h[j] = (self.shift.double() + self.h.log2()) / BITS
        if dy is not None and self.first is not None:
            dy[j] = (self.first / self.h).T
        if ds is not None and self.second is not None:
            ds[j] = self.second / self.h

    def add(self, i: slice) -> None:
        """Add a block of rows."""
        self._add(self.blocks.powers(self.blocks.exponents(i, self.j, self.shift)), i)

    def add_moving(self, i: slice) -> None:
        """Move the shift to the maximum so far and add a block of rows."""
        exponents = self.blocks.exponents(i, self.j)
        shift = torch.maximum(self.shift, self._maximum(exponents))
        scale = torch.exp2(self.shift.double() - shift.double())
        for total in (self.h, self.first, self.second):
            if total is not None:
                total *= scale
        self.shift = shift
        self._add(self.blocks.powers(exponents.sub_(shift)), i)

    def _maximum(self, exponents: Tensor) -> Tensor:
        return exponents.amax(0).clamp_min_(torch.finfo(exponents.dtype).min / 4)

    def _add(self, E: Tensor, i: slice) -> None:
        total = E.sum(0)
        self.h += total
        if self.second is not None:
            self.second += self.blocks.variance_moment(E, i, self.j).sum(0)
        if self.first is not None:
            self.first += self.blocks.offset_columns(E, total, i, self.j)


def _rows(
    blocks: Blocks, log_h: Tensor, g: Tensor, need_x: bool, need_v: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return ``Σ_j g_j π_ij``, the gradients in x_i and in v_i, all in float64."""
    gw = blocks.y.new_zeros(blocks.N, dtype=torch.float64)
    gx = blocks.y.new_zeros(blocks.N, blocks.D, dtype=torch.float64) if need_x else None
    gv = torch.zeros_like(gw) if need_v else None
    for j in blocks.columns():
        shift, weight = (log_h[j] * BITS).to(blocks.y), g[j].to(blocks.y)
        for i in blocks.rows():
            exponents = blocks.exponents(i, j, shift).clamp_max_(0)  # above it there is only rounding
            E = blocks.powers(exponents).mul_(weight)
            gw[i] += E.sum(1)
            if gv is not None:
                gv[i] += blocks.variance_moment(E, i, j).sum(1)
            if gx is not None:
                gx[i] -= blocks.offset_rows(E, i, j)
    return gw, gx, gv


def _plain(log_w: Tensor, x: Tensor, v: Tensor, y: Tensor, u: Tensor) -> Tensor:
    """Return the same by automatic differentiation, in blocks."""
    return split_columns(Form(isotropic, (x, v), (y, u), torch.Size(), len(x), len(y)), log_w)
