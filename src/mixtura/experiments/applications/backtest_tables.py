"""Tables of forecasts of returns: log scores by period, value at risk and expected shortfall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura.experiments.applications.paired import paired_difference
from mixtura.experiments.applications.returns import SHORTFALL, ReturnForecasts
from mixtura.experiments.record import Cell, Table
from mixtura.metrics import BacktestResult, christoffersen_test, kupiec_test, shortfall_test

__all__ = [
    "Violations",
    "crises",
    "score_table",
    "shortfall_result",
    "shortfall_table",
    "tracked",
    "violation_table",
    "violations",
]

Array = NDArray[np.float64]
Dates = NDArray[np.datetime64]
Forecasts = Mapping[str, ReturnForecasts]

_CRISES = {"2008-09 to 2009-03": ("2008-09", "2009-04"), "2020-02 to 2020-04": ("2020-02", "2020-05")}
_RISK = (0.01, 0.05)
"""Levels of the value at risk."""
_PASSED = 0.05
_STEP = 0.1
"""Share of itself by which a violation widens a quantile that is tracked."""


@dataclass(frozen=True)
class Violations:
    """How often returns fell below a quantile."""

    level: float
    share: float
    kupiec: float
    """p-value of the test that the share is the level."""
    christoffersen: float
    """p-value of the test that one such day says nothing about the next."""

    @property
    def passed(self) -> bool:
        """Whether both p-values are .05 or more."""
        return min(self.kupiec, self.christoffersen) >= _PASSED

    def __str__(self) -> str:
        return (
            f"the {self.level:.0%} quantile broken on {self.share:.2%} of the days, p {self.kupiec:.2g} (Kupiec) and "
            f"{self.christoffersen:.2g} (Christoffersen)"
        )


def tracked(quantile: Array, y: Array, level: float) -> Array:
    r"""Return quantiles that violations widen and quiet days narrow: ``q_t (1 + c_t)`` with
    ``c_(t+1) = c_t + (1{y_t < q_t (1 + c_t)} - level) / 10``.

    Each uses the days before only. Over many days the share of violations comes to the level, whatever the model:
    steps of ``c`` add up to its change, which is bounded.

    Args:
        quantile: forecast, negative, shape (T,).
        y: what came, shape (T,).
        level: of the quantile.

    Source:
        Angelopoulos, Candès & Tibshirani 2023, "Conformal PID control for time series prediction", quantile tracking.

    Example:
        >>> tracked(np.full(3, -1.0), np.array([-2.0, 0.0, 0.0]), 0.5).round(3)
        array([-1.  , -1.05, -1.  ])
    """
    found, c = np.empty(len(y)), 0.0
    for t, q in enumerate(quantile):
        found[t] = q * (1 + c)
        c = max(c + _STEP * ((y[t] < found[t]) - level), -0.9)
    return found


def violations(f: ReturnForecasts, y: Array, track: bool = False) -> list[Violations]:
    """Return the violations of the value at risk at 1 % and 5 % by returns of shape (T,).

    Args:
        f: the forecasts.
        y: what came.
        track: let the quantiles follow the violations so far, see :func:`tracked`.
    """
    found = []
    for level in _RISK:
        quantile = f.quantiles[level]
        below = torch.as_tensor(y < (tracked(quantile, y, level) if track else quantile))
        tests = kupiec_test(below, level).p_value, christoffersen_test(below).p_value
        found.append(Violations(level, float(below.double().mean()), *tests))
    return found


def shortfall_result(f: ReturnForecasts, y: Array) -> BacktestResult:
    """Return the test of the expected shortfall at 2.5 %."""
    observed, quantile, shortfall = (torch.as_tensor(a) for a in (y, f.quantiles[SHORTFALL], f.shortfall))
    return shortfall_test(observed, quantile, shortfall, SHORTFALL, torch.as_tensor(f.draws))


def crises(dates: Dates) -> dict[str, NDArray[np.bool_]]:
    """Return which of the dates lie in each crisis of which there are two days or more."""
    spans = {n: (dates >= np.datetime64(a)) & (dates < np.datetime64(b)) for n, (a, b) in _CRISES.items()}
    return {name: days for name, days in spans.items() if days.sum() > 1}


def score_table(found: Forecasts, reference: str, dates: Dates) -> Table:
    """Return mean log scores and their differences to one of the models, over all days and in each crisis."""
    periods = {"all days": np.ones(len(dates), bool)} | crises(dates)
    rows: list[list[Cell]] = []
    for name, f in found.items():
        row: list[Cell] = [name]
        for days in periods.values():
            gap = paired_difference(f.log_density[days], found[reference].log_density[days])
            row += [float(f.log_density[days].mean()), gap.mean, gap.standard_error]
        rows.append(row)
    return Table(
        "Log scores, nats a day",
        ("model", *(c for p in periods for c in (p, "less GARCH", "standard error"))),
        rows,
        "Log-density of the return as a fraction, higher is better. Standard errors allow for ten days of correlation "
        "(Newey and West). GARCH is refitted when the mixture is; historical simulation is Student's t of most "
        "likelihood on the past 500 days, fitted anew every day.",
    )


def violation_table(found: Forecasts, y: Array, track: bool = False) -> Table:
    """Return the violations of the value at risk of every model, with their tests; see :func:`violations`."""
    rows = [(n, v) for n, f in found.items() for v in violations(f, y, track)]
    return Table(
        "Value at risk that follows its violations" if track else "Value at risk",
        ("model", "level", "days below", "p of Kupiec", "p of Christoffersen"),
        [[n, v.level, v.share, v.kupiec, v.christoffersen] for n, v in rows],
        "The same quantiles, a tenth wider after each violation, and narrower after all other days by as much in the "
        "long run: no model is right about the tails of years to come, but each can learn from its own errors."
        if track
        else "Share of the days whose return was below the quantile; p-values of the tests that it is the level "
        "(Kupiec), and that one such day says nothing about the next (Christoffersen). Historical simulation: "
        "empirical quantiles of the past 500 days.",
    )


def shortfall_table(found: Forecasts, y: Array) -> Table:
    """Return the expected shortfall of every model beside what fell short, with its test."""
    rows: list[list[Cell]] = []
    for name, f in found.items():
        below = y < f.quantiles[SHORTFALL]
        means = [float(a[below].mean()) if below.any() else None for a in (y, f.shortfall)]
        test = shortfall_result(f, y)
        rows.append([name, *means, test.statistic, test.p_value])
    return Table(
        f"Expected shortfall at {SHORTFALL:.1%}",
        ("model", "mean return below the quantile", "its forecast", "Z₂", "p"),
        rows,
        "Acerbi and Székely's second test: Z₂ is negative, and p small, where tails are worse than predicted.",
    )
