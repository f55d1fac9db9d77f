"""Samples of a mixture as differentiable functions of its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mixtura.distributions.covariances import Diagonal, Full, Isotropic, Precision

if TYPE_CHECKING:
    from mixtura.distributions.gaussian import GaussianMixture

__all__ = ["reparametrise"]


def reparametrise(mixture: GaussianMixture, x: Tensor) -> Tensor:
    """Return samples ``x``, shape ``(*S, *B, D)``, with their gradient in every parameter of the mixture.

    By implicit differentiation of the distributional transform (Graves 2016, "Stochastic backpropagation through
    mixture density distributions"; Figurnov et al. 2018, "Implicit reparameterization gradients"). With ``u_d = F(x_d
    | x_1 ... x_{d-1})`` the u of a sample are uniform whatever the parameters, so holding them still, ``dx =
    -(∂u/∂x)⁻¹ ∂u/∂θ dθ``; the matrix is triangular. It costs D + 1 evaluations of the transform.
    """
    x = x.detach()
    D = x.shape[-1]
    with torch.enable_grad():
        moving = x.clone().requires_grad_()
        fixed = _transform(_detached(mixture), moving)
        rows = [torch.autograd.grad(fixed[..., d].sum(), moving, retain_graph=d < D - 1)[0] for d in range(D)]
    jacobian = torch.stack(rows, -2).tril()  # (*S, *B, D, D)
    u = _transform(mixture, x)
    step = torch.linalg.solve_triangular(jacobian, (u - u.detach()).unsqueeze(-1), upper=False).squeeze(-1)
    return x - step


def _detached(mixture: GaussianMixture) -> GaussianMixture:
    covariance = mixture.covariance._like(mixture.covariance.parameter.detach())
    return mixture._new(mixture.logits.detach(), mixture.loc.detach(), covariance, event_dim=len(mixture.event_shape))


def _transform(mixture: GaussianMixture, x: Tensor) -> Tensor:
    """Return ``F(x_d | x_1 ... x_{d-1})`` for every d.

    Whitening by a lower-triangular factor is the chain rule of each component: ``z_d`` is the standardised residual of
    x_d given the coordinates before it, and ``log N(x_1 ... x_d)`` is a running sum.
    """
    z = mixture.covariance.whiten(x.unsqueeze(-2) - mixture._loc)  # (*S, *B, K, D)
    log_density = -0.5 * z.square() - _log_scales(mixture)
    before = log_density.cumsum(-1) - log_density
    r = torch.softmax(mixture.log_weights.unsqueeze(-1) + before, -2)  # (*S, *B, K, D)
    return (r * torch.special.ndtr(z)).sum(-2)


def _log_scales(mixture: GaussianMixture) -> Tensor:
    """Return the log standard deviation of each coordinate given those before it, broadcastable to ``(*B, K, D)``."""
    match mixture.covariance:
        case Full(scale_tril=L):
            return L.diagonal(dim1=-2, dim2=-1).log()
        case Precision(tril=U):
            return -U.diagonal(dim1=-2, dim2=-1).log()
        case Isotropic() | Diagonal():
            return 0.5 * mixture._variances().log()
        case other:
            raise NotImplementedError(f"rsample needs a triangular factor, which {type(other).__name__} does not have.")
