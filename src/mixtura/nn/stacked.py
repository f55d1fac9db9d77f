"""Layers of several networks of one shape, side by side: one product instead of one per network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["StackedLayerNorm", "StackedLinear", "layer_norm", "linear"]


class StackedLinear(nn.Module):
    """Map the features of E networks by E linear maps, each started as :class:`torch.nn.Linear` is.

    Args:
        members: number of networks E.
        in_features: width of h.
        out_features: width of the result.
    """

    def __init__(self, members: int, in_features: int, out_features: int) -> None:
        super().__init__()
        single = [nn.Linear(in_features, out_features) for _ in range(members)]
        self.in_features, self.out_features = in_features, out_features
        self.weight = nn.Parameter(torch.stack([s.weight.detach() for s in single]))
        self.bias = nn.Parameter(torch.stack([s.bias.detach() for s in single]))

    def forward(self, h: Tensor) -> Tensor:
        """Return features of shape ``(E, *B, out_features)`` for ``h`` of shape ``(E, *B, in_features)``."""
        rows = h.flatten(1, -2) if h.dim() > 2 else h.unsqueeze(1)
        return torch.baddbmm(self.bias.unsqueeze(1), rows, self.weight.mT).reshape(*h.shape[:-1], -1)

    def extra_repr(self) -> str:
        """Return the settings that ``repr`` shows."""
        return f"members={len(self.weight)}, in_features={self.in_features}, out_features={self.out_features}"


class StackedLayerNorm(nn.Module):
    """Normalise the features of E networks, each with its own scale and shift.

    Args:
        members: number of networks E.
        features: width of h.
    """

    def __init__(self, members: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(members, features))
        self.bias = nn.Parameter(torch.zeros(members, features))

    def forward(self, h: Tensor) -> Tensor:
        """Return features of the shape of ``h``, ``(E, *B, features)``."""
        shape = (h.shape[0], *(1,) * (h.dim() - 2), h.shape[-1])
        normal = nn.functional.layer_norm(h, h.shape[-1:])
        return torch.addcmul(self.bias.reshape(shape), normal, self.weight.reshape(shape))


def linear(in_features: int, out_features: int, members: int | None) -> nn.Linear | StackedLinear:
    """Return the linear layer of one network (None) or of several."""
    if members is None:
        return nn.Linear(in_features, out_features)
    return StackedLinear(members, in_features, out_features)


def layer_norm(features: int, members: int | None) -> nn.LayerNorm | StackedLayerNorm:
    """Return the normalisation of one network (None) or of several."""
    return nn.LayerNorm(features) if members is None else StackedLayerNorm(members, features)
