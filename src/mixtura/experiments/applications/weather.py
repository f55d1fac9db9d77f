"""Tomorrow's rain: an atom at zero beside a mixture, against climatology and a logistic plus a gamma regression."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from mixtura.datasets import DailySeries, data_file, read_weather, walk_forward, weather_series
from mixtura.estimators import MixtureDensityRegressor
from mixtura.experiments.applications.paired import paired_difference
from mixtura.experiments.applications.rain import DRY, RainForecast, climatology, log_rain, logistic_gamma, rain_mixture
from mixtura.experiments.record import Cell, Curves, Options, Picture, Record, Table
from mixtura.metrics import brier_score, reliability

__all__ = ["learn_rain", "random_weather", "weather", "with_logs"]

Array = NDArray[np.float64]

_SEATTLE, _BOTH = "weather_seattle.csv", "weather_seattle_newyork.csv"
_BASELINES = ("climatology", "logistic and gamma", "logistic and gamma of logs")
_HEAVY = 5.0
"""In mm: the second event of the reliability picture."""
_BINS = 5


def weather(options: Options) -> Record:
    """Return how well the rain of the last year is forecast by what the years before taught."""
    findings: list[str] = []
    tables: list[Table] = []
    pictures: list[Picture] = []
    described: dict[str, str] = {}
    for site, series in _sites(options).items():
        split = walk_forward(series.dates, int(str(series.dates[-1])[:4]))[0]
        train = DailySeries(
            series.X[split.train], series.y[split.train], series.dates[split.train], series.feature_names
        )
        y, X = series.y[split.test], series.X[split.test]
        found = {
            _BASELINES[0]: climatology(train, series.dates[split.test]),
            _BASELINES[1]: logistic_gamma(train.X, train.y, X),
            _BASELINES[2]: logistic_gamma(with_logs(train), train.y, with_logs(series)[split.test]),
        }
        own = []
        for seed in options.seeds:
            start = time.perf_counter()
            model = learn_rain(train, seed, options.quick)
            own.append(f"mixtura, seed {seed}")
            found[own[-1]] = rain_mixture(model.predict_dist(with_logs(series)[split.test]))
            options.say(f"{site}, {own[-1]}: fit in {time.perf_counter() - start:.1f} s")
        scores = {name: _scores(f, y) for name, f in found.items()}
        findings += _findings(site, scores, own)
        tables.append(_table(site, scores, own[0], len(y)))
        if not pictures:
            pictures.append(_picture({n: found[n] for n in (*_BASELINES[:2], own[0])}, y))
        described[site] = f"{len(y)} days of {split.year}, learnt from {len(train.y)} days before"
    return Record(
        "weather",
        "Tomorrow's rain from today's weather",
        "Rain is often exactly zero and else anything: a mass at zero beside a density. A network learns both at once "
        "from what is known in the evening, rain as its log, so that no probability lies below zero. It must beat the "
        "season alone, and a logistic regression of rain or none with a gamma regression of how much.",
        described
        | {
            "score": "mass at zero, and density in mm elsewhere; CRPS in mm",
            "settings chosen by": "CRPS and log score of 2012 to 2014, each year left out in turn",
            "model": repr(_model(0, options.quick)),
            "seeds": list(options.seeds),
            "quick": options.quick,
        },
        findings,
        tables,
        pictures,
    )


def learn_rain(train: DailySeries, seed: int = 0, quick: bool = False) -> MixtureDensityRegressor:
    """Return the regressor that has learnt the log of rain, with an atom for dry days."""
    return _model(seed, quick).fit(with_logs(train), log_rain(train.y))


def with_logs(series: DailySeries) -> Array:
    """Return the features with ``log(1 + x)`` in place of every amount x of rain."""
    amounts = np.array([name.startswith("rain") for name in series.feature_names])
    return np.where(amounts, np.log1p(np.where(amounts, series.X, 0.0)), series.X)


def random_weather(days: int = 1_461, seed: int = 0) -> DailySeries:
    """Return weather in which rain follows rain, and more of it in winter: for trying out."""
    rng = np.random.default_rng(seed)
    dates = np.datetime64("2012-01-01") + np.arange(days)
    winter = np.cos(2 * np.pi * np.arange(days) / 365.25)
    rain = np.zeros(days)
    for t in range(1, days):
        if rng.random() < 0.35 + 0.15 * winter[t] + 0.25 * (rain[t - 1] > 0):
            rain[t] = np.ceil(rng.gamma(0.8, 5.0 + 2.0 * winter[t])) / 2
    warm = 15 - 8 * winter + 3 * rng.standard_normal(days)
    return weather_series(dates, rain, warm, warm - 6, rng.gamma(4.0, 1.0, days))


def _model(seed: int, quick: bool) -> MixtureDensityRegressor:
    return MixtureDensityRegressor(
        components=3,
        atoms=[DRY],
        ensemble=2 if quick else 10,
        roughness=0.0,
        hidden=(32,),
        dropout=0.0,
        input_noise=0.5,
        min_scale=0.1,
        epochs=2 if quick else 8,
        learning_rate=5e-3,
        validation_fraction=0.0,
        random_state=seed,
    )


def _sites(options: Options) -> dict[str, DailySeries]:
    """Return the series of each site of which there is a file; Seattle's must be there."""
    if options.quick and options.data is None:
        return {"random weather": random_weather()}
    path = data_file(_SEATTLE, options.data)
    sites, both = {"Seattle": read_weather(path)}, path.with_name(_BOTH)
    return sites | ({"New York": read_weather(both, "New York")} if both.is_file() else {})


def _scores(f: RainForecast, y: Array) -> dict[str, Array]:
    brier = brier_score(torch.as_tensor(f.wet), torch.as_tensor(y > 0)).numpy()
    return {"log score": f.log_score(y), "CRPS": f.crps(y), "Brier": brier}


def _findings(site: str, scores: Mapping[str, Mapping[str, Array]], own: list[str]) -> list[str]:
    mean = {n: {k: float(v.mean()) for k, v in s.items()} for n, s in scores.items()}
    best = {k: float(np.mean([mean[n][k] for n in own])) for k in mean[own[0]]}
    lines = [
        f"{site}: log score {best['log score']:.3f} nats a day, CRPS {best['CRPS']:.3f} mm, Brier score "
        f"{best['Brier']:.3f}, mean over {len(own)} seed{'s' if len(own) > 1 else ''}."
    ]
    for name in _BASELINES:
        gain = paired_difference(scores[own[0]]["log score"], scores[name]["log score"])
        less = paired_difference(scores[own[0]]["CRPS"], scores[name]["CRPS"])
        lines.append(
            f"{site}, {own[0]} against {name}: log score {gain} ({gain.verdict()}), CRPS {less} mm "
            f"({less.verdict(lower_is_better=True)})."
        )
    return lines


def _table(site: str, scores: Mapping[str, Mapping[str, Array]], first: str, days: int) -> Table:
    rows: list[list[Cell]] = []
    for name, s in scores.items():
        row: list[Cell] = [name]
        for k, v in s.items():
            gap = paired_difference(scores[first][k], v)
            row += [float(v.mean()), gap.mean, gap.standard_error]
        rows.append(row)
    columns = [c for k in scores[first] for c in (k, f"{first} less it", "standard error")]
    return Table(
        f"{site}: scores of {days} days",
        ("model", *columns),
        rows,
        "Log score: of the mass at zero, or of the density in mm of what fell, in nats, higher is better. CRPS in mm "
        "and Brier score of rain or none: lower is better. Standard errors of the daily differences allow for ten days "
        "of correlation (Newey and West). The regressions of logs see the logs of past rain, as the mixture does.",
    )


def _picture(found: Mapping[str, RainForecast], y: Array) -> Picture:
    ends = np.linspace(0, 1, _BINS + 1)
    middle = ((ends[1:] + ends[:-1]) / 2).tolist()
    panels = []
    for threshold, title in ((0.0, "any rain"), (_HEAVY, f"more than {_HEAVY:g} mm")):
        lines: dict[str, list[float]] = {"perfect": middle}
        for name, f in found.items():
            rows = reliability(torch.as_tensor(f.exceeds(threshold)), torch.as_tensor(y > threshold), _BINS)
            at = {min(int(r.predicted * _BINS), _BINS - 1): r.observed - r.predicted for r in rows if r.rows >= 10}
            lines[name] = [m + at.get(i, float("nan")) for i, m in enumerate(middle)]
        panels.append(Curves(title, middle, lines, x_label="forecast probability", y_label="share that came"))
    return Picture(
        "How often it rained when so much was forecast: right forecasts lie on the line. Each point is a fifth of the "
        "probabilities, of ten days or more, with the mean excess over what was forecast in it.",
        panels,
        columns=2,
    )
