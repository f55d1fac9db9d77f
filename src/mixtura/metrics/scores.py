"""Scores of a predicted distribution against what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from mixtura._random import isolated_seed
from mixtura.distributions import AtomMixture, Mixture
from mixtura.metrics.absolute_differences import differences

__all__ = ["EnergyScore", "check_rows", "crps", "energy_score"]

_PAIRS = 1_000_000
"""Pairs of components, or coordinates of draws, evaluated at a time."""


@dataclass(frozen=True)
class EnergyScore:
    """Energy score of every row, with what chance adds to it."""

    value: Tensor
    """In units of the target, shape ``B``; lower is better."""
    standard_error: Tensor
    """Of ``value``, from the draws: zero for one target, where nothing is drawn."""


def crps(mixture: Mixture[Any] | AtomMixture, y: Tensor) -> Tensor:
    r"""Return the continuous ranked probability score of every row, of each target by itself, in the target's units.

    ``∫ (F(x) - 1{y <= x})² dx = E|x - y| - ½ E|x - x'|`` with x, x' drawn from the mixture, in closed form: zero for
    certainty that is right, ``|y - m|`` for certainty about m, lower is better (Grimit et al. 2006, "The continuous
    ranked probability score for circular variables"). Atoms a of weight w_a beside a continuous part q of weight w_c
    give ``Σ_a w_a |a - y| + w_c crps(q, y) - Σ_(a<b) w_a w_b |a - b| - w_c Σ_a w_a crps(q, a)``. It is computed in
    float64, and carries no gradient.

    Args:
        mixture: Gaussian, Laplace or Cauchy, with atoms or without; one distribution per row, batch_shape B and
            event_shape ``()`` or ``(T,)``.
        y: what happened, shape ``(*B, *event_shape)``.

    Returns:
        Scores of the shape of y.

    Raises:
        TypeError: for angles, which are in no order.
        ValueError: where y has another shape.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(1, 1), torch.zeros(1, 1), mx.Isotropic(1.0), event_dim=0)
        >>> crps(q, torch.zeros(1))
        tensor([0.2337])
    """
    check_rows(mixture, y)
    with torch.no_grad():
        truth = y.double()
        return (_with_atoms(mixture, truth) if isinstance(mixture, AtomMixture) else _continuous(mixture, truth)).to(y)


def energy_score(mixture: Mixture[Any] | AtomMixture, y: Tensor, draws: int = 500, seed: int = 0) -> EnergyScore:
    r"""Return the energy score of every row, of all targets together: ``E‖x - y‖ - ½ E‖x - x'‖``.

    It is the CRPS of one target, in closed form; of several it is an unbiased average over pairs of draws, always of
    the same seed. Targets of different units should be brought to one scale before: Euclidean distances add them.

    Args:
        mixture: one distribution per row, batch_shape B and event_shape ``()`` or ``(T,)``.
        y: what happened, shape ``(*B, *event_shape)``.
        draws: pairs of draws per row, at least 2.
        seed: of the draws; torch's global generator stays untouched.

    Raises:
        TypeError: for a single angle.
        ValueError: where y has another shape, draws is below 2, or distances have no mean, as for Cauchy mixtures of
            several targets.

    Source:
        Gneiting & Raftery 2007, "Strictly proper scoring rules, prediction, and estimation", equation 22.

    Example:
        >>> import torch, mixtura as mx
        >>> q = mx.GaussianMixture(torch.zeros(1, 1), torch.zeros(1, 1, 2), mx.Isotropic(1.0))
        >>> score = energy_score(q, torch.zeros(1, 2))
        >>> exact = (1 - 0.5**0.5) * (torch.pi / 2) ** 0.5  # 0.367
        >>> bool((score.value - exact).abs() < 3 * score.standard_error)
        True
    """
    check_rows(mixture, y)
    if draws < 2:
        raise ValueError(f"draws must be at least 2, got {draws}: one pair says nothing about the error.")
    T = mixture.event_shape.numel()
    if T == 1:
        value = crps(mixture, y).reshape(mixture.batch_shape)
        return EnergyScore(value, torch.zeros_like(value))
    with torch.no_grad():
        if not bool(torch.isfinite(mixture.variance).all()):
            raise ValueError("the mixture's variance is infinite, so the energy score may not exist: use the CRPS.")
        truth, few = y.double(), max(1, _PAIRS // max(1, y.numel()))
        total, squares, first = (torch.zeros_like(truth[..., 0]) for _ in range(3))
        with isolated_seed(seed, y.device):
            for start in range(0, draws, few):
                pair = mixture.sample((2, min(few, draws - start))).double()  # (2, few, *B, T)
                term = 0.5 * ((pair - truth).norm(dim=-1).sum(0) - (pair[0] - pair[1]).norm(dim=-1))
                first = term[0] if start == 0 else first
                total += (term - first).sum(0)
                squares += (term - first).square().sum(0)
        mean = total / draws
        variance = (squares - draws * mean.square()).clamp_min(0) / (draws - 1)
        return EnergyScore((first + mean).to(y), (variance / draws).sqrt().to(y))


def check_rows(mixture: Distribution, y: Tensor) -> None:
    """Raise ValueError unless y holds one value per distribution; broadcasting would compare every row with every
    other."""
    expected = (*mixture.batch_shape, *mixture.event_shape)
    if tuple(y.shape) != expected:
        raise ValueError(f"y has shape {tuple(y.shape)}; one value per distribution of the mixture is {expected}.")


def _continuous(mixture: Mixture[Any], y: Tensor) -> Tensor:
    single, pair, loc, scale = differences(mixture)  # loc and scale of shape (*B, K, *event_shape)
    scalar = not mixture.event_shape
    m, s = (t.double().unsqueeze(-1) if scalar else t.double() for t in (loc, scale))
    w = torch.softmax(mixture.logits.double(), -1).unsqueeze(-1).expand(m.shape)
    K = mixture.components
    m, s, w = (t.mT.reshape(-1, K) for t in (m, s, w))  # (rows * D, K)
    rows = max(1, _PAIRS // K**2)
    scores = [y.new_empty(0)]
    for x, a, b, v in zip(*(t.split(rows) for t in (y.reshape(-1, 1), m, s, w)), strict=True):
        away = (v * single((x - a).abs(), b)).sum(-1)
        apart = pair((a.unsqueeze(-1) - a.unsqueeze(-2)).abs(), b.unsqueeze(-1), b.unsqueeze(-2))
        scores.append(away - 0.5 * torch.einsum("ni,nij,nj->n", v, apart, v))
    return torch.cat(scores).reshape(y.shape)


def _with_atoms(mixture: AtomMixture, y: Tensor) -> Tensor:
    q, event = mixture.continuous, len(mixture.event_shape)
    w = torch.softmax(mixture.logits.double(), -1).movedim(-1, 0).reshape(-1, *y.shape[: y.dim() - event], *[1] * event)
    atoms, rest = mixture.atoms.double().movedim(-1 - event, 0), w[-1]
    score = rest * _continuous(q, y)
    for a, (atom, weight) in enumerate(zip(atoms, w[:-1], strict=True)):
        apart = (w[:a] * (atoms[:a] - atom).abs()).sum(0)
        score = score + weight * ((atom - y).abs() - apart - rest * _continuous(q, atom))
    return score
