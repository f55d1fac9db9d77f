"""Blocks of rows of a scaled Gram matrix of two mixtures, and the way back through them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mixtura.hilbert.blocks import BITS, Blocks
from mixtura.hilbert.form import Form, full_rank, log_weights
from mixtura.hilbert.split import take_block
from mixtura.hilbert.table import common_dtype, find_form

__all__ = ["Gradients", "IsotropicPairs", "Pairs", "Polar", "weighted_pairs"]

_NUMBERS = 2**18
"""Numbers that the closed form of one block may hold."""
_BLOCKS = 2**14
"""Pairs from which on blocks of isotropic Gaussians are faster than automatic differentiation."""

Polar = Callable[[int, int, Tensor], Tensor]
"""``(start, stop, C) -> W`` for rows of C, the same rows of the gradient in C: of a nuclear norm the polar factor."""
Gradients = list[Tensor | None]


@dataclass
class Pairs:
    """Hold ``log C_ij = a_i + b_j + log <p_i, q_j>``; a and b are half log-weights, or minus logs of norms."""

    form: Form
    a: Tensor
    b: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """What a gradient may be wanted of: a, b and the parts of both mixtures."""
        return (self.a, self.b, *self.form.P, *self.form.Q)

    @property
    def constant(self) -> Tensor | float:
        """What is to be added to all logs."""
        return 0.0

    def rows(self) -> list[tuple[int, int]]:
        """Return where blocks of rows start and stop."""
        form = self.form
        step = max(1, _NUMBERS // (form.batch_shape.numel() * form.M * form.width))
        return [(i, min(i + step, form.N)) for i in range(0, form.N, step)]

    def largest(self) -> Tensor:
        """Return the maximum of the logs of each matrix, shape ``(*B)``, or say that there is none."""
        found = torch.stack([self._largest(start, stop) for start, stop in self.rows()]).amax(0)
        if bool(torch.isnan(found).any()):
            raise ValueError("the Gram matrix of p and q is not finite: look for NaN in a location, weight or spread.")
        return found.clamp_min(torch.finfo(torch.float64).min)

    def block(self, start: int, stop: int, unit: Tensor) -> Tensor:
        """Return rows of ``C / e^unit``, shape ``(*B, n, M)``."""
        return _powers(self.take(start, stop).logs(), unit)

    def pull_back(self, unit: Tensor, g: Tensor, polar: Polar, needs: tuple[bool, ...]) -> Gradients:
        """Return the gradients of ``Σ g W C log C`` in the tensors, block by block, each computed once more."""
        batch, form = len(self.form.batch_shape), self.form
        gradients = [torch.zeros_like(t) if need else None for t, need in zip(self.tensors, needs, strict=True)]
        of_rows = [True, False] + [True] * len(form.P) + [False] * len(form.Q)
        for start, stop in self.rows():
            with torch.enable_grad():
                tensors = [
                    t.detach().requires_grad_(need)
                    for t, need in zip(self.take(start, stop).tensors, needs, strict=True)
                ]
                logs = self.replaced(tensors, stop - start).logs()
            C = _powers(logs.detach(), unit)
            leaves = [t for t in tensors if t.requires_grad]
            found = iter(torch.autograd.grad(logs, leaves, polar(start, stop, C) * C * g[..., None, None]))
            for total, sliced in zip(gradients, of_rows, strict=True):
                if total is not None:
                    total_rows = (
                        total.narrow(batch, start, stop - start) if sliced and total.shape[batch] > 1 else total
                    )
                    total_rows += next(found)
        return gradients

    def detached(self, needs: tuple[bool, ...]) -> Pairs:
        """Return the pairs without their history, by blocks of isotropic Gaussians where that is faster.

        Args:
            needs: which of the tensors want a gradient.
        """
        own, form = self.replaced([t.detach() for t in self.tensors], self.form.N), self.form
        if form.batch_shape or not form.isotropic or form.N * form.M <= _BLOCKS:
            return own
        return IsotropicPairs(own.form, own.a, own.b, keep=needs[3] or needs[-1])

    def _largest(self, start: int, stop: int) -> Tensor:
        return self.take(start, stop).logs().amax((-2, -1))

    def take(self, start: int, stop: int) -> Pairs:
        """Return the pairs of rows ``start:stop``."""
        form, a = take_block(self.form, self.a, len(self.form.batch_shape), start, stop)
        assert a is not None
        return Pairs(form, a, self.b)

    def every(self, step: int) -> Pairs:
        """Return the pairs of every ``step``-th row, of one matrix."""
        a, *P = (t[::step] for t in (self.a, *self.form.P))
        return self.replaced([a, self.b, *P, *self.form.Q], len(a))

    def replaced(self, tensors: list[Tensor], N: int) -> Pairs:
        """Return pairs of the same form with other tensors, of N rows."""
        a, b, *parts = tensors
        n = len(self.form.P)
        return Pairs(dataclasses.replace(self.form, P=tuple(parts[:n]), Q=tuple(parts[n:]), N=N), a, b)

    def logs(self) -> Tensor:
        """Return ``log C`` in float64, shape ``(*B, N, M)``."""
        P, Q = (tuple(t.double() for t in parts) for parts in (self.form.P, self.form.Q))
        log_gram = dataclasses.replace(self.form, P=P, Q=Q).log_gram()
        return self.a.unsqueeze(-1) + self.b.unsqueeze(-2) + log_gram


@dataclass
class IsotropicPairs(Pairs):
    """Hold the same for isotropic Gaussians without batch dimensions, by blocks that stay in a cache.

    C must be the same to the last bit on the way back, because the polar factor of a tall matrix is ``C T`` with a
    large T: so ``keep``, which changes the arithmetic of a block, is known before.
    """

    keep: bool
    """Whether gradients in variances are wanted."""

    def __post_init__(self) -> None:
        (x, v, *_), (y, u) = self.form.P, self.form.Q
        self.blocks = Blocks.of(self.a, x, v, y, u, keep=self.keep)

    @property
    def constant(self) -> Tensor | float:
        """What is to be added to all logs."""
        extra = self.form.P[2:]
        return self.blocks.constant + (extra[0].double().squeeze(0) if extra else 0.0)

    def rows(self) -> list[tuple[int, int]]:
        """Return where blocks of rows start and stop."""
        return [(i.start, i.stop) for i in self.blocks.rows()]

    def block(self, start: int, stop: int, unit: Tensor) -> Tensor:
        """Return rows of ``C / e^unit`` in a buffer."""
        return self.blocks.powers(self._bits(start, stop, unit))

    def pull_back(self, unit: Tensor, g: Tensor, polar: Polar, needs: tuple[bool, ...]) -> Gradients:
        """Return the gradients of ``Σ g W C log C`` in the tensors, block by block, each computed once more."""
        (x, v, *extra), (y, u) = self.form.P, self.form.Q
        need_x, need_y = needs[2], needs[-2]
        ga, gb, gx, gv, gy, gu = (torch.zeros_like(t, dtype=torch.float64) for t in (self.a, self.b, x, v, y, u))
        for start, stop in self.rows():
            i, j = slice(start, stop), slice(0, self.form.M)
            C = self.block(start, stop, unit)
            E = C.mul_(polar(start, stop, C)).mul_(g)
            ga[i] += E.sum(1)
            total = E.sum(0)
            gb += total
            if self.keep:
                moment = self.blocks.variance_moment(E, i, j)
                _add(gv, moment.sum(1), i)
                _add(gu, moment.sum(0), j)
            kept = E.clone() if need_x and need_y else E
            if need_y:
                gy += self.blocks.offset_columns(E, total, i, j).T
            if need_x and need_y:
                self._bits(start, stop, unit)  # the offsets once more, which were used up
            if need_x:
                gx[i] -= self.blocks.offset_rows(kept, i, j)
        found = (ga, gb, gx, gv, *(ga.sum().expand_as(t) for t in extra), gy, gu)
        return [t.to(of.dtype) if need else None for t, of, need in zip(found, self.tensors, needs, strict=True)]

    def _largest(self, start: int, stop: int) -> Tensor:
        return self._bits(start, stop, 0.0).amax().double() / BITS

    def _bits(self, start: int, stop: int, unit: Tensor | float) -> Tensor:
        """Return ``log2 (C / e^unit)`` without the constant, in a buffer."""
        shift = ((unit - self.b) * BITS).to(self.blocks.y)
        return self.blocks.exponents(slice(start, stop), slice(0, self.form.M), shift)


def weighted_pairs(p: Any, q: Any) -> Pairs:
    """Return the pairs of two mixtures, the one with more components as rows; raises as ``closed_form`` does."""
    if p.logits.shape[-1] < q.logits.shape[-1]:
        p, q = q, p
    make, batch_shape = find_form(p, q)
    few = batch_shape.numel() * p.logits.shape[-1] * q.logits.shape[-1] <= _BLOCKS
    form = make(p, q, torch.float64 if few else common_dtype(p, q))
    a, b = (full_rank(0.5 * log_weights(m), len(batch_shape), 1) for m in (p, q))
    return Pairs(form, a, b)


def _powers(logs: Tensor, unit: Tensor) -> Tensor:
    """Return ``e^(logs - unit)``, zero where it is so small that a processor would lose its speed."""
    relative = logs - unit[..., None, None]
    return relative.masked_fill(relative < -690, -math.inf).exp()


def _add(total: Tensor, share: Tensor, at: slice) -> None:
    if len(total) == 1:
        total += share.sum()
    else:
        total[at] += share
