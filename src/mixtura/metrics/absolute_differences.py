"""Means of absolute differences within the families, of which the CRPS consists."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mixtura.distributions import CauchyMixture, GaussianMixture, LaplaceMixture, Mixture

__all__ = ["Differences", "differences"]


class Differences(NamedTuple):
    """Closed forms of a family, up to constants that cancel between ``E|x - y|`` and ``½ E|x - x'|``."""

    single: Callable[[Tensor, Tensor], Tensor]
    """``E|x - y|`` for ``a = |m - y|`` and the scale of x."""
    pair: Callable[[Tensor, Tensor, Tensor], Tensor]
    """``E|x - x'|`` for ``a = |m - m'|`` and both scales."""
    loc: Tensor
    """Of the components, shape ``(*B, K, *event_shape)``."""
    scale: Tensor
    """Of their marginals, of the shape of ``loc``."""


def differences(mixture: Mixture[Any]) -> Differences:
    """Return the closed forms for a mixture.

    Raises:
        TypeError: for families that have none.
    """
    loc = mixture.loc
    if isinstance(mixture, GaussianMixture):
        D = mixture.event_shape.numel()
        variances = mixture.covariance.variances(D).expand(*mixture.logits.shape, D)
        return Differences(_normal, _normal_pair, loc, variances.sqrt().reshape(loc.shape))
    if isinstance(mixture, LaplaceMixture):
        return Differences(_laplace, _laplace_pair, loc, mixture.scale)
    if isinstance(mixture, CauchyMixture):
        scale = mixture.scale.unsqueeze(-1) if mixture.event_shape else mixture.scale
        return Differences(_cauchy, _cauchy_pair, loc, scale.expand(loc.shape))
    raise TypeError(
        f"{type(mixture).__name__} has no CRPS here: it is for Gaussian, Laplace and Cauchy mixtures, as angles are in "
        "no order. Use the likelihood."
    )


def _normal(a: Tensor, s: Tensor) -> Tensor:
    z = a / s
    return a * torch.erf(z * 0.5**0.5) + s * (2 / math.pi) ** 0.5 * (-0.5 * z.square()).exp()


def _normal_pair(a: Tensor, s: Tensor, t: Tensor) -> Tensor:
    return _normal(a, torch.hypot(s, t))


def _laplace(a: Tensor, b: Tensor) -> Tensor:
    return a + b * (-a / b).exp()


def _laplace_pair(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """``a + (s³ e^(-a/s) - t³ e^(-a/t)) / (s² - t²)`` with s the larger and t the smaller scale, as
    ``a + e^(-a/s) (s² + st + t² + t² φ(h) a/s) / (s + t)`` where ``h = a (s - t) / st`` and ``φ(h) = (1 - e^-h) / h``:
    nothing cancels and ``s = t`` is no special case."""
    s, t = torch.maximum(b, c), torch.minimum(b, c)
    h = a / t * ((s - t) / s)
    phi = torch.where(h == 0, 1.0, -torch.expm1(-h) / h)
    return a + (-a / s).exp() * (s * (s / (s + t)) + t + t * (t / (s + t)) * phi * (a / s))


def _cauchy(a: Tensor, g: Tensor) -> Tensor:
    """``(2/π) (a atan(a/γ) - ½ γ log(γ² + a²))``: the mean over ``|x| < R`` less ``(2/π) γ log R``, for large R."""
    return 2 / math.pi * (a * torch.atan2(a, g) - g * torch.hypot(a, g).log())


def _cauchy_pair(a: Tensor, g: Tensor, f: Tensor) -> Tensor:
    return _cauchy(a, g + f)
