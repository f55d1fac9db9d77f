"""One step of one network, or of several side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["clip_gradients"]

_LARGEST_NORM = 1.0


def clip_gradients(parameters: Sequence[nn.Parameter], value: Tensor) -> Tensor:
    """Clip the gradient of each network to norm 1, and set it to zero where it or the loss is not finite.

    Args:
        parameters: with gradients; those of E networks have a first dimension E.
        value: the loss, shape ``()`` of one network or ``(E,)``.

    Returns:
        Which networks have a finite loss and gradient, of the shape of ``value``.
    """
    grads = [p.grad for p in parameters if p.grad is not None]
    if value.dim() == 0:
        norm = nn.utils.clip_grad_norm_(parameters, _LARGEST_NORM)
        return torch.isfinite(norm + value)
    norm = torch.stack([g.flatten(1).norm(dim=1) for g in grads]).norm(dim=0)
    finite = torch.isfinite(norm + value)
    all_finite = bool(finite.all())
    factor = (_LARGEST_NORM / (norm + 1e-6)).clamp(max=1)
    for g in grads:
        shape = (-1, *(1,) * (g.dim() - 1))
        g.mul_(factor.reshape(shape))
        if not all_finite:
            g.masked_fill_(~finite.reshape(shape), 0.0)
    return finite
