"""Dense float64 references that share no code with the library, and drawn pairs of mixtures."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import logsumexp

from tests.helpers import KINDS, Case, Dense, random_case

Array = NDArray[Any]


def dense_log_gram(p: Dense, q: Dense) -> Array:
    """Return log N(m_i - m'_j; 0, S_i + S'_j), shape (*B, N, M)."""
    d = p.loc[..., :, None, :] - q.loc[..., None, :, :]
    S = p.S[..., :, None, :, :] + q.S[..., None, :, :, :]
    d = np.broadcast_to(d, S.shape[:-1])
    z = np.linalg.solve(S, d[..., None])[..., 0]
    return -0.5 * ((d * z).sum(-1) + np.linalg.slogdet(S)[1] + d.shape[-1] * np.log(2 * np.pi))


def dense_log_columns(p: Dense, q: Dense) -> Array:
    """Return log Σ_i w_i <p_i, q_j>, shape (*B, M)."""
    return logsumexp(dense_log_gram(p, q), b=p.weights[..., :, None], axis=-2)


def dense_log_inner(p: Dense, q: Dense) -> Array:
    """Return log Σ_ij w_i w'_j <p_i, q_j>, shape (*B)."""
    weights = p.weights[..., :, None] * q.weights[..., None, :]
    return logsumexp(dense_log_gram(p, q), b=weights, axis=(-2, -1))


@st.composite
def pairs(draw: st.DrawFn, max_D: int = 5) -> tuple[Case, Case]:
    """Two mixtures of any kinds in one space, with batch shapes that broadcast."""
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    D = draw(st.integers(1, max_D))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    scale = draw(st.sampled_from([1e-3, 1.0, 1e3]))
    spread = draw(st.sampled_from([0.0, 0.1, 1.0, 30.0])) * scale
    both = []
    for _ in range(2):
        own = [draw(st.sampled_from([1, size])) for size in batch]
        both.append(
            random_case(
                draw(st.sampled_from(list(KINDS))),
                batch=own[draw(st.integers(0, len(own))) :] if draw(st.booleans()) else batch,
                K=draw(st.integers(1, 6)),
                D=D,
                dtype=dtype,
                tied=draw(st.booleans()),
                seed=draw(st.integers(0, 2**16)),
                spread=spread,
                scale=scale,
            )
        )
    return both[0], both[1]


def parameters(case: Case) -> list[torch.Tensor]:
    """Return the parameters of a mixture as leaves that want gradients."""
    mixture = case.mixture
    tensors = (mixture.logits, mixture.loc, mixture.covariance.parameter)
    return [t.detach().clone().requires_grad_() for t in tensors]
