"""Seeds that stay inside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["isolated_seed"]


@contextmanager
def isolated_seed(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed torch inside the block and put its global generators back afterwards.

    Example:
        >>> import torch
        >>> from mixtura.training import isolated_seed
        >>> before = torch.get_rng_state()
        >>> with isolated_seed(0):
        ...     x = torch.randn(3)
        >>> torch.equal(before, torch.get_rng_state())
        True
    """
    device = torch.device(device)
    cuda = device.type == "cuda"
    devices = [torch.cuda.current_device() if device.index is None else device.index] if cuda else []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU, and no one would mend that
        for index in devices:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield
