"""Which pairs of families have an inner product in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.distributions import Distribution

from mixtura.distributions import CauchyMixture, GaussianMixture, LaplaceMixture, VonMisesMixture
from mixtura.hilbert.checks import check_pair
from mixtura.hilbert.families import cauchy_form, laplace_form, von_mises_form
from mixtura.hilbert.form import Form
from mixtura.hilbert.gaussian import gaussian_form

__all__ = ["FORMS", "closed_form", "common_dtype", "find_form"]

FORMS: dict[tuple[type[Distribution], type[Distribution]], Callable[[Any, Any, torch.dtype], Form]] = {
    (GaussianMixture, GaussianMixture): gaussian_form,
    (LaplaceMixture, LaplaceMixture): laplace_form,
    (CauchyMixture, CauchyMixture): cauchy_form,
    (VonMisesMixture, VonMisesMixture): von_mises_form,
}
"""``(family of p, family of q) -> (p, q, dtype) -> Form``. A new family is one file and one line here."""

_SMALL = 2**16


def closed_form(p: Any, q: Any) -> Form:
    """Return the closed form of ``log <p_i, q_j>``; few pairs are computed in float64, as that costs nothing.

    Raises:
        TypeError: where the pair has no closed form; it says which pairs have one.
        ValueError: where p and q live in different spaces or their batches do not broadcast.
    """
    make, batch_shape = find_form(p, q)
    pairs = batch_shape.numel() * p.logits.shape[-1] * q.logits.shape[-1]
    return make(p, q, torch.float64 if pairs <= _SMALL else common_dtype(p, q))


def find_form(p: Distribution, q: Distribution) -> tuple[Callable[[Any, Any, torch.dtype], Form], torch.Size]:
    """Return the entry of the table for p and q and their common batch shape; raises as :func:`closed_form` does."""
    make = next((f for (a, b), f in FORMS.items() if isinstance(p, a) and isinstance(q, b)), None)
    if make is None:
        pairs = ", ".join(f"({a.__name__}, {b.__name__})" for a, b in FORMS)
        raise TypeError(
            f"p is a {type(p).__name__} and q is a {type(q).__name__}: there is no closed form of their inner "
            f"product. Pairs that have one: {pairs}."
        )
    return make, check_pair(p, q)


def common_dtype(p: Any, q: Any) -> torch.dtype:
    """Return the wider one of the dtypes of p and q."""
    return torch.promote_types(p.logits.dtype, q.logits.dtype)
