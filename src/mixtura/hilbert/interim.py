"""Dense spectra, until the spectral engine is there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mixtura.hilbert.table import find_form

__all__ = ["effective_rank", "log_nuclear_norm", "log_singular_values"]


def _log_weighted(p: Any, q: Any) -> Tensor:
    w, u = (torch.log_softmax(m.logits.double(), -1) for m in (p, q))
    log_gram = find_form(p, q)[0](p, q, torch.float64).log_gram()
    return log_gram + 0.5 * w.unsqueeze(-1) + 0.5 * u.unsqueeze(-2)


def log_singular_values(p: Any, q: Any) -> Tensor:
    """Return the logs of the singular values of the weighted cross Gram matrix, largest first."""
    C = _log_weighted(p, q)
    unit = C.detach().amax((-2, -1), keepdim=True)
    return torch.linalg.svdvals((C - unit).exp()).log() + unit[..., 0]


def log_nuclear_norm(p: Any, q: Any) -> Tensor:
    """Return the log of the nuclear norm of the weighted cross Gram matrix."""
    C = _log_weighted(p, q)
    unit = C.detach().amax((-2, -1), keepdim=True)
    A = (C - unit).exp()
    with torch.no_grad():
        lam, V = torch.linalg.eigh(A.mT @ A)
        lam = lam.clamp_min(0)
        s = (lam + 1e-14 * lam[..., -1:]).sqrt()
        W = (A @ (V / s.unsqueeze(-2))) @ V.mT
    return (A * W).sum((-2, -1)).log() + unit[..., 0, 0]


def effective_rank(p: Any) -> Tensor:
    """Return ``exp(-Σ s log s)`` of the normalised eigenvalues of the weighted Gram matrix."""
    s = torch.softmax(log_singular_values(p, p), -1)
    return torch.special.entr(s).sum(-1).exp()
