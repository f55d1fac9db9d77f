"""The reduction over components, in blocks of bounded memory."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from mixtura.hilbert.form import Form
from mixtura.hilbert.split import split_columns, take_block
from mixtura.hilbert.sweep import sweep

__all__ = ["log_columns", "log_square"]

_SWEEP = 2**16
"""Pairs from which on a sweep is faster than automatic differentiation."""
_SQUARE = 1024
"""Components from which on the symmetry of a Gram matrix is worth its halves."""


def log_columns(form: Form, log_w: Tensor) -> Tensor:
    """Return ``log h_j = log Σ_i w_i <p_i, q_j>`` in float64, shape ``(*B, M)``.

    This is the one reduction of the package: a sum over i is a ``logaddexp`` of sums over blocks of i, so a block may
    lie on another process.

    Args:
        form: closed form of the pairs.
        log_w: log-weights of p in float64, shape ``(*B, N)``, every batch dimension there or 1.
    """
    if form.isotropic and form.N * form.M > _SWEEP:
        return _sweeps(form, log_w)
    return split_columns(form, log_w)


def log_square(form: Form, log_w: Tensor) -> Tensor:
    """Return ``log Σ_ij w_i w_j <p_i, p_j>`` in float64, shape ``(*B)``, from half of the pairs.

    ``<a + b, a + b> = <a, a> + <b, b> + 2 <a, b>`` for the halves a and b of the components, and of their halves.
    """
    if form.N < _SQUARE:
        return torch.logsumexp(log_w + log_columns(form, log_w), -1)
    rows, middle = len(form.batch_shape), form.N // 2
    (a, u), (b, v) = (take_block(form, log_w, rows, start, stop) for start, stop in ((0, middle), (middle, form.N)))
    aa, _ = take_block(a, u, rows + 1, 0, middle)
    ab, _ = take_block(a, u, rows + 1, middle, form.N)
    bb, _ = take_block(b, v, rows + 1, middle, form.N)
    assert u is not None
    assert v is not None
    mixed = math.log(2) + torch.logsumexp(v + log_columns(ab, u), -1)
    return torch.logsumexp(torch.stack([log_square(aa, u), log_square(bb, v), mixed]), 0)


def _sweeps(form: Form, log_w: Tensor) -> Tensor:
    """Return the columns of one batch entry after another, each in one sweep."""
    if not form.batch_shape:
        x, v, *extra = form.P
        y, u = form.Q
        log_h = sweep(log_w, x, v, y, u)
        return log_h + extra[0] if extra else log_h
    rows = []
    for b in range(form.batch_shape[0]):
        P, Q = (tuple(part[b if part.shape[0] > 1 else 0] for part in parts) for parts in (form.P, form.Q))
        entry = dataclasses.replace(form, P=P, Q=Q, batch_shape=form.batch_shape[1:])
        rows.append(_sweeps(entry, log_w[b if log_w.shape[0] > 1 else 0]))
    return torch.stack(rows)
