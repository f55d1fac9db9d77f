"""Checks of what a mixture is given."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mixtura.distributions.spreads import Spread

__all__ = ["check_levels", "check_value", "check_values", "chosen_dims", "mixture_shapes"]


def mixture_shapes(logits: Tensor, loc: Tensor, spread: Spread) -> tuple[torch.Size, int, int]:
    """Return the batch shape, K and D, or say which two arguments disagree."""
    given = f"logits has shape {tuple(logits.shape)} and loc, with its event dimension, {tuple(loc.shape)}"
    if logits.dim() < 1 or loc.dim() < 2 or logits.shape[-1] != loc.shape[-2] or 0 in loc.shape[-2:]:
        raise ValueError(f"{given}; they must be (*B, K) and (*B, K, D) with the same K >= 1 and D >= 1.")
    K, D = loc.shape[-2:]
    if spread.dimension not in (None, D):
        raise ValueError(
            f"{spread!r} is for D = {spread.dimension} dimensions, but loc has shape {tuple(loc.shape)}, D = {D}."
        )
    if len(spread.batch_shape) and spread.batch_shape[-1] not in (1, K):
        raise ValueError(
            f"{spread!r} is for K = {spread.batch_shape[-1]} components, but loc has shape {tuple(loc.shape)}, K = {K}."
        )
    try:
        batch_shape = torch.broadcast_shapes(logits.shape[:-1], loc.shape[:-2], spread.batch_shape[:-1])
    except RuntimeError:
        raise ValueError(f"{given}, beside {spread!r}; their batch dimensions do not broadcast.") from None
    return batch_shape, K, D


def check_values(logits: Tensor, loc: Tensor, name: str = "loc") -> None:
    """Raise ValueError where the weights are no weights or a location is not finite."""
    if bool((logits.isnan() | (logits == math.inf)).any()):
        raise ValueError("logits must not hold NaN or +inf.")
    if bool((logits == -math.inf).all(-1).any()):
        raise ValueError("logits are all -inf in one mixture: its weights sum to nothing.")
    if not bool(torch.isfinite(loc).all()):
        raise ValueError(f"{name} holds a value that is not finite.")


def check_value(value: Tensor, batch_shape: torch.Size, event_shape: torch.Size, no_nan: bool) -> None:
    """Raise ValueError where a value does not have the shape ``(*S, *B, *event_shape)`` or, if asked, holds NaN."""
    event = len(event_shape)
    if event and (value.dim() == 0 or value.shape[-1] != event_shape[0]):
        raise ValueError(
            f"value has shape {tuple(value.shape)}; its last dimension must be the D = {event_shape[0]} of loc."
        )
    try:
        torch.broadcast_shapes(value.shape[: value.dim() - event], batch_shape)
    except RuntimeError:
        raise ValueError(
            f"value has shape {tuple(value.shape)}, which does not broadcast with batch_shape "
            f"{tuple(batch_shape)} and event_shape {tuple(event_shape)}."
        ) from None
    if no_nan and bool(value.isnan().any()):
        raise ValueError("value holds NaN.")


def check_levels(value: Tensor) -> None:
    """Raise ValueError where a probability is outside [0, 1]."""
    if bool(((value < 0) | (value > 1)).any()):
        raise ValueError("value of icdf must lie in [0, 1]: it is a probability.")


def chosen_dims(dims: int | Sequence[int], event_shape: torch.Size) -> list[int]:
    """Return the coordinates ``dims``, all counted from the front, or raise IndexError."""
    chosen = [dims] if isinstance(dims, int) else list(dims)
    D = event_shape[0] if event_shape else 0
    inside = all(-D <= d < D for d in chosen)
    chosen = [d % D for d in chosen] if inside else chosen
    if not inside or not chosen or len(set(chosen)) < len(chosen):
        raise IndexError(
            f"dims {dims} do not name distinct coordinates of a mixture with event_shape {tuple(event_shape)}."
        )
    return chosen
