"""Starting single components of trained networks afresh."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mixtura.nn.heads import MixtureHead

__all__ = ["restart"]


def restart(head: MixtureHead, h: Tensor | Sequence[Tensor], chosen: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Start components afresh, in place: where they are told to be, for every x, each with a weight near 1/K.

    Their rows of the linear map become zero, and the bias of their logit is the mean of ``log Σ exp`` of the logits of
    the other components, shared out evenly: ``- log`` of their number.

    Args:
        head: of E networks side by side.
        h: features of some rows, of batch shape ``(E, n)``, as the head takes them.
        chosen: which components, shape ``(E, K)``; not all that a network has.
        loc: their locations, shape ``(E, K, T)``; those of components that are not chosen do not matter.
        scale: their scales, shape ``(E, T)``.

    Returns:
        Which outputs of ``head.linear`` were changed, shape ``(E, out_features)``.
    """
    E, K, _ = loc.shape
    with torch.no_grad():
        out = chosen if head._missing is None else chosen | head._missing
        others = head._raw(h)[0].masked_fill(out.unsqueeze(1), -torch.inf)
        logit = others.logsumexp(-1).mean(1, keepdim=True) - (~out).sum(-1, keepdim=True).to(others).log()  # (E, 1)
        dependence = loc.new_zeros(E, head._sizes[3])
        if head.covariance == "low_rank":
            dependence.normal_(std=0.1)  # a factor of zero has no gradient
        start = torch.cat([logit.expand(E, K), loc.flatten(1), head._raw_scale(scale).repeat(1, K), dependence], -1)
        mask = torch.cat([chosen.repeat_interleave(size // K, -1) for size in head._sizes], -1)
        head.linear.weight.masked_fill_(mask.unsqueeze(-1), 0.0)
        head.linear.bias.copy_(torch.where(mask, start, head.linear.bias))
    return mask
