"""The log-density of a Gaussian mixture as one operation with a closed-form gradient."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from mixtura._recompute import recomputed_gradients

__all__ = ["log_density"]


def log_density(logits: Tensor, loc: Tensor, scale: Tensor, below: Tensor | None, value: Tensor) -> Tensor:
    r"""Return ``log p(x) = log Σ_k w_k N(x; m_k, S_k)`` with ``w = softmax(logits)``, shape ``(*S, *B)``.

    Each coordinate of a component regresses on those before it: ``z = (I + B)(x - m) / s`` is standard normal, with B
    strictly lower triangular. With responsibilities r and ``h = r z / s`` the gradients are ``r - w`` in the logits,
    ``h z - r / s`` in s, ``-h_i (x - m)_j`` in ``B_ij`` and ``(I + B)ᵀ h`` in m. Automatic differentiation passes over
    tensors of N·K·D numbers three times as often, and a new tensor of a batch's size costs more than its arithmetic.

    A second derivative, ``torch.func``, forward-mode and ``torch.compile`` get the same formula in plain operations.

    Args:
        logits: unnormalised log-weights, shape ``(*B, K)``.
        loc: means m, shape ``(*B, K, D)``.
        scale: s, broadcastable to the shape of ``loc``; the last dimension may be 1.
        below: rows of B below its diagonal one after another, broadcastable to ``(*B, K, D(D-1)/2)``; None is zero.
        value: x, shape ``(*S, *B, D)``.
    """
    inputs = (logits, loc, scale, below, value)
    if _transformed():
        return _plain(*inputs)
    found: Any = _LogDensity.apply(*inputs)
    return found


def _transformed() -> bool:
    """Whether something other than the usual backward pass looks at the operations."""
    in_func = torch._C._are_functorch_transforms_active()
    return in_func or torch.compiler.is_compiling() or forward_ad._current_level >= 0


def _plain(logits: Tensor, loc: Tensor, scale: Tensor, below: Tensor | None, value: Tensor) -> Tensor:
    z = _residual(value.unsqueeze(-2) - loc, below) / scale  # (*S, *B, K, D)
    component = -0.5 * z.square().sum(-1) - _log_norm(scale, loc.shape[-1])
    return torch.logsumexp(torch.log_softmax(logits, -1) + component, -1)


def _log_norm(scale: Tensor, D: int) -> Tensor:
    """Return the log of the normalising constant, broadcastable to ``(*B, K)``."""
    return scale.log().sum(-1) * (D / scale.shape[-1]) + 0.5 * D * math.log(2 * math.pi)


def _residual(offset: Tensor, below: Tensor | None) -> Tensor:
    """Return ``(I + B) offset``."""
    if below is None:
        return offset
    rows = below.split(tuple(range(offset.shape[-1])), -1)
    return offset + torch.stack([(row * offset[..., :i]).sum(-1) for i, row in enumerate(rows)], -1)


class _LogDensity(Function):
    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, logits: Tensor, loc: Tensor, scale: Tensor, below: Tensor | None, value: Tensor
    ) -> Tensor:
        offset = value.unsqueeze(-2) - loc
        z = _residual(offset, below).div_(scale)
        log_w = logits - logits.amax(-1, keepdim=True)  # not yet normalised
        joint = z.square().sum(-1).mul_(-0.5).sub_(_log_norm(scale, loc.shape[-1])).add_(log_w)
        w, log_total = _normalise(log_w)
        r, found = _normalise(joint)
        ctx.save_for_backward(logits, loc, scale, below, value, w, r, z, None if below is None else offset)
        return found.sub_(log_total).squeeze(-1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        *inputs, w, r, z, offset = ctx.saved_tensors
        if torch.is_grad_enabled() or _transformed():
            return recomputed_gradients(_plain, inputs, ctx.needs_input_grad, g)
        _, _, scale, below, _ = inputs
        g = g.unsqueeze(-1)
        weighted = (g * r).unsqueeze(-1)  # (*S, *B, K, 1)
        h = (weighted * z).div_(scale)
        of_logits = of_scale = of_below = None
        if ctx.needs_input_grad[0]:
            of_logits = weighted.squeeze(-1) - g * w
        if ctx.needs_input_grad[2]:
            of_scale = torch.mul(h, z).addcdiv_(weighted, scale, value=-1)
        if below is not None:
            of_below, h = _through_rows(below, offset, h)
        of_value = -h.sum(-2) if ctx.needs_input_grad[4] else None
        grads = (of_logits, h, of_scale, of_below, of_value)
        return tuple(None if t is None else t.sum_to_size(x.shape) for t, x in zip(grads, inputs, strict=True))


def _normalise(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return softmax, in the memory of x, and logsumexp, shape ``(*, 1)``, in half the time of torch's for few K."""
    limits = torch.finfo(x.dtype)
    top = x.amax(-1, keepdim=True).clamp_(limits.min, limits.max)  # of no density anywhere: -inf
    total = x.sub_(top).exp_().sum(-1, keepdim=True)
    return x.div_(total), total.log().add_(top)


def _through_rows(below: Tensor, offset: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients ``-h_i offset_j`` in ``B_ij`` and ``(I + B)ᵀ h`` in m."""
    of_below = h.new_zeros(*h.shape[:-1], below.shape[-1])
    of_loc = h.clone()
    sizes = tuple(range(h.shape[-1]))
    for i, (row, of_row) in enumerate(zip(below.split(sizes, -1), of_below.split(sizes, -1), strict=True)):
        of_row.addcmul_(h[..., i : i + 1], offset[..., :i], value=-1)
        of_loc[..., :i].addcmul_(h[..., i : i + 1], row)
    return of_below, of_loc
