"""A head for targets that often take exactly one of a few values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mixtura.distributions import AtomMixture
from mixtura.nn.heads import MixtureHead
from mixtura.nn.stacked import linear

__all__ = ["AtomHead"]


class AtomHead(nn.Module):
    """Put point masses beside the mixture of another head: rain that is often exactly zero, scores that are cut off.

    The weights of the A atoms and of the continuous part are ``softmax(W h + c)``.

    Args:
        head: of the continuous part, of any family.
        atoms: positions in units of the target, shape ``(A, T)``, or ``(A,)`` for one target.

    Raises:
        ValueError: where atoms has another shape or holds a value that is not finite.

    Example:
        >>> import torch, mixtura as mx
        >>> head = mx.nn.AtomHead(mx.nn.MixtureHead(in_features=16, out_features=1), atoms=torch.tensor([0.0]))
        >>> head(torch.zeros(5, 16))
        AtomMixture(batch_shape=(5,), event_shape=(1,), atoms=1, continuous=GaussianMixture)
    """

    atoms: Tensor

    def __init__(self, head: MixtureHead, atoms: Tensor) -> None:
        super().__init__()
        positions = atoms.unsqueeze(-1) if atoms.dim() == 1 else atoms
        if positions.dim() != 2 or positions.shape[-1] != head.out_features or len(positions) == 0:
            raise ValueError(f"atoms has shape {tuple(atoms.shape)}; it must be (A, {head.out_features}) with A >= 1.")
        if not bool(torch.isfinite(positions).all()):
            raise ValueError("atoms holds a value that is not finite.")
        self.head = head
        self.register_buffer("atoms", positions.to(head.linear.weight, copy=True))
        self.linear = linear(head.linear.in_features, len(positions) + 1, head.members)
        with torch.no_grad():
            self.linear.weight.mul_(0.1)  # start near masses that do not depend on h
            self.linear.bias.zero_()

    def initialize(self, y: Tensor) -> None:
        """Start the masses at the shares of the targets ``y``, shape ``(N, T)``, and the rest as the head does.

        Raises:
            ValueError: where every target is an atom, or as :meth:`MixtureHead.initialize` does.
        """
        here = self.matches(y)
        rest = ~here.any(-1)
        if not bool(rest.any()):
            raise ValueError("every target is an atom: there is nothing for the continuous part to learn.")
        self.head.initialize(y[rest])
        share = torch.cat([here.sum(0), rest.sum().unsqueeze(0)]).to(self.linear.bias)
        with torch.no_grad():
            self.linear.bias.copy_((share + 0.5).log())  # half a row more, so that an unseen atom keeps a gradient

    def matches(self, y: Tensor) -> Tensor:
        """Return whether each target is each atom, shape ``(*B, A)`` for y of shape ``(*B, T)``."""
        return (y.unsqueeze(-2) == self.atoms.to(y)).all(-1)

    def forward(self, h: Tensor | Sequence[Tensor]) -> AtomMixture:
        """Return the distribution for features ``h`` of shape ``(*B, in_features)``: batch_shape ``B``; or for three of
        them, as :class:`MixtureHead` takes them."""
        logits = self.linear(h if isinstance(h, Tensor) else h[0])
        return AtomMixture(logits, self.atoms, self.head(h), validate_args=False)
