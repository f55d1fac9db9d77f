"""Gaussian mixtures of torch and of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.mixture import GaussianMixture as SklearnMixture
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal

from mixtura.distributions.covariances import Covariance, Diagonal, Full, Isotropic

if TYPE_CHECKING:
    from mixtura.distributions.gaussian import GaussianMixture

__all__ = ["parameters_from_sklearn", "parameters_from_torch", "to_sklearn", "to_torch"]


def to_torch(mixture: GaussianMixture) -> MixtureSameFamily:
    """Return the same density as torch's ``MixtureSameFamily``."""
    weights = Categorical(logits=mixture.logits)
    if not mixture.event_shape:
        return MixtureSameFamily(weights, Normal(mixture.loc, mixture._variances().sqrt().squeeze(-1)))
    D, S = mixture._loc.shape[-1], mixture.covariance
    if isinstance(S, Isotropic | Diagonal):
        return MixtureSameFamily(weights, Independent(Normal(mixture.loc, mixture._variances().sqrt()), 1))
    L = S.scale_tril if isinstance(S, Full) else torch.linalg.cholesky(S.dense(D))
    return MixtureSameFamily(weights, MultivariateNormal(mixture.loc, scale_tril=L.expand(*mixture.loc.shape, D)))


def parameters_from_torch(mixture: MixtureSameFamily) -> dict[str, Any]:
    """Return the arguments of :class:`GaussianMixture` that give the density of torch's mixture."""
    logits, components = mixture.mixture_distribution.logits, mixture.component_distribution
    if isinstance(components, Normal):
        return {"logits": logits, "loc": components.loc, "covariance": Isotropic(components.scale**2), "event_dim": 0}
    if isinstance(components, Independent) and isinstance(components.base_dist, Normal):
        base = components.base_dist
        if len(components.event_shape) == 1:
            return {"logits": logits, "loc": base.loc, "covariance": Diagonal(base.scale**2), "event_dim": 1}
    if isinstance(components, MultivariateNormal):
        L = components.scale_tril
        return {"logits": logits, "loc": components.loc, "covariance": Full(L), "event_dim": 1}
    raise TypeError(
        "the components must be Normal, Independent(Normal, 1) or MultivariateNormal, got "
        f"{type(components).__name__} with event_shape {tuple(components.event_shape)}."
    )


def to_sklearn(mixture: GaussianMixture) -> SklearnMixture:
    """Return a fitted scikit-learn mixture of the same density."""
    if mixture.batch_shape or not mixture.event_shape:
        raise ValueError(
            f"scikit-learn knows one mixture of vectors, not batch_shape {tuple(mixture.batch_shape)} and "
            f"event_shape {tuple(mixture.event_shape)}."
        )
    K, D = mixture.components, mixture._loc.shape[-1]
    dense = mixture.covariance.dense(D).expand(K, D, D).detach().double().cpu()
    fitted = SklearnMixture(K, covariance_type="full")
    fitted.weights_ = mixture.weights.detach().double().cpu().numpy()
    fitted.means_ = mixture.loc.detach().double().cpu().numpy()
    fitted.covariances_ = dense.numpy()
    fitted.precisions_ = np.linalg.inv(fitted.covariances_)
    fitted.precisions_cholesky_ = torch.linalg.solve_triangular(
        torch.linalg.cholesky(dense), torch.eye(D, dtype=torch.float64).expand(K, D, D), upper=False
    ).mT.numpy()
    fitted.n_features_in_, fitted.converged_, fitted.n_iter_, fitted.lower_bound_ = D, True, 0, -np.inf
    return fitted


def parameters_from_sklearn(fitted: SklearnMixture) -> dict[str, Any]:
    """Return the arguments of :class:`GaussianMixture` that give the density of a fitted scikit-learn mixture."""
    if not hasattr(fitted, "means_"):
        raise ValueError("the scikit-learn mixture is not fitted: call its fit first.")
    S = torch.as_tensor(fitted.covariances_)
    covariance: Covariance
    match fitted.covariance_type:
        case "spherical":
            covariance = Isotropic(S)
        case "diag":
            covariance = Diagonal(S)
        case _:  # "full" is one matrix per component, "tied" is one for all
            covariance = Full(torch.linalg.cholesky(S))
    return {
        "logits": torch.as_tensor(fitted.weights_).log(),
        "loc": torch.as_tensor(fitted.means_),
        "covariance": covariance,
        "event_dim": 1,
    }
