"""How far apart two mixtures are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from mixtura.distributions import (
    CauchyMixture,
    Covariance,
    Diagonal,
    Full,
    GaussianMixture,
    Isotropic,
    LaplaceMixture,
)
from mixtura.hilbert.families import smoothed_laplace_form
from mixtura.hilbert.form import Form
from mixtura.hilbert.inner import exact_log_inner
from mixtura.hilbert.table import closed_form, common_dtype

__all__ = ["cauchy_schwarz_divergence", "kernel_mean_discrepancy", "l2_distance"]


def cauchy_schwarz_divergence(p: Distribution, q: Distribution) -> Tensor:
    r"""Return ``½ (log <p, p> + log <q, q>) - log <p, q>`` in nats, never negative, shape ``(*B)``.

    It is minus the log of the cosine of the angle between p and q, zero only where p = q. The three logs are taken and
    subtracted in float64; what rounding leaves below zero is zero (its gradient there is not cut off).

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces or their batches do not broadcast.

    Source:
        Jenssen, Principe, Erdogmus & Eltoft 2006, "The Cauchy–Schwarz divergence and Parzen windowing".

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture
        >>> from mixtura.hilbert import cauchy_schwarz_divergence
        >>> p = GaussianMixture.from_samples(torch.zeros(1, 1), variance=0.5)
        >>> q = GaussianMixture.from_samples(torch.ones(1, 1), variance=0.5)
        >>> cauchy_schwarz_divergence(p, q)
        tensor(0.5000)
    """
    return _angle(exact_log_inner(p, q), exact_log_inner(p, p), exact_log_inner(q, q)).to(common_dtype(p, q))


def l2_distance(p: Distribution, q: Distribution) -> Tensor:
    r"""Return ``‖p - q‖ = (∫ (p(x) - q(x))² dx)^½``, shape ``(*B)``.

    From three logs in float64, without the difference of large numbers: with δ the Cauchy–Schwarz divergence

        ``‖p - q‖² = (‖p‖ - ‖q‖)² + 2 ‖p‖ ‖q‖ (1 - e^-δ)``,

    a sum of two terms that are not negative, both by ``expm1``. At p = q, where a norm has no derivative, the gradient
    is zero. The distance has the units of a density to the power ½: in many dimensions it leaves the range of floating
    point where its logs do not; compare by :func:`cauchy_schwarz_divergence` there.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces or their batches do not broadcast.

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture
        >>> from mixtura.hilbert import l2_distance
        >>> p = GaussianMixture.from_samples(torch.zeros(1, 1), variance=0.5)
        >>> q = GaussianMixture.from_samples(torch.ones(1, 1), variance=0.5)
        >>> l2_distance(p, q).square(), l2_distance(p, p)
        (tensor(0.3139), tensor(0.))
    """
    return _distance(p, q, 0.0).to(common_dtype(p, q))


def kernel_mean_discrepancy(
    p: GaussianMixture | CauchyMixture | LaplaceMixture,
    q: GaussianMixture | CauchyMixture | LaplaceMixture,
    variance: float | Tensor,
) -> Tensor:
    r"""Return the maximum mean discrepancy of p and q for the kernel of their family, shape ``(*B)``.

    ``‖∫ k(·, x) (p(x) - q(x)) dx‖`` in the Hilbert space of the kernel, normalised to ``k(x, x) = 1``, so the result
    lies between 0 and √2 in any dimension. As a function of x, k is a density of the family of p and q, but for a
    factor. The square of the result is ``∫∫ k(x, y) (p - q)(x) (p - q)(y) dx dy``: that of :func:`l2_distance` of p and
    q convolved with the root of k, where that stays in the family, and else the density of a sum of three.

    ========  =======================================  =============================================
    family    k(x, y)                                  what is added
    ========  =======================================  =============================================
    Gaussian  ``exp(-‖x - y‖² / 2v)``                  ``v/2`` to every variance, by the root of k
    Cauchy    ``(1 + ‖x - y‖² / v)^(-(D + 1)/2)``      ``√v / 2`` to every scale, by the root of k
    Laplace   ``exp(-Σ_d |x_d - y_d| / √v)``           a third variable, of scale ``√v``, to each pair
    ========  =======================================  =============================================

    The mixtures are integrated exactly: nothing is sampled. The gradient at p = q is zero. Of von Mises mixtures the
    double integral is nothing but a series: :func:`l2_distance` compares those.

    Args:
        p: Gaussian, Cauchy or Laplace mixture, batch shape ``*B``.
        q: mixture of the same family in the same space; batch shapes broadcast.
        variance: v of the kernel in squared units of x, positive: of the Gaussian density its variance, of the Cauchy
            and the Laplace density its squared scale.

    Raises:
        TypeError: where p and q are not both Gaussian, both Cauchy or both Laplace mixtures.
        ValueError: where v is not positive, p and q live in different spaces or their batches do not broadcast.

    Source:
        Gretton, Borgwardt, Rasch, Schölkopf & Smola 2012, "A kernel two-sample test".

    Example:
        >>> import torch
        >>> from mixtura import GaussianMixture
        >>> from mixtura.hilbert import kernel_mean_discrepancy
        >>> p = GaussianMixture.from_samples(torch.zeros(1, 1), variance=1e-9)
        >>> q = GaussianMixture.from_samples(torch.ones(1, 1), variance=1e-9)
        >>> kernel_mean_discrepancy(p, q, variance=0.5).square()  # 2 - 2 exp(-1)
        tensor(1.2642)
    """
    families = (GaussianMixture, CauchyMixture, LaplaceMixture)
    if not any(isinstance(p, family) and isinstance(q, family) for family in families):
        raise TypeError(
            f"p is a {type(p).__name__} and q is a {type(q).__name__}: a kernel mean discrepancy is exact for two of "
            "GaussianMixture, two of CauchyMixture or two of LaplaceMixture. Two mixtures of any other family have "
            "l2_distance and cauchy_schwarz_divergence."
        )
    v = torch.as_tensor(variance, dtype=torch.float64, device=p.loc.device)
    if v.dim() > 0 or not bool(v > 0) or not bool(torch.isfinite(v)):
        raise ValueError(f"variance of the kernel must be one positive finite number, got {variance}.")
    D = p.event_shape.numel()
    if isinstance(p, LaplaceMixture):
        log_scale = 0.5 * D * (4 * v).log()
        found = _distance(p, q, log_scale, lambda a, b: smoothed_laplace_form(closed_form(a, b), v.sqrt()))
        return found.to(common_dtype(p, q))
    assert not isinstance(q, LaplaceMixture)
    if isinstance(p, GaussianMixture):
        log_peak = -0.5 * D * (2 * math.pi * v).log()
    else:
        log_peak = math.lgamma(0.5 * (D + 1)) - 0.5 * (D + 1) * math.log(math.pi) - 0.5 * D * v.log()
    return _distance(_smooth(p, v), _smooth(q, v), -log_peak).to(common_dtype(p, q))


def _angle(log_pq: Tensor, log_pp: Tensor, log_qq: Tensor) -> Tensor:
    """Return the Cauchy–Schwarz divergence; rounding below zero is lifted without cutting the gradient."""
    delta = 0.5 * (log_pp + log_qq) - log_pq
    return delta + (-delta).clamp_min(0).detach()


def _distance(
    p: Distribution,
    q: Distribution,
    log_scale: Tensor | float,
    find: Callable[[Distribution, Distribution], Form] = closed_form,
) -> Tensor:
    """Return ``e^(log_scale / 2) ‖p - q‖`` in float64, zero with gradient zero where p = q.

    The norm is that of the inner product whose form ``find`` returns.

    With Δ = log <p,p> - log <q,q>, ``(‖p‖ - ‖q‖)² = 4 ‖p‖ ‖q‖ sinh²(Δ/4)``; a Δ that would overflow takes the larger
    norm as the unit instead.
    """
    log_pq, log_pp, log_qq = (exact_log_inner(a, b, find) + log_scale for a, b in ((p, q), (p, p), (q, q)))
    delta = _angle(log_pq, log_pp, log_qq)
    ratio = log_pp - log_qq
    near = ratio.abs() < 40
    sinh = torch.sinh(0.25 * torch.where(near, ratio, torch.zeros_like(ratio)))
    small = torch.exp(-0.5 * ratio.abs())  # smaller norm / larger norm
    square = torch.where(
        near, 4 * sinh.square() - 2 * torch.expm1(-delta), (1 - small).square() - 2 * small * torch.expm1(-delta)
    )
    unit = torch.where(near, 0.5 * (log_pp + log_qq), torch.maximum(log_pp, log_qq))
    same = square <= 0
    root = torch.where(same, torch.ones_like(square), square).sqrt()
    return torch.where(same, torch.zeros_like(square), root * torch.exp(0.5 * unit))


def _smooth(p: GaussianMixture | CauchyMixture, v: Tensor) -> GaussianMixture | CauchyMixture:
    """Return p convolved with the root of the kernel."""
    if isinstance(p, GaussianMixture):
        return _smooth_gaussian(p, v / 2)
    scale = p.scale.double() + 0.5 * v.sqrt()
    return CauchyMixture(p.logits, p.loc.double(), scale, event_dim=len(p.event_shape), validate_args=False)


def _smooth_gaussian(p: GaussianMixture, v: Tensor) -> GaussianMixture:
    """Return p convolved with ``N(0, v I)``; in float64 where D logs of a float32 variance would add up to an error."""
    covariance: Any = p.covariance.to(p.loc.new_empty((), dtype=torch.float64))
    wider: Covariance
    if isinstance(covariance, Isotropic | Diagonal):
        wider = type(covariance)(covariance.parameter + v)
    else:
        D = p.event_shape.numel()
        wider = Full(torch.linalg.cholesky(covariance.dense(D) + v * torch.eye(D, dtype=v.dtype, device=v.device)))
    narrow = isinstance(covariance, Isotropic) and p.event_shape.numel() <= 64
    loc = p.loc if narrow else p.loc.double()
    return GaussianMixture(p.logits, loc, wider, event_dim=len(p.event_shape), validate_args=False)
