"""Pairs in blocks: halves of halves, recomputed in backward, until a block is small."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mixtura.hilbert.form import Form, Parts

__all__ = ["split_columns", "split_pairs", "take_block"]

_DENSE = 2**18
"""Numbers that one block may hold; an accelerator is given more."""


def split_columns(form: Form, log_w: Tensor) -> Tensor:
    """Return ``log Σ_i w_i <p_i, q_j>`` in float64, shape ``(*B, M)``."""
    return _start(form, log_w, _reduce)


def split_pairs(form: Form) -> Tensor:
    """Return ``log <p_i, q_j>`` of all pairs, shape ``(*B, N, M)``: nothing larger than the result."""
    return _start(form, None, lambda f, _: f.log_gram())


def _reduce(form: Form, log_w: Tensor | None) -> Tensor:
    logs = form.log_gram().double()
    return torch.logsumexp(logs if log_w is None else log_w.unsqueeze(-1) + logs, -2)


def _is_small(form: Form) -> bool:
    return form.size <= _DENSE * (64 if form.P[0].is_cuda else 1)


def _start(form: Form, log_w: Tensor | None, f: Callable[[Form, Tensor | None], Tensor]) -> Tensor:
    """Split in halves until a block is small, and recompute blocks in backward instead of keeping them."""
    return f(form, log_w) if _is_small(form) else _split(form, log_w, f)


def _split(form: Form, log_w: Tensor | None, f: Callable[[Form, Tensor | None], Tensor]) -> Tensor:
    if _is_small(form) or form.batch_shape.numel() * form.N * form.M == 1:
        if not torch.is_grad_enabled():
            return f(form, log_w)
        n = len(form.P)

        def block(log_w: Tensor | None, *parts: Tensor) -> Tensor:
            return f(dataclasses.replace(form, P=parts[:n], Q=parts[n:]), log_w)

        found = checkpoint(block, log_w, *form.P, *form.Q, use_reentrant=False, preserve_rng_state=False)
        assert isinstance(found, Tensor)
        return found
    sizes = (*form.batch_shape, form.N, form.M)
    batch = len(form.batch_shape)
    dim = max(range(batch), key=lambda d: sizes[d], default=0)
    if batch == 0 or sizes[dim] == 1:
        dim = batch + int(form.M > form.N)
    middle = sizes[dim] // 2
    ends = ((0, middle), (middle, sizes[dim]))
    halves = [_split(*take_block(form, log_w, dim, start, stop), f) for start, stop in ends]
    if dim == batch and f is _reduce:
        return torch.logaddexp(*halves)
    result_dim = dim - int(f is _reduce and dim > batch)
    return torch.cat(halves, result_dim)


def take_block(form: Form, log_w: Tensor | None, dim: int, start: int, stop: int) -> tuple[Form, Tensor | None]:
    """Take ``start:stop`` of a batch dimension, of the rows (dim = B) or of the columns (dim = B + 1)."""
    batch = len(form.batch_shape)
    size = stop - start
    if dim < batch:
        shape = torch.Size((*form.batch_shape[:dim], size, *form.batch_shape[dim + 1 :]))
        P, Q = (_slice(parts, dim, start, stop) for parts in (form.P, form.Q))
        return dataclasses.replace(form, P=P, Q=Q, batch_shape=shape), _narrow(log_w, dim, start, stop)
    if dim == batch:
        P = _slice(form.P, batch, start, stop)
        return dataclasses.replace(form, P=P, N=size), _narrow(log_w, batch, start, stop)
    return dataclasses.replace(form, Q=_slice(form.Q, batch, start, stop), M=size), log_w


def _slice(parts: Parts, dim: int, start: int, stop: int) -> Parts:
    return tuple(part if part.shape[dim] == 1 else part.narrow(dim, start, stop - start) for part in parts)


def _narrow(log_w: Tensor | None, dim: int, start: int, stop: int) -> Tensor | None:
    return None if log_w is None else _slice((log_w,), dim, start, stop)[0]
