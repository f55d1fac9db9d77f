"""What every cost returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import torch
from torch import Tensor

__all__ = ["Bound", "Reading"]

Reading = Literal["finite", "sampled"]
"""``"finite"``: the components are the mixture. ``"sampled"``: they are a sample of one with infinitely many."""


@dataclass(frozen=True)
class Bound:
    """Hold the value of a cost, the bound that it cannot exceed, and the gap between them.

    All numbers are float64, whatever the precision of the mixtures: a gap is a difference of large logs. They have the
    batch shape ``*B`` of the mixtures; in many dimensions a log may be -1e5, which is right and cancels in the gap.

    In the sampled reading nothing is a bound but in expectation: ``log_bound`` is what a second sample attains, the
    gap may be a little below zero, and ``loss`` has a ``standard_error``.
    """

    log_value: Tensor
    """Log of the value, in units of ``log 1/x``."""
    loss: Tensor
    """What to minimise: the gap in nats, but for terms that do not depend on the model; so training does not pay for
    them. Sampled: the debiased divergence in units of the larger trace, but for its constant."""
    reading: Reading = "finite"
    """How the arguments were read."""
    find_log_bound: Callable[[], Tensor] | None = None
    find_spectrum: Callable[[], Tensor] | None = None
    find_divergence: Callable[[], Tensor] | None = None
    find_standard_error: Callable[[], Tensor] | None = None

    @classmethod
    def of(cls, log_value: Tensor, loss: Tensor, log_bound: Tensor | None) -> Bound:
        """Return a bound whose numbers are known; without functions of mixtures, it can be pickled."""
        return cls(log_value, loss, find_log_bound=None if log_bound is None else partial(torch.clone, log_bound))

    @cached_property
    def log_bound(self) -> Tensor | None:
        """What ``log_value`` cannot exceed, computed when it is first looked at; None where there is no bound."""
        return None if self.find_log_bound is None else self.find_log_bound()

    @cached_property
    def gap(self) -> Tensor:
        """``log_bound - log_value`` in nats, zero where the model is right, never negative where p and q are finite.

        What rounding leaves below zero is zero; its gradient there is not cut off.

        Raises:
            ValueError: where the cost has no bound.
        """
        if self.log_bound is None:
            raise ValueError("this cost has no bound, so it has no gap: minimise loss.")
        gap = self.log_bound - self.log_value
        return gap if self.reading == "sampled" else gap + (-gap).clamp_min(0).detach()

    @cached_property
    def spectrum(self) -> Tensor | None:
        """Shares of the value along its singular directions, largest first, summing to one; None for a scalar cost."""
        if self.find_spectrum is None:
            return None
        with torch.no_grad():
            return torch.softmax(self.find_spectrum(), -1)

    @property
    def effective_rank(self) -> Tensor | None:
        """``exp(-Σ s log s)`` of the spectrum s: how many directions carry the value (Roy & Vetterli 2007)."""
        s = self.spectrum
        return None if s is None else torch.special.entr(s).sum(-1).exp()

    @cached_property
    def divergence(self) -> Tensor:
        """The debiased divergence with its constant, zero in expectation where q = p.

        Raises:
            ValueError: in the finite reading, whose distance from the bound is the gap.
        """
        if self.find_divergence is None:
            raise ValueError('only the sampled reading has a divergence: pass reading="sampled", or look at gap.')
        return self.find_divergence()

    @cached_property
    def standard_error(self) -> Tensor:
        """Standard error of the divergence over samples of p and q; of a bound over draws of codes, that of its gap.

        Raises:
            ValueError: in the finite reading of mixtures, where nothing is random.
        """
        if self.find_standard_error is None:
            raise ValueError('only the sampled reading has a standard error: pass reading="sampled".')
        return self.find_standard_error()
