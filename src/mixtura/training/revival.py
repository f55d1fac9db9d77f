"""Starting components again that explain nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mixtura.distributions import AtomMixture
from mixtura.nn import MDN
from mixtura.nn.restart import restart
from mixtura.training.folds import Folds
from mixtura.training.health import is_atom, is_dead, mixture_head, present
from mixtura.training.loop import AfterEpoch

__all__ = ["revival", "revive"]

_SHARE = 0.5
"""Part of a training in which components are started again; the rest is left for them to settle."""
_TIMES = 20
"""How often a training would look for dead components, did it look to its end."""
_ROWS = 4096
_CHUNK = 512
_WORST = 0.1
"""Share of the rows, those explained worst, among which a component finds its place."""
_BESIDE = 0.1
"""How far from the target of its row a component starts, in its scales: two on one value must part."""


def revival(data: Sequence[Tensor], folds: Folds, epochs: int) -> AfterEpoch:
    """Return what revives dead components every few epochs in the first half of a training by likelihood.

    It is for that loss only: where likelihood is worst are the outliers, and a cost with a bound is taken because
    outliers are worth nothing to it.

    Args:
        data: inputs, targets and weights of the rows, as :func:`fit_networks` takes them.
        folds: which rows each network learns from.
        epochs: of the training.
    """
    rows = folds.train[:, :: -(-folds.train.shape[1] // _ROWS)]
    every = max(1, epochs // _TIMES)

    def after_epoch(model: nn.Module, average: nn.Module, optimizer: Optimizer, epoch: int) -> int:
        if epoch % every or epoch > _SHARE * epochs or not isinstance(model, MDN) or not isinstance(average, MDN):
            return 0
        return revive(model, average, optimizer, [t[rows] for t in data])

    return after_epoch


def revive(model: MDN, average: MDN, optimizer: Optimizer, data: Sequence[Tensor]) -> int:
    """Start every dead component of E networks side by side again, in place, and return how many there were.

    A component that explains less than ``.01/K`` of the rows is moved to the target of a row that is drawn from the
    tenth which the network explains worst, no two to the same row. It starts there whatever x is, with a weight near
    1/K and the scale ``spread / K^(1/(T+1))``, and the optimiser knows nothing of its past. Random numbers are drawn
    only where a component is dead.

    Args:
        model: whose components are looked at.
        average: the moving average of its weights, which gets the same components.
        optimizer: AdamW of the model.
        data: inputs (E, n, d), targets (E, n, T) and weights (E, n) of some rows of each network.
    """
    x, y, weight = data
    head, weight = mixture_head(model), weight.masked_fill(is_atom(model, y), 0.0)
    training = model.training
    model.eval()
    with torch.no_grad():
        usage, log_prob = _explained(model, x, y, weight)
        own = present(head).to(usage.device)
        dead = is_dead(usage.masked_fill(~own, torch.nan))
        revived = 0
        if bool(dead.any()):
            scale = _spread(y, weight) / own.sum(-1, keepdim=True) ** (1 / (y.shape[-1] + 1))  # (E, T)
            loc = y.new_zeros(*dead.shape, y.shape[-1])
            for e in dead.any(-1).nonzero().flatten().tolist():
                components = dead[e].nonzero().flatten()
                rows = _badly_explained(log_prob[e], weight[e], len(components))
                dead[e, components[len(rows) :]] = False  # there are not enough rows
                components = components[: len(rows)]
                loc[e, components] = y[e, rows] + _BESIDE * scale[e] * torch.randn_like(y[e, rows])
            changed = restart(head, model.features(x[:, :_CHUNK]), dead, loc, scale)
            _forget(head.linear, mixture_head(average).linear, optimizer, changed)
            revived = int(dead.sum())
    model.train(training)
    return revived


def _explained(model: MDN, x: Tensor, y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the share of the rows that each component explains, (E, K), and the log-density of each row, (E, n)."""
    total, log_prob = [], []
    for xs, ys, ws in zip(x.split(_CHUNK, 1), y.split(_CHUNK, 1), weight.split(_CHUNK, 1), strict=True):
        q = model(xs)
        q = q.continuous if isinstance(q, AtomMixture) else q
        total.append((ws.unsqueeze(-1) * q.responsibilities(ys)).sum(1))
        log_prob.append(q.log_prob(ys))
    return torch.stack(total).sum(0) / weight.sum(1, keepdim=True), torch.cat(log_prob, 1)


def _badly_explained(log_prob: Tensor, weight: Tensor, n: int) -> Tensor:
    """Draw up to n different rows of a network from those that it explains worst."""
    order = torch.where(weight > 0, log_prob, torch.inf).argsort()[: int((weight > 0).sum())]
    worst = order[: max(n, int(_WORST * len(order)))]
    return worst[torch.multinomial(weight[worst], min(n, len(worst)))] if len(worst) else worst


def _spread(y: Tensor, weight: Tensor) -> Tensor:
    """Return the standard deviation of each target, shape (E, T)."""
    share = (weight / weight.sum(1, keepdim=True)).unsqueeze(-1)  # (E, n, 1)
    mean = (share * y).sum(1, keepdim=True)
    return (share * (y - mean).square()).sum(1).sqrt()


def _forget(linear: nn.Module, average: nn.Module, optimizer: Optimizer, changed: Tensor) -> None:
    """Give the average the outputs that were changed, and the optimiser no past of them."""
    for p, a in zip(linear.parameters(), average.parameters(), strict=True):
        mask = changed if p.dim() == 2 else changed.unsqueeze(-1)
        a.copy_(torch.where(mask, p, a))
        for name in ("exp_avg", "exp_avg_sq"):
            optimizer.state[p][name].masked_fill_(mask, 0.0)
