"""The conditional cost of an encoder with data as a mixture: exact, with the bound that more centers approach."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from mixtura.costs.bound import Bound
from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.hilbert.distances import squared_distances

__all__ = ["conditional_on_codes"]

_PAIRS = 2**21
_SIDE = 2048


def conditional_on_codes(
    x: Tensor,
    codes: Tensor,
    draws: Tensor,
    q: GaussianMixture,
    code_variance: float,
    *,
    labels: tuple[Tensor, Tensor] | None = None,
) -> Bound:
    r"""Return the bound ``2 log E_Y <p, q> - log E_Y <q, q> <= log E_Y <p, p>`` for rows x and their codes.

    Of a code ``Y = Y_n + √v_Y ε`` the data says exactly what it stands for, ``p(X|Y) = Σ_n α_n(Y) N(X; x_n, v)`` with
    ``α_n(Y) ∝ N(Y; Y_n, v_Y)``, where v is the variance of q's components. All three means run over the same draws of
    Y, so the value never exceeds the bound, however few they are. Since the variances are equal, the constant of
    ``2v`` cancels in the gap: it means the same in any number of dimensions.

    Memory is that of the draws times N, beside blocks of bounded size; the Gram matrix of the data is gone through
    once for all draws. Where gradients are wanted, all blocks are kept.

    Args:
        x: data, shape ``(N, D)``.
        codes: Y_n without noise, shape ``(N, c)``.
        draws: Y, shape ``(J, c)``; independent codes of random rows with noise make every mean unbiased.
        q: the model at the draws, batch shape ``(J,)``, with one variance for all components.
        code_variance: v_Y.
        labels: classes of the rows and of the draws, shapes ``(N,)`` and ``(J,)``: then p(X|Y) is also given the class.

    Returns:
        The bound; its ``standard_error`` is that of the gap over independent draws, by the delta method.

    Raises:
        TypeError: where q is not a mixture of isotropic Gaussians with one variance.
        ValueError: where shapes do not fit, the code's variance is not positive, or a draw is of a class without rows.

    Source:
        Contrastive entropy bounds for density and conditional density decomposition (arXiv:2511.12903), conditional
        bound.

    Example:
        >>> import torch, mixtura as mx
        >>> x, codes = torch.tensor([[-1.0], [1.0]]), torch.zeros(2, 1)  # a code that says nothing
        >>> q = mx.GaussianMixture.from_samples(torch.zeros(1, 1, 1), variance=0.5)
        >>> mx.costs.conditional_on_codes(x, codes, codes[:1], q, code_variance=0.1).gap  # log (1 + e^-2) / 2 + 1
        tensor(0.4338, dtype=torch.float64)
        >>> q = mx.GaussianMixture.from_samples(x.unsqueeze(0), variance=0.5)
        >>> mx.costs.conditional_on_codes(x, codes, codes[:1], q, code_variance=0.1).gap
        tensor(0., dtype=torch.float64)
    """
    if not isinstance(q, GaussianMixture) or not isinstance(q.covariance, Isotropic) or q.covariance.variance.dim():
        raise TypeError("q must be a GaussianMixture with one variance, Isotropic(v), for all components.")
    (N, D), J = x.shape, len(draws)
    if codes.shape != (N, draws.shape[-1]) or q.batch_shape != (J,) or q.event_shape != (D,):
        raise ValueError(
            f"x of shape {tuple(x.shape)} needs as many codes and as many dimensions of q, whose batch is that of the "
            f"draws; got codes {tuple(codes.shape)}, draws {tuple(draws.shape)} and q {q}."
        )
    if not 0 < code_variance < math.inf:
        raise ValueError(f"code_variance must be positive and finite, got {code_variance}.")
    x, s = x.double(), 2 * q.covariance.variance.double()
    log_alpha = _log_alpha(codes.double(), draws.double(), code_variance, labels)
    pq, qq = _log_inner(x, log_alpha, q, s)
    constant = -0.5 * D * (2 * math.pi * s).log()
    log_value = 2 * _log_mean(pq) - _log_mean(qq) + constant

    @cache
    def pp() -> Tensor:
        return _log_norm(x, log_alpha, s)

    def standard_error() -> Tensor:
        """The gap moves by the mean of ``pp/E pp + qq/E qq - 2 pq/E pq`` over the draws."""
        if J < 2:
            raise ValueError("the standard error is that of a mean over draws, of which there is one.")
        with torch.no_grad():
            terms = [(t - _log_mean(t)).exp() for t in (pp(), qq, pq)]
            return (terms[0] + terms[1] - 2 * terms[2]).std() / J**0.5

    return Bound(
        log_value,
        -log_value,
        find_log_bound=lambda: _log_mean(pp()) + constant,
        find_standard_error=standard_error,
    )


def _log_alpha(codes: Tensor, draws: Tensor, variance: float, labels: tuple[Tensor, Tensor] | None) -> Tensor:
    """Return ``log α_n(Y_j)``, shape ``(J, N)``."""
    logits = squared_distances(draws, codes, draws.new_tensor(variance)) / (-2 * variance)
    if labels is not None:
        other = labels[1].unsqueeze(-1) != labels[0]
        if bool(other.all(-1).any()):
            raise ValueError("a draw is of a class that no row of x has.")
        logits = logits.masked_fill(other, -math.inf)
    return torch.log_softmax(logits, -1)


def _log_inner(x: Tensor, log_alpha: Tensor, q: GaussianMixture, s: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``log <p, q>`` and ``log <q, q>`` at every draw, but for the constant."""
    (J, N), K = log_alpha.shape, q.components
    log_w, loc = q.log_weights.double(), q.loc.double()
    pq, qq = [], []
    for j in _slices(J, max(1, _PAIRS // (K * max(N, K)))):
        c, w = loc[j], log_w[j]
        logs = squared_distances(c.flatten(0, 1), x, s).reshape(-1, K, N) / (-2 * s)
        columns = torch.logsumexp(logs + log_alpha[j].unsqueeze(-2), -1)
        pq.append(torch.logsumexp(columns + w, -1))
        own = squared_distances(c, c, s) / (-2 * s) + w.unsqueeze(-1) + w.unsqueeze(-2)
        qq.append(torch.logsumexp(own.flatten(1), -1))
    return torch.cat(pq), torch.cat(qq)


def _log_norm(x: Tensor, log_alpha: Tensor, s: Tensor) -> Tensor:
    """Return ``log <p, p>`` at every draw, but for the constant: sums of positive numbers between 1/N and 1."""
    alpha = log_alpha.exp()
    total = alpha.new_zeros(len(alpha))
    for i in _slices(len(x), _SIDE):
        for k in _slices(i.stop, _SIDE):
            gram = (squared_distances(x[i], x[k], s) / (-2 * s)).exp()
            total = total + (1 if i == k else 2) * ((alpha[:, i] @ gram) * alpha[:, k]).sum(-1)
    return total.log()


def _slices(n: int, size: int) -> Iterator[slice]:
    return (slice(a, min(a + size, n)) for a in range(0, n, size))


def _log_mean(logs: Tensor) -> Tensor:
    return torch.logsumexp(logs, 0) - math.log(len(logs))
