"""How many components a network needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from mixtura.nn import MDN
from mixtura.training import Folds, RegressionPlan, fit_networks, isolated_seed
from mixtura.training.health import mixture_head

__all__ = ["CANDIDATES", "ComponentStudy", "Criterion", "losses", "select_components"]

Criterion = Literal["cross_validation", "aic", "bic"]

CANDIDATES = (1, 2, 3, 5, 10, 20)
_TOLERANCE = 0.005
"""Nats per row that more components must be worth."""
_HELD = 0.2
"""Share of the rows that judges a network, unless there are more folds than that."""
_ROWS = 8192


@dataclass(frozen=True)
class ComponentStudy:
    """Hold what each candidate number of components is worth, in nats per row; lower is better.

    Example:
        >>> from mixtura.selection import ComponentStudy
        >>> study = ComponentStudy([1, 2, 5], [0.9, 0.204, 0.2], [0.05, 0.01, 0.0], [1.0, 0.3, 0.4], [1.1, 0.4, 0.6])
        >>> study.chosen
        2
        >>> print(study)
        components       NLL        difference    AIC/2n    BIC/2n
                 1    0.9000   0.7000 ± 0.0500    1.0000    1.1000
                 2    0.2040   0.0040 ± 0.0100    0.3000    0.4000  <- chosen
                 5    0.2000   0.0000 ± 0.0000    0.4000    0.6000
    """

    candidates: list[int]
    """Numbers of components."""
    nll: list[float]
    """Mean negative log-likelihood of rows that were held back."""
    error: list[float]
    """Standard error of the difference to the best candidate, of the same rows; zero for the best itself."""
    aic: list[float]
    """Akaike's criterion over ``2n``: the mean negative log-likelihood of the n rows trained on, plus ``p/n`` for the p
    weights of the head."""
    bic: list[float]
    """Schwarz's criterion over ``2n``: the same, plus ``p log(n) / 2n``."""
    criterion: Criterion = "cross_validation"
    """Which of them decides."""

    @property
    def decisive(self) -> list[float]:
        """The values of the criterion that decides."""
        return {"cross_validation": self.nll, "aic": self.aic, "bic": self.bic}[self.criterion]

    @property
    def chosen(self) -> int:
        """The number of components to take: the smallest whose held-out likelihood is within 0.005 nat of the best; or
        the one with the lowest AIC or BIC."""
        most = min(self.decisive) + (_TOLERANCE if self.criterion == "cross_validation" else 0.0)
        return min(K for K, value in zip(self.candidates, self.decisive, strict=True) if value <= most)

    def shifted(self, nats: float) -> ComponentStudy:
        """Return the study with every value larger by so many nats, as a change of units makes it."""
        nll, aic, bic = ([v + nats for v in values] for values in (self.nll, self.aic, self.bic))
        return replace(self, nll=nll, aic=aic, bic=bic)

    def __str__(self) -> str:
        lines = [f"components {'NLL':>9} {'difference':>17} {'AIC/2n':>9} {'BIC/2n':>9}"]
        best = min(self.nll)
        for K, nll, error, aic, bic in zip(self.candidates, self.nll, self.error, self.aic, self.bic, strict=True):
            mark = "  <- chosen" if self.chosen == K else ""
            lines.append(f"{K:10} {nll:9.4f} {nll - best:8.4f} ± {error:6.4f} {aic:9.4f} {bic:9.4f}{mark}")
        return "\n".join(lines)


def select_components(
    build: Callable[[Sequence[int]], MDN],
    data: Sequence[Tensor],
    plan: RegressionPlan,
    candidates: Sequence[int] = CANDIDATES,
    criterion: Criterion = "cross_validation",
    *,
    folds: int = 5,
    budget: float = 0.25,
    seed: int = 0,
    verbose: bool = False,
) -> ComponentStudy:
    """Find out how many components a network needs: all candidates and folds train side by side, in one run.

    Every candidate gets ``folds`` networks that hold back different rows, the same for all candidates, so that the
    difference of two candidates is known better than either. AIC and BIC count the weights of the head as if each were
    free, which the weights of a network are not: they are for narrow heads and many rows.

    Args:
        build: ``build(components)`` is an :class:`~mixtura.nn.MDN` with one member for each number in ``components``,
            its head initialised.
        data: inputs (N, d), targets (N, T) and weights (N,) of the rows, standardised.
        plan: settings of a whole training run.
        candidates: numbers of components.
        criterion: what chooses: ``"cross_validation"``, ``"aic"`` or ``"bic"``; the study has all three.
        folds: networks for each candidate; each holds back a fifth of the rows, or one part of so many if they are more
            than five.
        budget: epochs in units of those of the plan: a ranking is known before the networks are.
        seed: of everything random.
        verbose: show a progress bar.

    Returns:
        The study, in nats of the targets as they are in ``data``.

    Raises:
        ValueError: where the candidates, the criterion, the folds or the budget make no sense, or there are too few
            rows.
        FloatingPointError: where the training fails, as in :func:`~mixtura.training.fit_networks`.

    Source:
        Akaike 1974, "A new look at the statistical model identification"; Schwarz 1978, "Estimating the dimension of a
        model".

    Example:
        >>> import torch, mixtura as mx
        >>> from mixtura.selection import select_components
        >>> x, sign = torch.rand(300, 1), torch.randint(2, (300, 1)) * 2 - 1
        >>> y = sign + 0.2 * torch.randn(300, 1)
        >>> def build(components):
        ...     mdn = mx.nn.MDN(1, 1, components, hidden=(8,), members=len(components))
        ...     mdn.head.initialize(y)
        ...     return mdn
        >>> plan = mx.training.RegressionPlan("likelihood", 40, 64, 1e-2, 1e-2, None, 0.0, 0.0, 0.0)
        >>> select_components(build, (x, y, torch.ones(300)), plan, candidates=(1, 2)).chosen
        2
    """
    counts = sorted(set(candidates))
    if not counts or counts[0] < 1:
        raise ValueError(f"candidates must be positive numbers of components, got {tuple(candidates)}.")
    if criterion not in get_args(Criterion):
        raise ValueError(f"criterion must be one of {', '.join(map(repr, get_args(Criterion)))}, got {criterion!r}.")
    if folds < 1 or not 0 < budget <= 1:
        raise ValueError(f"folds must be at least 1 and budget in (0, 1], got {folds} and {budget}.")
    x, y, weight = data
    share = min(_HELD, 1 / folds)
    if int(share * len(x)) * folds < 2:
        raise ValueError(f"{len(x)} rows are too few to hold some of them back: name the number of components.")
    C = len(counts)
    with isolated_seed(seed):
        one = Folds.draw(len(x), folds, share).to(x.device)
        network = build([K for K in counts for _ in range(folds)]).to(x.device)
    # The weights of a mixture's head belong to one component each; with atoms there is a layer beside it.
    own, whole = (sum(p.numel() for p in h.parameters()) for h in (mixture_head(network), network.head))
    parameters = (whole - own + own * torch.tensor(counts) / counts[-1]) / (C * folds)
    short = replace(plan, epochs=max(1, round(budget * plan.epochs)))
    fit_networks(network, data, Folds(one.train.repeat(C, 1), one.held.repeat(C, 1)), short, seed=seed, verbose=verbose)

    held = losses(network, x, y, one.held.repeat(C, 1)).view(C, -1)
    trained = losses(network, x, y, one.train.repeat(C, 1)).view(C, -1)
    w_held, w_trained = (weight[rows].double().flatten().cpu() for rows in (one.held, one.train))
    nll, fitted = held @ w_held / w_held.sum(), trained @ w_trained / w_trained.sum()
    n = one.train.shape[1]
    return ComponentStudy(
        counts,
        nll.tolist(),
        paired_error(held - held[nll.argmin()], w_held).tolist(),
        (fitted + parameters / n).tolist(),
        (fitted + 0.5 * parameters * torch.tensor(n).log() / n).tolist(),
        criterion,
    )


def paired_error(difference: Tensor, weight: Tensor) -> Tensor:
    """Return the standard error of the weighted mean over the last dimension, ``√(n/(n-1) Σ w² (d - d̄)²) / Σ w``.

    Args:
        difference: d of each row, shape ``(*B, n)``.
        weight: w of the rows, shape ``(n,)``.
    """
    total, n = weight.sum(), len(weight)
    mean = (difference @ weight / total).unsqueeze(-1)
    squares = (weight * (difference - mean)).square().sum(-1)
    return (n / (n - 1) * squares).sqrt() / total


def losses(network: MDN, x: Tensor, y: Tensor, rows: Tensor) -> Tensor:
    """Return the negative log-likelihood of the rows (E, m) of each network, shape (E, m), in float64, on the CPU."""
    with torch.no_grad():
        chunks = [-network(x[part]).log_prob(y[part]) for part in rows.split(_ROWS, 1)]
    return torch.cat(chunks, 1).double().cpu()
