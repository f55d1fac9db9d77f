"""The conditional cost: the scalar cost of batched mixtures, averaged over what they are conditioned on."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from mixtura.costs.bound import Bound, Reading
from mixtura.costs.sampled import halves, log_trace
from mixtura.distributions import Mixture
from mixtura.hilbert.inner import exact_log_inner

__all__ = ["conditional"]


def conditional(
    p: Mixture[Any],
    q: Mixture[Any],
    reading: Reading = "finite",
    *,
    weight: Tensor | None = None,
    members: int = 0,
) -> Bound:
    r"""Return the bound ``2 log E_Y <p, q> - log E_Y <q, q> <= log E_Y <p, p>`` of p(X|Y) and q(X|Y).

    Y runs over the batch dimensions of both. Equality where q(X|Y) = p(X|Y) for every Y. The norm of q stands in the
    denominator, so one constant answer to every Y cannot win.

    Args:
        p: batched data, N components each, batch shape ``*B``; may be ``N = 1``, the one sample seen at each Y.
        q: batched model, M components each, in the same space.
        reading: ``"sampled"`` where the components of q are independent draws; those of p are always all there are.
        weight: of every Y in the mean, not negative, broadcastable to ``*B``; None weighs all alike. Finite reading
            only.
        members: number of leading batch dimensions that are kept apart, of models side by side. Finite reading only.

    Returns:
        Numbers, or batches of the first ``members`` dimensions.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces, their batches do not broadcast, or there is one component
            to be read as a sample.

    Source:
        Contrastive entropy bounds for density and conditional density decomposition (arXiv:2511.12903), conditional
        bound.

    Example:
        >>> import torch, mixtura as mx
        >>> p = mx.GaussianMixture.from_samples(torch.tensor([[[0.0]], [[1.0]]]), variance=0.5)
        >>> q = mx.GaussianMixture.from_samples(torch.tensor([[[0.0]], [[0.0]]]), variance=0.5)
        >>> mx.costs.conditional(p, q).gap  # -2 log (1 + e^-½) / 2
        tensor(0.4381, dtype=torch.float64)
    """
    if reading == "sampled":
        return _debiased(p, q)

    def log_mean(logs: Tensor) -> Tensor:
        log_weight = torch.zeros_like(logs) if weight is None else weight.to(logs).log().expand_as(logs)
        flat = [t.flatten(members) if t.dim() > members else t.unsqueeze(-1) for t in (logs + log_weight, log_weight)]
        return torch.logsumexp(flat[0], -1) - torch.logsumexp(flat[1], -1)

    log_value = 2 * log_mean(exact_log_inner(p, q)) - log_mean(exact_log_inner(q, q))
    return Bound(log_value, -log_value, find_log_bound=lambda: log_mean(exact_log_inner(p, p)))


def _debiased(p: Mixture[Any], q: Mixture[Any]) -> Bound:
    """Return ``E_Y [<q', q''> - <p, q'> - <p, q''> + <p, p>]``; the standard error is that of a mean over Y."""
    a, b = halves(q, "q")
    unit = torch.maximum(_log_mean(log_trace(p)), _log_mean(log_trace(q))).detach()
    own, mixed = exact_log_inner(a, b), torch.logaddexp(exact_log_inner(p, a), exact_log_inner(p, b))
    each = (own - unit).exp() - (mixed - unit).exp()

    def constant() -> Tensor:
        return (exact_log_inner(p, p) - unit).exp()

    def standard_error() -> Tensor:
        terms = (each + constant()).detach().flatten()
        if len(terms) < 2:
            raise ValueError("the standard error is that of a mean over Y, of which the batch holds one.")
        return terms.std() / len(terms) ** 0.5

    return Bound(
        2 * (_log_mean(mixed) - math.log(2)) - _log_mean(own),
        each.mean(),
        "sampled",
        find_log_bound=lambda: _log_mean(exact_log_inner(p, p)),
        find_divergence=lambda: (each + constant()).mean(),
        find_standard_error=standard_error,
    )


def _log_mean(logs: Tensor) -> Tensor:
    return torch.logsumexp(logs.flatten(), 0) - math.log(logs.numel())
