"""Which view of the inputs a network learns best from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mixtura.nn import MDN
from mixtura.selection.components import losses
from mixtura.training import Folds, RegressionPlan, fit_networks, isolated_seed

__all__ = ["select_view"]

_HELD = 0.2
_BUDGET = 0.4
"""Epochs in units of those of the plan. Short waves are learnt sooner: half of this would favour them."""


def select_view(
    build: Callable[[int], MDN],
    views: Sequence[Tensor],
    targets: Tensor,
    weight: Tensor,
    plan: RegressionPlan,
    *,
    folds: int = 2,
    seed: int = 0,
    verbose: bool = False,
) -> int:
    """Return the number of the view with the best held-out likelihood: all views and folds train side by side.

    Args:
        build: ``build(members)`` is an :class:`~mixtura.nn.MDN` of so many members, its head initialised.
        views: V tensors of inputs of the same rows and of the same width, shape (N, d) each.
        targets: shape (N, T), standardised.
        weight: of the rows, shape (N,).
        plan: settings of a whole training run, of which two fifths of the epochs are run.
        folds: networks for each view; each holds back a fifth of the rows, the same for all views.
        seed: of everything random.
        verbose: show a progress bar.

    Raises:
        FloatingPointError: where the training fails, as in :func:`~mixtura.training.fit_networks`.

    Example:
        >>> import torch, mixtura as mx
        >>> from mixtura.selection import select_view
        >>> x = torch.rand(400, 1)
        >>> y = (40 * x).sin() + 0.1 * torch.randn(400, 1)
        >>> def build(members):
        ...     mdn = mx.nn.MDN(1, 1, 1, hidden=(16,), members=members)
        ...     mdn.head.initialize(y)
        ...     return mdn
        >>> plan = mx.training.RegressionPlan("likelihood", 100, 64, 1e-2, 1e-2, None, 0.0, 0.0, 0.0)
        >>> select_view(build, [x, (40 * x).sin()], y, torch.ones(400), plan)
        1
    """
    V, N = len(views), len(targets)
    with isolated_seed(seed):
        one = Folds.draw(N, folds, _HELD).to(targets.device)
        network = build(V * folds).to(targets.device)
    # The views lie one below the other in one table, in which each network has the rows of its own.
    first = N * torch.arange(V, device=targets.device).repeat_interleave(folds).unsqueeze(-1)
    both = Folds(one.train.repeat(V, 1) + first, one.held.repeat(V, 1) + first)
    data = torch.cat(list(views)), targets.repeat(V, 1), weight.repeat(V)
    short = replace(plan, epochs=max(1, round(_BUDGET * plan.epochs)))
    fit_networks(network, data, both, short, seed=seed, verbose=verbose)
    w = weight[one.held].double().flatten().cpu()
    nll = losses(network, data[0], data[1], both.held).view(V, -1) @ w
    return int(nll.nan_to_num(torch.inf).argmin())
