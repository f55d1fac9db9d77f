"""Second derivatives of functions whose first derivative is written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["recomputed_gradients"]


def recomputed_gradients(
    f: Callable[..., Tensor], inputs: Sequence[Tensor | None], needs: Sequence[bool], g: Tensor
) -> tuple[Tensor | None, ...]:
    """Return the gradients of ``f(*inputs)`` by differentiating it, so that they can be differentiated once more.

    It is what the backward of a :class:`torch.autograd.Function` calls where a closed form is not enough. Aliases of
    the inputs are differentiated, for an input may stand in two places or depend on another one, and each place has its
    own share of the gradient.

    Args:
        f: differentiable.
        inputs: of f; None where one is missing.
        needs: whose gradients are wanted.
        g: gradient of what f returns.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        aliases = [None if t is None else t.view_as(t) for t in inputs]
        found = f(*aliases)
    wanted = [t for t, need in zip(aliases, needs, strict=True) if need and t is not None]
    gradients = iter(torch.autograd.grad(found, wanted, g, create_graph=again))
    return tuple(next(gradients) if need else None for need in needs)
