"""Dense float64 references of the costs that share no code with the library: pseudo-inverses, singular values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import svdvals
from scipy.special import gamma, i0

from mixtura.distributions import CauchyMixture, GaussianMixture, LaplaceMixture, Mixture, VonMisesMixture
from tests.helpers import KINDS, random_case

Array = NDArray[Any]
FAMILIES = {"laplace": LaplaceMixture, "cauchy": CauchyMixture, "von mises": VonMisesMixture}
SORTS = (*KINDS, *FAMILIES)
"""The covariances of Gaussians and the other families."""


def random_mixture(
    sort: str,
    seed: int,
    *,
    batch: Sequence[int] = (),
    K: int = 3,
    D: int = 2,
    dtype: torch.dtype = torch.float64,
    tied: bool = False,
) -> Mixture[Any]:
    """Return a random mixture whose components overlap, but not much."""
    if sort in KINDS:
        return random_case(sort, batch=batch, K=K, D=D, dtype=dtype, tied=tied, seed=seed, spread=2.5).mixture
    rng = np.random.default_rng(seed)
    reach = np.pi if sort == "von mises" else 4.0
    logits, loc = rng.standard_normal((*batch, K)), rng.uniform(-reach, reach, (*batch, K, D))
    own = () if sort == "cauchy" else (D,)
    spread = np.exp(0.5 * rng.standard_normal(own if tied else (*batch, K, *own))) * (3 if sort == "von mises" else 1)
    a, b, c = (torch.as_tensor(t, dtype=dtype) for t in (logits, loc, spread))
    return FAMILIES[sort](a, b, c)


@dataclass(frozen=True)
class Truth:
    """Gram matrices of two mixtures, not in logs: C (*B, N, M), P (*B, N, N), G (*B, M, M), and weights w and u."""

    p: Mixture[Any]
    q: Mixture[Any]
    ridge: float = 0.0
    """What is added to the diagonal of G, relative to it."""

    @cached_property
    def C(self) -> Array:
        return gram(self.p, self.q)

    @cached_property
    def P(self) -> Array:
        return gram(self.p, self.p)

    @cached_property
    def G(self) -> Array:
        return gram(self.q, self.q)

    @cached_property
    def w(self) -> Array:
        return weights(self.p)

    @cached_property
    def u(self) -> Array:
        return weights(self.q)

    @cached_property
    def weighted(self) -> Array:
        """√(w_i u_j) <p_i, q_j>."""
        return np.sqrt(self.w[..., :, None] * self.u[..., None, :]) * self.C

    @cached_property
    def traces(self) -> tuple[Array, Array]:
        """Weighted traces of P and G."""
        return np.einsum("...i,...ii->...", self.w, self.P), np.einsum("...i,...ii->...", self.u, self.G)

    def inner(self) -> tuple[Array, Array, Array]:
        """<p, q>, <p, p> and <q, q>."""
        return _form(self.w, self.C, self.u), _form(self.w, self.P, self.w), _form(self.u, self.G, self.u)

    def log_value(self, cost: str) -> Array:
        pq, _, qq = self.inner()
        inverse = self.inverse()
        if cost == "scalar":
            return np.log(pq**2 / qq)
        if cost == "vector_matrix":
            h = np.einsum("...i,...ij->...j", self.w, self.C)
            return np.log(_form(h, inverse, h))
        if cost == "matrix_matrix":
            return np.log(np.einsum("...i,...ij,...jk,...ik->...", self.w, self.C, inverse, self.C))
        if cost == "trace":
            return np.log(np.einsum("...ii->...", self.weighted))
        assert cost in ("nuclear_norm", "bures")
        return np.log(self.singular_values().sum(-1))

    def log_bound(self, cost: str) -> Array:
        P, G = self.traces
        if cost in ("scalar", "vector_matrix"):
            return np.log(self.inner()[1])
        if cost == "matrix_matrix":
            return np.log(P)
        return np.log((P + G) / 2) if cost == "bures" else np.log(P * G) / 2

    def loss(self, cost: str) -> Array:
        if cost == "bures":
            P, G = self.traces
            return (P + G - 2 * self.singular_values().sum(-1)) / np.maximum(P, G)
        if cost in ("nuclear_norm", "trace"):
            return self.log_bound(cost) - self.log_value(cost)
        return -self.log_value(cost)

    def singular_values(self) -> Array:
        C = self.weighted
        flat = [svdvals(c) for c in C.reshape(-1, *C.shape[-2:])]
        return np.stack(flat).reshape(*C.shape[:-2], -1)

    def inverse(self) -> Array:
        """The pseudo-inverse of G."""
        s = np.sqrt(np.einsum("...ii->...i", self.G))
        units = s[..., :, None] * s[..., None, :]
        return np.linalg.pinv(self.G / units + self.ridge * np.eye(s.shape[-1]), rcond=1e-14, hermitian=True) / units

    def schur_complement(self) -> Array:
        """``P - C G⁻¹ Cᵀ``."""
        return self.P - self.C @ self.inverse() @ np.swapaxes(self.C, -1, -2)


def widened(p: Mixture[Any]) -> Mixture[Any]:
    """Return the same mixture in float64."""
    return p._new(p.logits.double(), p.loc.double(), p._spread, len(p.event_shape))


def quadrature(sort: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return points, shape (n, 1), and weights of an integral over the line, or the circle for von Mises."""
    n = 1000 if sort == "von mises" else 100_000
    u = (torch.arange(n, dtype=torch.float64) + 0.5) / n * torch.pi - torch.pi / 2
    if sort == "von mises":
        return 2 * u.unsqueeze(-1), torch.full_like(u, 2 * torch.pi / n)
    return u.tan().unsqueeze(-1), torch.pi / n / u.cos() ** 2


def weights(p: Mixture[Any]) -> Array:
    a = np.exp(_numpy(p.logits))
    return a / a.sum(-1, keepdims=True)


def gram(p: Mixture[Any], q: Mixture[Any]) -> Array:
    """Return <p_i, q_j> from the textbook formula of each family, shape (*B, N, M)."""
    x, y = _numpy(p.loc)[..., :, None, :], _numpy(q.loc)[..., None, :, :]
    if isinstance(p, GaussianMixture) and isinstance(q, GaussianMixture):
        D = x.shape[-1]
        S = _numpy(p.covariance.dense(D).expand(*p.loc.shape, D))[..., :, None, :, :]
        T = _numpy(q.covariance.dense(D).expand(*q.loc.shape, D))[..., None, :, :, :]
        S, d = S + T, (x - y)[..., None]
        square = (d * np.linalg.solve(S, d)).sum((-2, -1))
        return np.exp(-square / 2) / np.sqrt(np.linalg.det(2 * np.pi * S))
    own = () if isinstance(p, CauchyMixture) else (x.shape[-1],)
    s, t = (_numpy(m._spread.parameter.expand(*m.logits.shape, *own)) for m in (p, q))
    d = x - y
    if isinstance(p, CauchyMixture):
        g, a = s[..., :, None] + t[..., None, :], (x.shape[-1] + 1) / 2
        return gamma(a) / np.pi**a * g / (g**2 + (d**2).sum(-1)) ** a
    s, t = s[..., :, None, :], t[..., None, :, :]
    if isinstance(p, LaplaceMixture):
        a, same = np.abs(d), np.isclose(s, t, rtol=1e-6)
        with np.errstate(divide="ignore", invalid="ignore"):
            other = (s * np.exp(-a / s) - t * np.exp(-a / t)) / (2 * (s**2 - t**2))
        return np.where(same, (1 + a / s) * np.exp(-a / s) / (4 * s), other).prod(-1)
    R = np.sqrt(s**2 + t**2 + 2 * s * t * np.cos(d))
    return (i0(R) / (2 * np.pi * i0(s) * i0(t))).prod(-1)


def _form(a: Array, A: Array, b: Array) -> Array:
    return np.einsum("...i,...ij,...j->...", a, A, b)


def _numpy(x: torch.Tensor) -> Array:
    return x.detach().double().numpy()
