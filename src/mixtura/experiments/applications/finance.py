"""Tomorrow's return of an index: a mixture of Laplace components against GARCH and historical simulation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mixtura.datasets import DailySeries, YearSplit, data_file, in_volatility, price_series, read_prices, walk_forward
from mixtura.distributions import LaplaceMixture
from mixtura.estimators import MixtureDensityRegressor
from mixtura.experiments.applications.backtest_tables import (
    crises,
    score_table,
    shortfall_result,
    shortfall_table,
    violation_table,
    violations,
)
from mixtura.experiments.applications.paired import paired_difference
from mixtura.experiments.applications.returns import (
    SHORTFALL,
    ReturnForecasts,
    garch_forecasts,
    historical_forecasts,
    mixture_forecasts,
)
from mixtura.experiments.record import Curves, Options, Picture, Record

__all__ = ["finance", "learn_returns", "random_prices", "weights_by_width"]

Array = NDArray[np.float64]
Dates = NDArray[np.datetime64]

_FILE = "sp500_daily_2000_2020.csv"
_FIRST = 2005
_GARCH, _GJR, _PAST = "GARCH(1,1), Student's t", "GJR-GARCH(1,1), Student's t", "historical simulation"
_WIDTHS = (0.005, 0.01, 0.02)
"""Standard deviations of a day that part the components into four classes."""


def finance(options: Options) -> Record:
    """Return how well tomorrow's return is forecast, year by year with what was known before, and how its tails are."""
    series = _series(options)
    splits = walk_forward(series.dates, int(str(series.dates[-1])[:4]) if options.quick else _FIRST)
    rows = np.concatenate([split.test for split in splits])
    y, dates = series.y[rows], series.dates[rows]
    found = {
        _GARCH: garch_forecasts(series.y, splits),
        _GJR: garch_forecasts(series.y, splits, asymmetric=True),
        _PAST: historical_forecasts(series.y, rows),
    }
    names = {seed: f"mixtura, seed {seed}" for seed in options.seeds}
    panels: list[Curves] = []
    for seed, name in names.items():
        start = time.perf_counter()
        mixtures = _walk(series, splits, seed, options.quick)
        scale = in_volatility(series)[1][rows]
        found[name] = ReturnForecasts.joined(
            [
                mixture_forecasts(q, scale[part], y[part], seed + split.year)
                for q, part, split in zip(mixtures, _parts(splits), splits, strict=True)
            ]
        )
        options.say(f"{name}: {found[name].log_density.mean():.4f} nats a day, {time.perf_counter() - start:.0f} s")
        if not panels:
            weights = np.concatenate(
                [weights_by_width(q, scale[part]) for q, part in zip(mixtures, _parts(splits), strict=True)]
            )
            panels = _regimes(weights, dates, y)
    return Record(
        "finance",
        "Tomorrow's return of the S&P 500",
        "What will an index do tomorrow, given its recent past? A network emits a mixture of Laplace components for "
        "the return in units of the current volatility. Each year it learns from all years before and forecasts the "
        "days to come, through the crises of 2008 and 2020. GARCH(1,1) with Student's t, refitted on the same days and "
        "carried on daily, and two years of past returns are what it must beat.",
        {
            "data": "drawn from a GARCH" if options.quick and options.data is None else "S&P 500, daily, 2000 to 2020",
            "days forecast": f"{len(y)}, {dates[0]} to {dates[-1]}",
            "days before them": int(splits[0].train[-1] + 1),
            "refits": len(splits),
            "settings chosen by": "likelihood of 2001 to 2004, each year left out in turn",
            "model": repr(_model(0, options.quick)),
            "seeds": list(options.seeds),
            "quick": options.quick,
        },
        _findings(list(names.values()), found, y, dates),
        [
            score_table(found, _GARCH, dates),
            violation_table(found, y),
            violation_table(found, y, track=True),
            shortfall_table(found, y),
        ],
        [
            Picture(
                "Weights of the components by their width in the units of returns, quarterly means: the regimes.",
                panels,
                columns=2,
            ),
            Picture("Log score summed over the days, less that of GARCH.", [_race(found, dates)], columns=1),
        ],
    )


def learn_returns(
    z: DailySeries, train: NDArray[np.intp], seed: int = 0, quick: bool = False
) -> MixtureDensityRegressor:
    """Return the regressor that has learnt returns in units of volatility, from :func:`in_volatility`, on some rows."""
    return _model(seed, quick).fit(z.X[train], z.y[train])


def weights_by_width(z: LaplaceMixture, scale: Array) -> Array:
    """Return the weights of the components by standard deviation: below .5 %, to 1 %, to 2 % and above, shape (T, 4).

    Args:
        z: mixtures of ``return / scale``, batch_shape (T,).
        scale: shape (T,).
    """
    width = scale[:, None] * 2**0.5 * z.scale.numpy()
    which = np.digitize(width, _WIDTHS)
    return np.stack([(z.weights.numpy() * (which == k)).sum(-1) for k in range(len(_WIDTHS) + 1)], -1)


def random_prices(days: int, seed: int = 0) -> DailySeries:
    """Return features and returns of prices that a GARCH with Student's t draws: for trying out."""
    rng = np.random.default_rng(seed)
    r, variance = np.zeros(days), 1e-4
    for t in range(1, days):
        variance = 2e-6 + 0.1 * r[t - 1] ** 2 + 0.88 * variance
        r[t] = np.sqrt(variance * 4 / 6) * rng.standard_t(6)
    close, away = 1000 * np.exp(r.cumsum()), np.abs(r) + 0.005 * rng.random(days)
    return price_series(
        np.datetime64("2001-01-01") + np.arange(days), close * np.exp(away), close * np.exp(-away), close
    )


def _model(seed: int, quick: bool) -> MixtureDensityRegressor:
    return MixtureDensityRegressor(
        components=6,
        family="laplace",
        ensemble=2 if quick else 5,
        roughness=0.0,
        hidden=(32,),
        dropout=0.2,
        min_scale=0.1,
        epochs=3 if quick else 30,
        random_state=seed,
    )


def _series(options: Options) -> DailySeries:
    if options.quick and options.data is None:
        return random_prices(1_300)
    return read_prices(data_file(_FILE, options.data))


def _walk(series: DailySeries, splits: Sequence[YearSplit], seed: int, quick: bool) -> list[LaplaceMixture]:
    z, _ = in_volatility(series)
    return [learn_returns(z, s.train, seed, quick).predict_dist(z.X[s.test]) for s in splits]


def _parts(splits: Sequence[YearSplit]) -> list[slice]:
    """Return where the days of each split lie among the days of all."""
    ends = np.cumsum([len(s.test) for s in splits]).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _findings(own: Sequence[str], found: Mapping[str, ReturnForecasts], y: Array, dates: Dates) -> list[str]:
    mean = {name: float(f.log_density.mean()) for name, f in found.items()}
    lines = [
        f"Log score {np.mean([mean[name] for name in own]):.4f} nats a day, GARCH {mean[_GARCH]:.4f}, GJR-GARCH "
        f"{mean[_GJR]:.4f}, historical simulation {mean[_PAST]:.4f}."
    ]
    for rival in (_GARCH, _GJR, _PAST):
        lead = paired_difference(found[own[0]].log_density, found[rival].log_density)
        lines.append(f"{own[0]} against {rival}: {lead} nats a day, {lead.verdict()}.")
    for name, days in crises(dates).items():
        gap = paired_difference(found[own[0]].log_density[days], found[_GARCH].log_density[days])
        lines.append(f"In {name}, {days.sum()} days: {gap} nats a day against GARCH, {gap.verdict()}.")
    for track in (False, True):
        how = "Value at risk that follows its violations" if track else "Value at risk"
        tests = {name: violations(f, y, track) for name, f in found.items()}
        passed = [name for name, levels in tests.items() if all(v.passed for v in levels)]
        lines.append(f"{how}, {own[0]}: {'; '.join(map(str, tests[own[0]]))}.")
        lines.append(f"{how}: both tests at both levels are passed by {', '.join(passed) or 'none'}.")
    z = shortfall_result(found[own[0]], y)
    lines.append(f"Expected shortfall at {SHORTFALL:.1%} of {own[0]}: Z₂ {z.statistic:+.2f}, p {z.p_value:.2g}.")
    return lines


def _regimes(weights: Array, dates: Dates, y: Array) -> list[Curves]:
    quarters, which = np.unique(dates.astype("datetime64[M]").astype(int) // 3, return_inverse=True)
    share = np.bincount(which)
    years = ((quarters + 0.5) / 4 + 1970).tolist()
    means = np.stack([np.bincount(which, w) / share for w in weights.T])
    deviation = 100 * np.sqrt(np.bincount(which, y**2) / share)
    names = ("below .5 %", ".5 to 1 %", "1 to 2 %", "above 2 %")
    return [
        Curves(
            "Weights of components, by standard deviation",
            years,
            {name: line.tolist() for name, line in zip(names, means, strict=True)},
            y_label="weight",
        ),
        Curves("What the index did", years, {"volatility": deviation.tolist()}, y_label="% a day"),
    ]


def _race(found: Mapping[str, ReturnForecasts], dates: Dates) -> Curves:
    months = dates.astype("datetime64[M]")
    last = np.flatnonzero(np.append(months[1:] != months[:-1], True))
    years = ((months[last].astype(int) + 1) / 12 + 1970).tolist()
    lines = {
        name: (f.log_density - found[_GARCH].log_density).cumsum()[last].tolist()
        for name, f in found.items()
        if name not in (_GARCH, _PAST)
    }
    return Curves("Lead over GARCH", years, lines, y_label="nats")
