"""No cost exceeds its bound, whatever the mixtures, and no number is lost on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from mixtura.costs import COSTS, Bound
from tests.costs.drawing import Drawn, draw

ROUNDING = {torch.float32: 1e-4, torch.float64: 1e-9}
PARAMETERS = [f"{parameter} of {side}" for side in "pq" for parameter in ("logits", "loc", "variance")]


@dataclass
class Tally:
    """What was seen of one cost in one precision."""

    cases: int = 0
    worst: float = -float("inf")
    """Largest excess of a value over its bound, in nats."""
    at: str = ""
    wrong: list[str] = field(default_factory=list)

    def see(self, excess: float, name: str) -> None:
        self.cases += 1
        if excess > self.worst:
            self.worst, self.at = excess, name


def tally(seeds: range) -> dict[tuple[str, torch.dtype], Tally]:
    """Return what is seen of every cost and precision over drawn cases."""
    found: dict[tuple[str, torch.dtype], Tally] = defaultdict(Tally)
    for seed in seeds:
        case = draw(seed)
        dtype, values = case.p.loc.dtype, {}
        for cost in COSTS:
            if cost == "trace" and case.p.components != case.q.components:
                continue
            seen = found[cost, dtype]
            bound = COSTS[cost](case.p, case.q)
            values[cost] = bound.log_value.detach()
            excess = -float("inf") if bound.log_bound is None else _largest(bound.log_value - bound.log_bound)
            seen.see(excess, case.name)
            seen.wrong += [f"{case.name}: {what}" for what in _not_finite(case, bound)]
        if "trace" in values:
            found["trace beside nuclear_norm", dtype].see(_largest(values["trace"] - values["nuclear_norm"]), case.name)
    return dict(found)


def _not_finite(case: Drawn, bound: Bound) -> Iterator[str]:
    """Name what of a bound or of the gradient of its gap, where it has one, or else of its loss is not finite."""
    target = bound.loss if bound.log_bound is None or bound.find_log_bound is None else bound.gap
    for name, value in (("log_value", bound.log_value), ("loss", bound.loss), ("gap", target)):
        if not bool(torch.isfinite(value).all()):
            yield name
    gradients = torch.autograd.grad((target + bound.loss).sum(), case.leaves, allow_unused=True)
    for name, gradient in zip(PARAMETERS, gradients, strict=True):
        if gradient is not None and not bool(torch.isfinite(gradient).all()):
            yield f"gradient in {name}"


def _largest(excess: Tensor) -> float:
    return float(excess.detach().max())


def _check(seeds: range) -> None:
    found = tally(seeds)
    for (cost, dtype), seen in sorted(found.items(), key=str):
        print(f"{cost:26} {dtype}: {seen.cases:5} cases, worst {seen.worst:9.2e}, {len(seen.wrong)} wrong; {seen.at}")
    for (cost, dtype), seen in found.items():
        assert not seen.wrong, f"{cost}: {seen.wrong[:5]}"
        assert seen.worst <= ROUNDING[dtype], f"{cost}: {seen.worst} above its bound at {seen.at}"


def test_bounds_of_drawn_cases() -> None:
    _check(range(150))


@pytest.mark.slow
def test_bounds_of_ten_thousand_drawn_cases() -> None:
    _check(range(10_000))
