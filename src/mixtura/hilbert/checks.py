"""What two mixtures must have in common before they can meet."""

from __future__ import annotations

import torch
from torch.distributions import Distribution

__all__ = ["check_pair"]


def check_pair(p: Distribution, q: Distribution) -> torch.Size:
    """Return the common batch shape of p and q, or raise ValueError with both shapes of both arguments."""
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"p has event_shape {tuple(p.event_shape)} and q has event_shape {tuple(q.event_shape)}: "
            "both must live in the same space."
        )
    try:
        return torch.broadcast_shapes(p.batch_shape, q.batch_shape)
    except RuntimeError:
        raise ValueError(
            f"p has batch_shape {tuple(p.batch_shape)} and q has batch_shape {tuple(q.batch_shape)}, "
            "which do not broadcast."
        ) from None
