"""Which components of trained networks are used, and which are as narrow as they may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mixtura.distributions import AtomMixture
from mixtura.nn import MDN, AtomHead, MixtureHead
from mixtura.training.advice import about_floors, about_grids, about_usage

__all__ = ["ComponentHealth", "component_health", "is_atom", "is_dead", "mixture_head", "present"]

_DEAD = 0.01
"""A component is dead where it explains less than this part of an even share of the rows."""
_NEAR = 1.1
"""A scale rests on its floor where it is less than this times as large."""
_ROWS = 8192
_CHUNK = 512


@dataclass(frozen=True)
class ComponentHealth:
    """Hold what became of the components of E networks; ``print`` says what to do about it.

    Where networks differ in their number of components, what one does not have is NaN.

    Example:
        >>> import torch
        >>> from mixtura.training import ComponentHealth
        >>> usage, scale = torch.tensor([[0.7, 0.3, 0.0]]), torch.full((1, 3, 1), 0.2)
        >>> health = ComponentHealth(usage, scale, torch.zeros(1, 3, 1), torch.tensor([1e-3]), torch.zeros(1))
        >>> health.dead
        tensor([[False, False,  True]])
        >>> print(health)
        1 of 3 components is not used: it explains less than 0.333 % of the rows. No network uses more than 2, so
        components=2 would do; a weight_prior above zero keeps all of them in use.
    """

    usage: Tensor
    """Share of the rows that each component explains, its mean responsibility, shape ``(E, K)``."""
    smallest_scale: Tensor
    """Smallest scale over the rows, in units of each target, shape ``(E, K, T)``."""
    at_floor: Tensor
    """Share of a component's own rows where its scale is within 10 % of the floor, shape ``(E, K, T)``."""
    floor: Tensor
    """The smallest scale that a component may have, in units of each target, shape ``(T,)``."""
    step: Tensor
    """Of the grid that each target lies on, zero for none, shape ``(T,)``."""

    @property
    def dead(self) -> Tensor:
        """Which components explain less than a hundredth of an even share of the rows, ``.01/K``, shape ``(E, K)``."""
        return is_dead(self.usage)

    @property
    def advice(self) -> str:
        """What is the case, and what to do, in sentences."""
        step, floor = self.step.tolist(), self.floor.tolist()
        resting = self.at_floor.nan_to_num().masked_fill(self.dead.unsqueeze(-1), 0.0)
        usage = about_usage(self.usage, self.dead, _DEAD)
        return " ".join([usage, *about_grids(step, floor), *about_floors(resting, step, floor)])

    def __str__(self) -> str:
        return self.advice

    def state(self) -> dict[str, Tensor]:
        """Return the tensors, by the names of the constructor's arguments."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def component_health(
    network: MDN, data: Sequence[Tensor], *, scale: Tensor | None = None, step: Tensor | None = None
) -> ComponentHealth:
    """Look at what every component of a network, or of E networks side by side, does on rows of data.

    With atoms, it is about the continuous components and the rows that are not atoms. Of many rows 8192 are read,
    evenly spread over them.

    Args:
        network: is read in evaluation mode.
        data: inputs (N, d), targets (N, T) and weights (N,) of the rows, in the network's units.
        scale: what one unit of the network is in units of each target, shape ``(T,)``; None is 1.
        step: of the grid that each target lies on, in units of the target, zero for none, shape ``(T,)``.

    Raises:
        ValueError: where every target is an atom or the weights sum to nothing.

    Example:
        >>> import torch, mixtura as mx
        >>> from mixtura.training import component_health
        >>> x = torch.linspace(-1, 1, 100).unsqueeze(-1)
        >>> mdn = mx.nn.MDN(1, 1, components=3, hidden=(8,))
        >>> mdn.head.initialize(x)
        >>> print(component_health(mdn, (x, x, torch.ones(100))))
        All 3 components are used.
    """
    head = mixture_head(network)
    here = next(network.parameters())
    units = torch.ones(head.out_features) if scale is None else scale
    rows = (~is_atom(network, data[1].to(here))).nonzero().squeeze(-1)
    if not len(rows):
        raise ValueError("every target is an atom: there are no rows for the components to explain.")
    rows = rows[torch.linspace(0, len(rows) - 1, min(len(rows), _ROWS), dtype=torch.float64).round().long()]
    x, y, weight = (t[rows.to(t.device)].to(here) for t in data)
    if not float(weight.sum()) > 0:
        raise ValueError("the weights of the rows sum to nothing.")
    E, K, T = head.members or 1, head.components, head.out_features
    usage, resting = (torch.zeros(s, dtype=torch.float64, device=here.device) for s in ((E, K), (E, K, T)))
    smallest = torch.full_like(resting, torch.inf)
    training = network.training
    network.eval()
    with torch.no_grad():
        for xs, ys, ws in zip(x.split(_CHUNK), y.split(_CHUNK), weight.double().split(_CHUNK), strict=True):
            h = network.features(xs if network.members is None else xs.expand(E, *xs.shape))
            q = network.head(h)
            q = q.continuous if isinstance(q, AtomMixture) else q
            r = ws.unsqueeze(-1) * q.responsibilities(ys).reshape(E, len(ys), K)
            s = head.scales(h).reshape(E, len(ys), K, -1).expand(-1, -1, -1, T)
            usage += r.sum(1)
            resting += (r.unsqueeze(-1) * (s < _NEAR * head.min_scale)).sum(1)
            smallest = torch.minimum(smallest, s.amin(1))
    network.train(training)
    missing = ~present(head).cpu()
    own = usage.unsqueeze(-1).clamp_min(torch.finfo(torch.float64).tiny)
    units = units.double().cpu()
    return ComponentHealth(
        (usage / weight.double().sum()).cpu().masked_fill(missing, torch.nan),
        (smallest.cpu() * units).masked_fill(missing.unsqueeze(-1), torch.nan),
        (resting / own).cpu().masked_fill(missing.unsqueeze(-1), torch.nan),
        head.min_scale * units,
        torch.zeros_like(units) if step is None else step.to(units, copy=True),
    )


def is_dead(usage: Tensor) -> Tensor:
    """Return which components explain less than ``.01/K`` of the rows; NaN, where there is no component, is not dead.

    Args:
        usage: shares of the rows, shape ``(E, K)``.
    """
    return usage < _DEAD / (~usage.isnan()).sum(-1, keepdim=True)


def is_atom(network: MDN, y: Tensor) -> Tensor:
    """Return which targets are atoms of the network, shape ``(*B,)`` for y of shape ``(*B, T)``."""
    if not isinstance(network.head, AtomHead):
        return torch.zeros(y.shape[:-1], dtype=torch.bool, device=y.device)
    return network.head.matches(y).any(-1)


def mixture_head(network: MDN) -> MixtureHead:
    """Return the head of the components, with atoms or without."""
    return network.head.head if isinstance(network.head, AtomHead) else network.head


def present(head: MixtureHead) -> Tensor:
    """Return which components each network has, shape ``(E, K)``."""
    shape = head.members or 1, head.components
    return torch.ones(shape, dtype=torch.bool) if head._missing is None else ~head._missing.reshape(shape)
