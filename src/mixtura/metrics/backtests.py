"""Backtests of tail risk: do losses beyond a quantile come as often, as independently and as large as predicted?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "BacktestResult",
    "christoffersen_test",
    "conditional_coverage_test",
    "kupiec_test",
    "shortfall_test",
]


@dataclass(frozen=True)
class BacktestResult:
    """What a backtest found."""

    statistic: float
    """Likelihood ratio of :func:`kupiec_test` and the like; Z₂ of :func:`shortfall_test`."""
    p_value: float
    """Probability of a statistic as extreme or more where the predictions are right."""


def kupiec_test(violations: Tensor, level: float) -> BacktestResult:
    r"""Test whether violations of a quantile come as often as its level says (unconditional coverage).

    ``LR = 2 log [π^N (1 - π)^(T-N) / (p^N (1 - p)^(T-N))]`` for N violations in T days, ``π = N/T`` and p the level.
    Its p-value is that of χ² with one degree of freedom, which holds for many violations; with few it is rough.

    Args:
        violations: whether the outcome fell below its predicted quantile; booleans in the order of time, shape
            ``(T,)``.
        level: probability of a violation, strictly between 0 and 1, such as 0.01.

    Raises:
        ValueError: where there is no day, violations are no booleans, or the level is not strictly between 0 and 1.

    Source:
        Kupiec 1995, "Techniques for verifying the accuracy of risk measurement models".

    Example:
        >>> import torch
        >>> test = kupiec_test(torch.arange(252) < 6, level=0.01)
        >>> round(test.statistic, 3), round(test.p_value, 3)
        (3.499, 0.061)
    """
    hit = _checked(violations, level)
    ratio = _log_likelihood(hit, hit.mean()) - _log_likelihood(hit, hit.new_tensor(level))
    return _chi_square_1(2 * ratio.item())


def christoffersen_test(violations: Tensor) -> BacktestResult:
    r"""Test whether a violation makes another one the next day more or less likely (independence).

    ``LR = 2 log [(1-π₀)^n₀₀ π₀^n₀₁ (1-π₁)^n₁₀ π₁^n₁₁ / ((1-π)^(n₀₀+n₁₀) π^(n₀₁+n₁₁))]`` with n_ij the number of days in
    state j after one in state i, ``π_i = n_i1 / (n_i0 + n_i1)`` and ``π = (n₀₁ + n₁₁) / (T - 1)``. Its p-value is that
    of χ² with one degree of freedom. Where no violation, or nothing else, precedes a day, nothing speaks against
    independence: the statistic is 0.

    Args:
        violations: as of :func:`kupiec_test`.

    Raises:
        ValueError: where there are fewer than two days, or violations are no booleans.

    Source:
        Christoffersen 1998, "Evaluating interval forecasts".

    Example:
        >>> import torch
        >>> days = torch.zeros(252, dtype=torch.bool)
        >>> days[[20, 21, 22, 100, 101, 102]] = True
        >>> test = christoffersen_test(days)
        >>> round(test.statistic, 2), test.p_value < 1e-6
        (25.81, True)
    """
    hit = _checked(violations, least=2)
    before, after = hit[:-1], hit[1:]
    ratio = -_log_likelihood(after, after.mean())
    for state in (0, 1):
        following = after[before == state]
        if len(following):
            ratio = ratio + _log_likelihood(following, following.mean())
    return _chi_square_1(2 * ratio.item())


def conditional_coverage_test(violations: Tensor, level: float) -> BacktestResult:
    """Test both at once, frequency and independence of violations: the sum of the statistics of :func:`kupiec_test` and
    :func:`christoffersen_test`, whose p-value is that of χ² with two degrees of freedom.

    Args, Raises and Source are theirs.

    Example:
        >>> import torch
        >>> round(conditional_coverage_test(torch.arange(252) % 20 == 7, level=0.05).p_value, 2)
        0.49
    """
    statistic = kupiec_test(violations, level).statistic + christoffersen_test(violations).statistic
    return BacktestResult(statistic, math.exp(-statistic / 2))


def shortfall_test(y: Tensor, quantile: Tensor, shortfall: Tensor, level: float, simulated: Tensor) -> BacktestResult:
    r"""Test whether outcomes beyond the predicted quantile are as bad, and as many, as the predicted shortfall says.

    ``Z₂ = 1 - 1/(T p) Σ_t y_t 1{y_t < q_t} / e_t`` with q_t the quantile of level p and e_t the mean of the outcomes
    below it, both negative as losses are. Z₂ is 0 in expectation where the predictions are right, and negative where
    tails are worse than predicted: -1 where losses weigh twice as much. The p-value is the share of simulated series,
    this one among them, whose Z₂ is as low or lower: small where tails are worse than predicted.

    Args:
        y: outcomes, such as returns, shape ``(T,)``.
        quantile: q_t in units of y, shape ``(T,)``; value at risk is its negative.
        shortfall: e_t in units of y, negative, shape ``(T,)``; see :func:`mixtura.metrics.expected_shortfall`.
        level: p, strictly between 0 and 1, such as 0.025.
        simulated: draws of the predicted distributions, shape ``(S, T)``; 1,000 draws or more.

    Raises:
        ValueError: where shapes do not fit, a value is not finite, or a shortfall is not negative or above its
            quantile.

    Source:
        Acerbi & Székely 2014, "Back-testing expected shortfall", test 2.

    Example:
        >>> import torch
        >>> draws = torch.randn(1001, 500, generator=torch.Generator().manual_seed(0))
        >>> q, e = torch.full((500,), -1.9600), torch.full((500,), -2.3378)
        >>> right = shortfall_test(draws[0], q, e, 0.025, draws[1:])
        >>> wrong = shortfall_test(1.3 * draws[0], q, e, 0.025, draws[1:])
        >>> right.p_value > 0.05, wrong.p_value < 0.01
        (True, True)
    """
    _check_level(level)
    y, q, e, draws = (t.detach().double() for t in (y, quantile, shortfall, simulated))
    if y.dim() != 1 or not len(y) or not y.shape == q.shape == e.shape == draws.shape[1:] or not len(draws):
        raise ValueError(
            "y, quantile and shortfall must have shape (T,) and simulated (S, T), none of them empty, got "
            f"{tuple(y.shape)}, {tuple(q.shape)}, {tuple(e.shape)} and {tuple(draws.shape)}."
        )
    if not all(bool(torch.isfinite(t).all()) for t in (y, q, e, draws)):
        raise ValueError("y, quantile, shortfall and simulated must hold finite numbers.")
    if not bool(((e < 0) & (e <= q)).all()):
        raise ValueError("a shortfall must be negative and not above its quantile: losses are negative outcomes here.")

    def z(outcomes: Tensor) -> Tensor:
        return 1 - torch.where(outcomes < q, outcomes / e, 0.0).sum(-1) / (len(q) * level)

    observed = z(y)
    as_low = int((z(draws) <= observed).sum())
    return BacktestResult(observed.item(), (1 + as_low) / (1 + len(draws)))


def _log_likelihood(hit: Tensor, p: Tensor) -> Tensor:
    """Return the log-probability of independent violations of probability p."""
    return torch.xlogy(hit.sum(), p) + torch.xlogy((1 - hit).sum(), 1 - p)


def _chi_square_1(statistic: float) -> BacktestResult:
    statistic = max(statistic, 0.0)  # rounding
    return BacktestResult(statistic, math.erfc(math.sqrt(statistic / 2)))


def _checked(violations: Tensor, level: float = 0.5, least: int = 1) -> Tensor:
    _check_level(level)
    if violations.dtype != torch.bool or violations.dim() != 1 or len(violations) < least:
        raise ValueError(
            f"violations must be booleans of shape (T,) with T >= {least}, such as y < quantile, got "
            f"{violations.dtype} of shape {tuple(violations.shape)}."
        )
    return violations.double()


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}.")
