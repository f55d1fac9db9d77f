"""Random mixtures, each with a dense float64 reference that shares no code with the library."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from torch import Tensor

from mixtura.distributions import Covariance, Diagonal, Full, GaussianMixture, Isotropic, Precision

Array = NDArray[Any]

KINDS: dict[str, type[Covariance]] = {
    "isotropic": Isotropic,
    "diagonal": Diagonal,
    "full": Full,
    "precision": Precision,
}
RTOL = {torch.float32: 1e-4, torch.float64: 1e-10}


HEAD_KINDS: list[dict[str, Any]] = [
    {"covariance": "isotropic"},
    {"covariance": "diagonal"},
    {"covariance": "full"},
    {"covariance": "low_rank"},
    {"family": "laplace"},
    {"family": "cauchy"},
    {"family": "vonmises"},
]
"""Settings of every kind of head."""


@dataclass(frozen=True)
class Dense:
    """A mixture as numpy arrays: weights (*B, K), means (*B, K, D), covariance matrices (*B, K, D, D)."""

    weights: Array
    loc: Array
    S: Array

    def component_log_prob(self, x: Array) -> Array:
        """Return log N(x; m_k, S_k), shape (*S, *B, K)."""
        offset = x[..., None, :] - self.loc
        z = np.linalg.solve(np.broadcast_to(self.S, (*offset.shape, offset.shape[-1])), offset[..., None])[..., 0]
        log_det = np.linalg.slogdet(self.S)[1]
        return -0.5 * ((offset * z).sum(-1) + log_det + x.shape[-1] * math.log(2 * math.pi))

    def log_prob(self, x: Array) -> Array:
        """Return log p(x), shape (*S, *B)."""
        return logsumexp(self.component_log_prob(x), b=self.weights, axis=-1)

    def mean(self) -> Array:
        return np.einsum("...k,...kd->...d", self.weights, self.loc)

    def covariance(self) -> Array:
        second = self.S + self.loc[..., :, None] * self.loc[..., None, :]
        mean = self.mean()
        return np.einsum("...k,...kij->...ij", self.weights, second) - mean[..., :, None] * mean[..., None, :]

    def draw(self, rng: np.random.Generator, sample_shape: Sequence[int] = ()) -> Array:
        """Draw values near the components, shape (*S, *B, D)."""
        which = rng.integers(self.loc.shape[-2], size=(*sample_shape, *self.loc.shape[:-2]))[..., None, None]
        loc = np.take_along_axis(np.broadcast_to(self.loc, (*sample_shape, *self.loc.shape)), which, -2)[..., 0, :]
        S = np.broadcast_to(self.S, (*sample_shape, *self.S.shape))
        spread = np.sqrt(np.take_along_axis(S, which[..., None], -3)[..., 0, :, :].diagonal(axis1=-2, axis2=-1))
        return loc + 1.5 * spread * rng.standard_normal(loc.shape)


@dataclass(frozen=True, repr=False)
class Case:
    """A mixture and its reference."""

    recipe: str
    mixture: GaussianMixture
    dense: Dense
    rng: np.random.Generator

    def __repr__(self) -> str:
        return f"random_case({self.recipe})"

    @property
    def dtype(self) -> torch.dtype:
        return self.mixture.loc.dtype

    def values(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw values near the components."""
        return torch.as_tensor(self.dense.draw(self.rng, sample_shape), dtype=self.dtype)


def dense_covariance(kind: str, parameter: Array, D: int) -> Array:
    """Return S from the definition of each kind."""
    if kind == "isotropic":
        return parameter[..., None, None] * np.eye(D)
    if kind == "diagonal":
        return parameter[..., None] * np.eye(D)
    square = (
        parameter @ np.swapaxes(parameter, -1, -2) if kind == "full" else np.swapaxes(parameter, -1, -2) @ parameter
    )
    return square if kind == "full" else np.linalg.inv(square)


def random_parameter(rng: np.random.Generator, kind: str, leading: Sequence[int], D: int, scale: float = 1.0) -> Array:
    """Return a parameter for covariances with standard deviations near ``scale``."""
    if kind == "isotropic":
        return scale**2 * np.exp(0.7 * rng.standard_normal(leading))
    if kind == "diagonal":
        return scale**2 * np.exp(0.7 * rng.standard_normal((*leading, D)))
    lower = np.tril(0.4 * rng.standard_normal((*leading, D, D)), -1)
    lower = lower + np.exp(0.4 * rng.standard_normal((*leading, D)))[..., None] * np.eye(D)
    return lower * scale if kind == "full" else lower / scale


def random_case(
    kind: str,
    *,
    batch: Sequence[int] = (),
    K: int = 3,
    D: int = 2,
    dtype: torch.dtype = torch.float64,
    tied: bool = False,
    seed: int = 0,
    spread: float = 2.0,
    scale: float = 1.0,
) -> Case:
    """Return a random mixture whose means are ``spread`` and whose components ``scale`` wide."""
    recipe = f"{kind!r}, {batch=}, {K=}, {D=}, {dtype=}, {tied=}, {seed=}, {spread=}, {scale=}"
    rng = np.random.default_rng(seed)
    logits = torch.as_tensor(rng.standard_normal((*batch, K)), dtype=dtype)
    loc = torch.as_tensor(spread * rng.standard_normal((*batch, K, D)), dtype=dtype)
    leading = () if tied else (*batch, K)
    parameter = torch.as_tensor(random_parameter(rng, kind, leading, D, scale), dtype=dtype)
    S = np.broadcast_to(dense_covariance(kind, parameter.double().numpy(), D), (*batch, K, D, D))
    log_weights = logits.double().numpy()
    weights = np.exp(log_weights - logsumexp(log_weights, axis=-1, keepdims=True))
    mixture = GaussianMixture(logits, loc, KINDS[kind](parameter))
    return Case(recipe, mixture, Dense(weights, loc.double().numpy(), S), rng)


@st.composite
def cases(draw: st.DrawFn, dtypes: Sequence[torch.dtype] = (torch.float32, torch.float64), max_D: int = 5) -> Case:
    """Mixtures of every kind, shape, precision and scale."""
    return random_case(
        draw(st.sampled_from(list(KINDS))),
        batch=draw(st.lists(st.integers(1, 3), max_size=2)),
        K=draw(st.integers(1, 6)),
        D=draw(st.integers(1, max_D)),
        dtype=draw(st.sampled_from(list(dtypes))),
        tied=draw(st.booleans()),
        seed=draw(st.integers(0, 2**16)),
        spread=draw(st.sampled_from([0.0, 1e-3, 1.0, 1e4])),
        scale=draw(st.sampled_from([1e-4, 1.0, 1e4])),
    )


def global_state() -> dict[str, object]:
    """Return everything of torch and numpy that a library must leave alone."""
    return {
        "torch's generator": torch.get_rng_state().tolist(),
        "numpy's generator": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "default dtype": torch.get_default_dtype(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "validation": torch.distributions.Distribution._validate_args,
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "numpy's errors": np.geterr(),
    }


def assert_close(got: Tensor, expected: ArrayLike | Tensor, rtol: float, unit: Array | float = 0.0) -> None:
    """Assert that the error is below ``rtol`` times the larger of the expected value and ``unit``, and shapes agree."""
    wanted = np.asarray(expected.detach() if isinstance(expected, Tensor) else expected, dtype=np.float64)
    assert tuple(got.shape) == wanted.shape
    found = got.detach().double().numpy()
    same = found == wanted  # equal infinities
    with np.errstate(invalid="ignore"):
        excess = np.where(same, -np.inf, np.abs(found - wanted) - rtol * np.maximum(np.abs(wanted), unit))
    worst = np.unravel_index(np.argmax(np.where(np.isnan(excess), np.inf, excess)), excess.shape) if excess.size else ()
    assert bool(np.all(excess <= 0)), f"{found[worst]} instead of {wanted[worst]} at {worst}"
