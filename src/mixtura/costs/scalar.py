"""The scalar cost: the Cauchy–Schwarz inequality."""

from __future__ import annotations

from typing import Any

from mixtura.costs.bound import Bound, Reading
from mixtura.costs.sampled import debiased
from mixtura.distributions import Mixture
from mixtura.hilbert.inner import exact_log_inner

__all__ = ["scalar"]


def scalar(p: Mixture[Any], q: Mixture[Any], reading: Reading = "finite") -> Bound:
    r"""Return the bound ``2 log <p, q> - log <q, q> <= log <p, p>``, with equality where q = p.

    Half of the gap is the Cauchy–Schwarz divergence. Read as samples it is the unbiased MMD² of the components of q and
    p, for the kernel that their spreads make.

    Args:
        p: data, N components, batch shape ``*B``.
        q: model, M components in the same space.
        reading: ``"finite"``, or ``"sampled"`` where components are independent draws, in random order.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces, their batches do not broadcast, or there is one component
            to be read as a sample.

    Source:
        Contrastive entropy bounds for density and conditional density decomposition (arXiv:2511.12903), normalised
        inner product.

    Example:
        >>> import torch, mixtura as mx
        >>> p = mx.GaussianMixture.from_samples(torch.tensor([[0.0], [1.0]]), variance=0.5)
        >>> q = mx.GaussianMixture.from_samples(torch.tensor([[0.0]]), variance=0.5)
        >>> mx.costs.scalar(p, q).gap, mx.costs.scalar(p, p).gap  # -log (1 + e^-½) / 2, 0
        (tensor(0.2191, dtype=torch.float64), tensor(0., dtype=torch.float64))
    """
    if reading == "sampled":
        return debiased(exact_log_inner, p, q)
    log_value = 2 * exact_log_inner(p, q) - exact_log_inner(q, q)
    return Bound(log_value, -log_value, find_log_bound=lambda: exact_log_inner(p, p))
