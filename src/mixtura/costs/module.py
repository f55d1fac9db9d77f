"""The costs as modules, for loops of one's own: ``loss = NuclearNorm()(p, q)``."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn

from mixtura.costs.bound import Bound, Reading
from mixtura.costs.conditional import conditional
from mixtura.costs.likelihood import likelihood
from mixtura.costs.operators import bures, nuclear_norm, trace
from mixtura.costs.projections import matrix_matrix, vector_matrix
from mixtura.costs.reading import choose_reading
from mixtura.costs.scalar import scalar
from mixtura.distributions import Mixture

__all__ = ["COSTS", "SAMPLED", "Cost"]

COSTS = {
    "scalar": scalar,
    "vector_matrix": vector_matrix,
    "matrix_matrix": matrix_matrix,
    "nuclear_norm": nuclear_norm,
    "trace": trace,
    "conditional": conditional,
    "likelihood": likelihood,
    "bures": bures,
}
"""The costs by name."""
SAMPLED = ("scalar", "nuclear_norm", "conditional")
"""Those that have a sampled reading: the others have no self term, or one whose inverse they take."""


class Cost(nn.Module):
    """Return the loss of a cost, ``Cost("nuclear_norm")(p, q)``, a number: the mean over batch dimensions.

    Args:
        name: a key of :data:`COSTS`.
        reading: ``"finite"``, ``"sampled"``, or ``"auto"``: the first p decides, by :func:`choose_reading`. Costs
            without a sampled reading are always read as finite.

    Attributes:
        reading: what is in force; ``"auto"`` until the first p has been seen.

    Raises:
        ValueError: where the name is unknown, or the cost has no sampled reading and one is asked for.

    Example:
        >>> import torch, mixtura as mx
        >>> p = mx.GaussianMixture.from_samples(torch.randn(64, 2), variance=0.5)
        >>> q = mx.GaussianMixture.from_samples(torch.randn(64, 2, requires_grad=True), variance=0.5)
        >>> cost = mx.costs.Cost("nuclear_norm")
        >>> cost(p, q).backward()
        >>> cost
        Cost('nuclear_norm', reading='finite')
    """

    def __init__(self, name: str, reading: Reading | Literal["auto"] = "auto") -> None:
        super().__init__()
        if name not in COSTS:
            raise ValueError(f"name must be one of {', '.join(COSTS)}, got {name!r}.")
        if reading not in ("auto", "finite", "sampled"):
            raise ValueError(f"reading must be 'auto', 'finite' or 'sampled', got {reading!r}.")
        if reading == "sampled" and name not in SAMPLED:
            raise ValueError(f"{name} has no sampled reading; {', '.join(SAMPLED)} have.")
        self.name = name
        self.reading: str = reading if name in SAMPLED else "finite"

    def bound(self, p: Mixture[Any], q: Mixture[Any]) -> Bound:
        """Return the :class:`Bound` of p and q."""
        if self.reading == "auto":
            self.reading = choose_reading(p)
        cost: Any = COSTS[self.name]
        return cost(p, q, self.reading) if self.name in SAMPLED else cost(p, q)

    def forward(self, p: Mixture[Any], q: Mixture[Any]) -> Tensor:
        """Return the loss of p and q."""
        return self.bound(p, q).loss.mean()

    def __repr__(self) -> str:
        return f"Cost({self.name!r}, reading={self.reading!r})"
