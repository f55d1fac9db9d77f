"""The second reading of a cost: components are samples, so no component may meet itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mixtura.costs.bound import Bound
from mixtura.distributions import Mixture
from mixtura.hilbert import log_diagonal
from mixtura.hilbert.form import log_weights

__all__ = ["debiased", "halves", "log_trace"]

Affinity = Callable[[Any, Any], Tensor]
"""``log F(p, q)`` of an F that is largest where p and q agree."""
Halves = tuple[Mixture[Any], Mixture[Any]]


def debiased(log_F: Affinity, p: Mixture[Any], q: Mixture[Any]) -> Bound:
    r"""Return ``F(q', q'') - F(p', q') - F(p'', q'') + F(p', p'')`` for the halves of p and q.

    A batch of centers is a sample of the mixture that a generator means. Two independent halves never count a center's
    meeting with itself, so in expectation the divergence is zero at q = p, as an unbiased MMD is. It is taken in units
    of the larger trace, held constant, so that no density is formed; not of logarithms, which train worse.

    The standard error is the infinitesimal jackknife: with g the gradient of the divergence in the logits of the four
    halves it is ``√Σ g²``, as ``g_i / w_i`` is the influence of component i. Where q = p influences vanish but for
    those of the sample itself, and it is up to √2 too large.

    Args:
        log_F: log of an affinity.
        p: data, N >= 2 components drawn independently, in random order: even and odd ones are the halves.
        q: model, M >= 2 components drawn independently.

    Raises:
        ValueError: where a mixture has fewer than two components.

    Source:
        Gretton et al. 2012, "A kernel two-sample test" (U-statistic); Efron 1982, The Jackknife, 6.3.
    """
    first, second = halves(p, "p"), halves(q, "q")
    unit = torch.maximum(log_trace(p), log_trace(q)).detach()
    (a, b), (c, d) = first, second
    own, one, other = log_F(c, d), log_F(a, c), log_F(b, d)
    loss = (own - unit).exp() - (one - unit).exp() - (other - unit).exp()
    return Bound(
        torch.logaddexp(one, other) - math.log(2),
        loss,
        "sampled",
        find_log_bound=lambda: 0.5 * (log_F(a, b) + own),
        find_divergence=lambda: loss + (log_F(a, b) - unit).exp(),
        find_standard_error=lambda: _standard_error(log_F, first, second, unit),
    )


def halves(p: Mixture[Any], name: str) -> Halves:
    """Return the components of even and of odd number as two mixtures; their order must be one of chance."""
    if p.components < 2:
        raise ValueError(f'reading="sampled" needs at least two components of {name}, which has {p.components}.')
    i = torch.arange(p.components, device=p.logits.device)
    return p.subset(i[::2]), p.subset(i[1::2])


def log_trace(p: Mixture[Any]) -> Tensor:
    """Return the log of the trace of the weighted Gram matrix, ``log Σ_i w_i <p_i, p_i>``, in float64."""
    return torch.logsumexp(log_weights(p) + log_diagonal(p, p), -1)


def _standard_error(log_F: Affinity, first: Halves, second: Halves, unit: Tensor) -> Tensor:
    with torch.enable_grad():
        moves = [torch.zeros_like(m.logits, requires_grad=True) for m in (*first, *second)]
        a, b, c, d = (
            m._new(m.logits + move, m.loc, m._spread, len(m.event_shape))
            for m, move in zip((*first, *second), moves, strict=True)
        )
        signs = ((log_F(c, d), 1), (log_F(a, b), 1), (log_F(a, c), -1), (log_F(b, d), -1))
        total = sum(sign * (log - unit).exp() for log, sign in signs)
        assert isinstance(total, Tensor)
        influences = torch.autograd.grad(total.sum(), moves)
    return torch.stack([g.double().square().sum(-1) for g in influences]).sum(0).sqrt()
