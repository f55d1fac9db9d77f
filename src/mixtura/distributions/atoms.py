"""Point masses beside a continuous part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from mixtura.distributions.checks import check_levels, check_values, chosen_dims
from mixtura.distributions.mixture import Mixture
from mixtura.distributions.weighted import WeightedSum

__all__ = ["AtomMixture"]


class AtomMixture(WeightedSum):
    r"""Hold A point masses at known positions beside a continuous mixture, ``Σ_a w_a δ(x - y_a) + w_c q(x)``: rain that
    often is exactly zero, payments that nobody claimed, scores that are cut off.

    ``log_prob`` is the density with respect to the counting measure on the atoms plus Lebesgue's: exactly at an atom it
    is the log of the atom's mass, everywhere else ``log w_c + log q(x)``. Values are compared with the positions in the
    dtype of the continuous part.

    Args:
        logits: unnormalised log-weights of the A atoms and, last, of the continuous part, shape ``(*B, A + 1)``.
        atoms: positions y in units of x, shape ``(*B, A, *event_shape)``; without ``*B`` all mixtures have the same.
        continuous: q, of any family.
        validate_args: check parameters and values; None follows torch's global default.

    Raises:
        ValueError: where shapes do not fit, a position is not finite, or the weights sum to nothing.

    Example:
        >>> import torch, mixtura as mx
        >>> wet = mx.GaussianMixture(torch.zeros(1), torch.tensor([5.0]), mx.Isotropic(4.0), event_dim=0)
        >>> rain = mx.AtomMixture(torch.tensor([0.7, 0.3]).log(), torch.tensor([0.0]), wet)
        >>> rain
        AtomMixture(batch_shape=(), event_shape=(), atoms=1, continuous=GaussianMixture)
        >>> rain.log_prob(torch.tensor([0.0, 5.0])).exp()
        tensor([0.7000, 0.0598])
        >>> rain.icdf(torch.tensor([0.1, 0.5, 0.9]))
        tensor([0.0000, 0.0000, 5.8615])
    """

    def __init__(
        self, logits: Tensor, atoms: Tensor, continuous: Mixture[Any], *, validate_args: bool | None = None
    ) -> None:
        if not isinstance(continuous, Mixture):
            raise TypeError(f"continuous must be a mixture, got {type(continuous).__name__}.")
        event = len(continuous.event_shape)
        batch_shape = _batch_shape(logits, atoms, continuous)
        A, D = logits.shape[-1] - 1, continuous.loc.shape[-1] if event else 1
        vectors = atoms if event else atoms.unsqueeze(-1)
        self.logits = logits.to(continuous.loc).expand(*batch_shape, A + 1)
        self._atoms = vectors.to(continuous.loc).expand(*batch_shape, A, D)
        self.continuous = continuous.expand(batch_shape)
        super().__init__(batch_shape, continuous.event_shape, validate_args=validate_args)
        if self._validate_args:
            check_values(self.logits, self._atoms, "atoms")

    @property
    def atoms(self) -> Tensor:
        """Positions y, shape ``(*B, A, *event_shape)``."""
        return self._atoms if self.event_shape else self._atoms.squeeze(-1)

    @property
    def variance(self) -> Tensor:
        """Variance of each coordinate, shape ``(*B, *event_shape)``."""
        mean, q = self._mean(), self.continuous
        atom, rest = self._split(self.weights.unsqueeze(-1), -2)  # (*B, A, 1), (*B, 1)
        spread = self._vector(q.variance) + (self._vector(q.mean) - mean).square()
        return self._from_vector((atom * (self._atoms - mean.unsqueeze(-2)).square()).sum(-2) + rest * spread)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log of the mass at an atom, elsewhere ``log w_c + log q(x)``, shape ``(*S, *B)``."""
        x = self._to_vector(value)
        atom, rest = self._split(self.log_weights, -1)
        hit = (x.to(self._atoms).unsqueeze(-2) == self._atoms).all(-1) & (atom > -math.inf)  # (*S, *B, A)
        at = hit.any(-1)
        # Away from atoms the mass is not asked for, but log(0) would still spoil the gradient.
        mass = torch.logsumexp(torch.where(hit, atom, torch.where(at, -math.inf, 0.0).unsqueeze(-1)), -1)
        return torch.where(at, mass, rest + self.continuous.log_prob(value))

    def cdf(self, value: Tensor) -> Tensor:
        """Return the distribution function of each marginal, which jumps at the atoms, shape ``(*S, *B,
        *event_shape)``."""
        x = self._to_vector(value)
        atom, rest = self._split(self.weights.unsqueeze(-1), -2)
        below = (atom * (self._atoms <= x.unsqueeze(-2))).sum(-2)
        return self._from_vector((below + rest * self._vector(self.continuous.cdf(value))).clamp(max=1))

    def icdf(self, value: Tensor) -> Tensor:
        """Return the quantiles of each marginal, the least x with ``F(x) >= value``, shape ``(*S, *B, *event_shape)``.

        The quantile is an atom for every level inside the atom's jump, where its derivative is zero.

        Raises:
            ValueError: where a probability is outside [0, 1].
        """
        check_levels(value)
        u = self._to_vector(value).unsqueeze(-2)  # (*S, *B, 1, D)
        y = self._atoms  # (*B, A, D)
        atom, rest = self._split(self.weights.unsqueeze(-1), -2)  # (*B, A, 1), (*B, 1)
        q = self._vector(self.continuous.cdf(self.atoms.movedim(-1 - len(self.event_shape), 0))).movedim(0, -2)
        before = (atom.unsqueeze(-3) * (y.unsqueeze(-3) < y.unsqueeze(-2))).sum(-2) + rest.unsqueeze(-2) * q
        after = (atom.unsqueeze(-3) * (y.unsqueeze(-3) <= y.unsqueeze(-2))).sum(-2) + rest.unsqueeze(-2) * q
        inside = (before < u) & ((u <= after) | (rest.unsqueeze(-2) == 0))  # of several without q, the largest
        u, passed = u.squeeze(-2), after < u
        rest = rest.clamp_min(torch.finfo(y.dtype).tiny)
        from_below = (u - (atom * passed).sum(-2)) / rest
        from_above = 1 - (1 - u - (atom * ~passed).sum(-2)) / rest  # the same, but exactly 1 at u = 1
        level = torch.where(u < 0.5, from_below, from_above).clamp(0, 1)
        x = self._vector(self.continuous.icdf(self._from_vector(level)))
        at = torch.where(inside, y, -math.inf).amax(-2)
        return self._from_vector(torch.where(inside.any(-2), at, x))

    def sample(self, sample_shape: Sequence[int] | torch.Size = ()) -> Tensor:
        """Draw samples of shape ``(*sample_shape, *B, *event_shape)``."""
        with torch.no_grad():
            x = self._vector(self.continuous.sample(sample_shape)).unsqueeze(-2)  # (*S, *B, 1, D)
            part = Categorical(logits=self.logits, validate_args=False).sample(torch.Size(sample_shape))
            source = torch.cat([self._atoms.expand(*x.shape[:-2], *self._atoms.shape[-2:]), x], -2)
            index = part[..., None, None].expand(*part.shape, 1, x.shape[-1])
            return self._from_vector(source.gather(-2, index).squeeze(-2))

    def marginal(self, dims: int | Sequence[int]) -> AtomMixture:
        """Return the mixture of the coordinates ``dims``; an int drops the event dimension, as indexing does.

        Raises:
            IndexError: where a coordinate does not exist or is named twice.
        """
        chosen = chosen_dims(dims, self.event_shape)
        atoms = self._atoms[..., chosen]
        return self._new(self.logits, atoms.squeeze(-1) if isinstance(dims, int) else atoms, dims)

    def expand(self, batch_shape: Sequence[int] | torch.Size, _instance: Distribution | None = None) -> AtomMixture:
        """Return the mixture with its batch dimensions expanded to ``batch_shape``."""
        logits = self.logits.expand(*batch_shape, self.logits.shape[-1])
        return self._new(logits, self.atoms, None)

    def __repr__(self) -> str:
        return (
            f"AtomMixture(batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)}, "
            f"atoms={self._atoms.shape[-2]}, continuous={type(self.continuous).__name__})"
        )

    def _new(self, logits: Tensor, atoms: Tensor, dims: int | Sequence[int] | None) -> AtomMixture:
        q = self.continuous if dims is None else self.continuous.marginal(dims)
        new = AtomMixture(logits, atoms, q, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _mean(self) -> Tensor:
        atom, rest = self._split(self.weights.unsqueeze(-1), -2)
        return (atom * self._atoms).sum(-2) + rest * self._vector(self.continuous.mean)  # (*B, D)

    @staticmethod
    def _split(weights: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        """Part the weights of the atoms from that of the continuous part."""
        return weights.narrow(dim, 0, weights.shape[dim] - 1), weights.select(dim, -1)


def _batch_shape(logits: Tensor, atoms: Tensor, continuous: Mixture[Any]) -> torch.Size:
    """Return the batch shape, or say which two arguments disagree."""
    event = continuous.event_shape
    given = f"logits has shape {tuple(logits.shape)} and atoms {tuple(atoms.shape)}"
    own = 1 + len(event)
    if logits.dim() < 1 or atoms.dim() < own or logits.shape[-1] != atoms.shape[-own] + 1 or not atoms.shape[-own]:
        raise ValueError(
            f"{given}; they must be (*B, A + 1) and (*B, A, *event_shape) with the same A >= 1: the last logit is of q."
        )
    if atoms.shape[atoms.dim() - len(event) :] != event:
        raise ValueError(f"atoms has shape {tuple(atoms.shape)}; it must end in the event_shape {tuple(event)} of q.")
    try:
        return torch.broadcast_shapes(logits.shape[:-1], atoms.shape[:-own], continuous.batch_shape)
    except RuntimeError:
        raise ValueError(
            f"{given}, the batch_shape of continuous is {tuple(continuous.batch_shape)}; they do not broadcast."
        ) from None
