"""Inner products and norms of mixtures, in logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from mixtura.hilbert.form import Form, log_weights
from mixtura.hilbert.split import split_pairs
from mixtura.hilbert.stream import log_columns, log_square
from mixtura.hilbert.table import closed_form, common_dtype, find_form

__all__ = ["exact_log_columns", "exact_log_inner", "log_gram", "log_inner", "log_inner_components", "log_norm"]


def log_gram(p: Distribution, q: Distribution) -> Tensor:
    r"""Return the log of the inner products of all components of p with all of q, without their weights.

    ``log <p_i, q_j> = log ∫ p_i(x) q_j(x) dx``, for Gaussians ``log N(m_i - m'_j; 0, S_i + S'_j)``.

    Args:
        p: mixture of N components, batch shape ``*B``.
        q: mixture of M components in the same space; batch shapes broadcast.

    Returns:
        Shape ``(*B, N, M)``, in units of ``log 1/x``.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces or their batches do not broadcast.

    Source:
        A product of Gaussians is a Gaussian: Petersen & Pedersen, The Matrix Cookbook, 8.1.8.

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture, Isotropic
        >>> from mixtura.hilbert import log_gram
        >>> p = GaussianMixture(torch.zeros(2), torch.tensor([[0.0], [1.0]]), Isotropic(0.5))
        >>> log_gram(p, p)
        tensor([[-0.9189, -1.4189],
                [-1.4189, -0.9189]])
    """
    form = closed_form(p, q)
    return split_pairs(form).to(common_dtype(p, q))


def log_inner_components(p: Distribution, q: Distribution) -> Tensor:
    r"""Return the log of the inner product of p with every component of q.

    ``log h_j = log <p, q_j> = log Σ_i w_i <p_i, q_j>``; the weights of q do not enter.

    Many components are summed in blocks with float64 sums, so memory does not grow with N.

    Args:
        p: mixture of N components, batch shape ``*B``.
        q: mixture of M components in the same space; batch shapes broadcast.

    Returns:
        Shape ``(*B, M)``.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces or their batches do not broadcast.

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture, Isotropic
        >>> from mixtura.hilbert import log_inner_components
        >>> p = GaussianMixture.from_samples(torch.tensor([[0.0], [1.0]]), variance=0.5)
        >>> q = GaussianMixture(torch.zeros(1), torch.zeros(1, 1), Isotropic(0.5))
        >>> log_inner_components(p, q)
        tensor([-1.1380])
    """
    return exact_log_columns(p, q).to(common_dtype(p, q))


def log_inner(p: Distribution, q: Distribution) -> Tensor:
    r"""Return ``log <p, q> = log Σ_ij w_i w'_j <p_i, q_j>``, shape ``(*B)``.

    Args:
        p: mixture of N components, batch shape ``*B``.
        q: mixture of M components in the same space; batch shapes broadcast.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces or their batches do not broadcast.

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture
        >>> from mixtura.hilbert import log_inner
        >>> p = GaussianMixture.from_samples(torch.zeros(1, 1), variance=0.5)
        >>> q = GaussianMixture.from_samples(torch.ones(1, 1), variance=0.5)
        >>> log_inner(p, q)
        tensor(-1.4189)
    """
    return exact_log_inner(p, q).to(common_dtype(p, q))


def log_norm(p: Distribution) -> Tensor:
    r"""Return the log of the squared norm, ``log <p, p> = log ∫ p(x)² dx``, shape ``(*B)``.

    It is minus the quadratic Rényi entropy of p, and the bound that no ``2 log <p, q> - log <q, q>`` exceeds.

    Raises:
        TypeError: where the family has no closed form; it says which pairs have one.

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture
        >>> from mixtura.hilbert import log_norm
        >>> log_norm(GaussianMixture.from_samples(torch.zeros(1, 1), variance=0.5))
        tensor(-0.9189)
    """
    return log_inner(p, p)


def exact_log_inner(
    p: Distribution, q: Distribution, find: Callable[[Distribution, Distribution], Form] = closed_form
) -> Tensor:
    """Return ``log <p, q>`` in float64, whatever the dtype of p and q, for differences of such logs.

    Args:
        p: mixture of N components.
        q: mixture of M components.
        find: what returns the form of p and q: that of another bilinear function, symmetric in them, gives its log.
    """
    find_form(p, q)
    if p is q:
        form = find(p, p)
        return log_square(form, _rows(p, form))
    if _grows(p) and not _grows(q):
        p, q = q, p  # the sweep over p gives the gradient of q for nothing
    form = find(p, q)
    return torch.logsumexp(log_weights(q) + log_columns(form, _rows(p, form)), -1)


def exact_log_columns(p: Distribution, q: Distribution) -> Tensor:
    """Return :func:`log_inner_components` in float64, whatever the dtype of p and q."""
    form = closed_form(p, q)
    return log_columns(form, _rows(p, form))


def _rows(p: Distribution, form: Form) -> Tensor:
    """Log-weights with every batch dimension of the form."""
    log_w = log_weights(p)
    return log_w.reshape(*(1,) * (len(form.batch_shape) + 1 - log_w.dim()), *log_w.shape)


def _grows(p: Any) -> bool:
    """Whether somebody wants the gradient of p's components."""
    return p.loc.requires_grad or p.logits.requires_grad
