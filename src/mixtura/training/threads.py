"""How many threads a small step deserves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["fitting_threads"]

_SMALL = 1e9


@contextmanager
def fitting_threads(work: float) -> Iterator[None]:
    """Let torch use one thread inside the block where a step is small, and put its thread count back afterwards.

    A step of a small network ends before threads that share it have met: two threads gain nothing on an idle machine,
    and on a busy one, where each must wait for the other at every operation, they were measured to be twenty times
    slower.

    Args:
        work: multiplications of one step, about rows times weights.

    Example:
        >>> import torch
        >>> before = torch.get_num_threads()
        >>> with fitting_threads(work=1e6):
        ...     torch.get_num_threads()
        1
        >>> torch.get_num_threads() == before
        True
    """
    before = torch.get_num_threads()
    if work >= _SMALL or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
