"""Costs that compare two kernel covariance operators: nuclear norm, trace and the Bures distance."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from mixtura.costs.bound import Bound, Reading
from mixtura.costs.sampled import debiased, log_trace
from mixtura.distributions import Mixture
from mixtura.hilbert import log_diagonal, log_nuclear_norm, log_singular_values
from mixtura.hilbert.form import log_weights

__all__ = ["bures", "nuclear_norm", "trace"]


def nuclear_norm(p: Mixture[Any], q: Mixture[Any], reading: Reading = "finite") -> Bound:
    r"""Return the SVD cost, ``log ‖C̃‖_* <= ½ (log tr P̃ + log tr G̃)`` with ``C̃_ij = √(w_i w'_j) <p_i, q_j>``.

    ``‖C̃‖_*`` is the fidelity of the kernel covariance operators of p and q. Equality where the two agree: no pairing
    of components is needed, and for Gaussians only q = p reaches it. Where q is p in another order, the polar factor
    of C̃ *is* the permutation.

    Args:
        p: data, N components, batch shape ``*B``.
        q: model, M components in the same space.
        reading: ``"finite"``, or ``"sampled"`` where components are independent draws, in random order.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces, their batches do not broadcast, or there is one component
            to be read as a sample.

    Source:
        Contrastive entropy bounds for density and conditional density decomposition (arXiv:2511.12903), nuclear norm.

    Example:
        >>> import torch, mixtura as mx
        >>> p = mx.GaussianMixture.from_samples(torch.tensor([[0.0], [9.0]]), variance=0.5)
        >>> q = mx.GaussianMixture.from_samples(torch.tensor([[9.0], [0.0]]), variance=0.5)
        >>> b = mx.costs.nuclear_norm(p, q)
        >>> round(b.gap.item(), 9), round(b.effective_rank.item(), 9)
        (0.0, 2.0)
    """
    if reading == "sampled":
        return debiased(log_nuclear_norm, p, q)
    return _against_traces(log_nuclear_norm(p, q), p, q)


def trace(p: Mixture[Any], q: Mixture[Any]) -> Bound:
    r"""Return the cost of an autoencoder, ``log tr C̃ <= ½ (log tr P̃ + log tr G̃)``: p_i is paired with q_i.

    ``trace <= nuclear_norm <= bound`` (von Neumann). Equality where each output meets its input.

    Args:
        p: data, N components, batch shape ``*B``.
        q: model, as many components in the same space.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where the numbers of components differ, p and q live in different spaces or their batches do not
            broadcast.

    Source:
        Contrastive entropy bounds for density and conditional density decomposition (arXiv:2511.12903), trace cost.

    Example:
        >>> import torch, mixtura as mx
        >>> p = mx.GaussianMixture.from_samples(torch.tensor([[0.0], [9.0]]), variance=0.5)
        >>> q = mx.GaussianMixture.from_samples(torch.tensor([[1.0], [9.0]]), variance=0.5)
        >>> mx.costs.trace(p, q).gap  # -log (1 + e^-½) / 2
        tensor(0.2191, dtype=torch.float64)
    """
    log_value = torch.logsumexp(log_diagonal(p, q) + 0.5 * (log_weights(p) + log_weights(q)), -1)
    return _against_traces(log_value, p, q)


def bures(p: Mixture[Any], q: Mixture[Any]) -> Bound:
    r"""Return the kernel Bures loss, ``(tr P̃ + tr G̃ - 2 ‖C̃‖_*) / max(tr P̃, tr G̃)``: the named baseline.

    ``log ‖C̃‖_* <= log ½ (tr P̃ + tr G̃)``: the arithmetic mean of the traces in the place of the geometric one of
    :func:`nuclear_norm`. The loss is the squared Bures distance itself, not the gap, in units of the larger trace. The
    unit is held constant, so gradients are those of the distance.

    Args:
        p: data, N components, batch shape ``*B``.
        q: model, M components in the same space.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces or their batches do not broadcast.

    Source:
        Zhang et al. 2021, "Bures joint distribution alignment", kernel Bures distance.

    Example:
        >>> import torch, mixtura as mx
        >>> p = mx.GaussianMixture.from_samples(torch.tensor([[0.0]]), variance=0.5)
        >>> q = mx.GaussianMixture.from_samples(torch.tensor([[1.0]]), variance=0.5)
        >>> mx.costs.bures(p, q).loss  # 2 (1 - e^-½)
        tensor(0.7869, dtype=torch.float64)
    """
    log_value, log_P, log_G = log_nuclear_norm(p, q), log_trace(p), log_trace(q)
    unit = torch.maximum(log_P, log_G).detach()
    loss = (log_P - unit).exp() + (log_G - unit).exp() - 2 * (log_value - unit).exp()
    return Bound(
        log_value,
        loss,
        find_log_bound=lambda: torch.logaddexp(log_P, log_G) - math.log(2),
        find_spectrum=lambda: log_singular_values(p, q),
    )


def _against_traces(log_value: Tensor, p: Mixture[Any], q: Mixture[Any]) -> Bound:
    """Return the bound by the traces, which depend on the spreads of the model: so they are part of the loss."""
    log_bound = 0.5 * (log_trace(p) + log_trace(q))
    return Bound(
        log_value,
        log_bound - log_value,
        find_log_bound=lambda: log_bound,
        find_spectrum=lambda: log_singular_values(p, q),
    )
