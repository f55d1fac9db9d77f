"""Tomorrow's rain from today's weather: `python weather.py` learns it, scores the last year, and draws picture.png.

Set MIXTURA_DATA to the folder that holds weather_seattle.csv (data/seattle-weather.csv of vega/vega-datasets).
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from mixtura import MixtureDensityRegressor
from mixtura.datasets import read_weather, walk_forward
from mixtura.metrics import brier_score, reliability

# Rain is learnt as its log, so that none of it is below zero; a dry day gets a value of its own, the atom.
series = read_weather()
split = walk_forward(series.dates, first=2015)[0]
rain, wet = series.y, series.y > 0
dry = -4.0
log_rain = np.log(rain, where=wet, out=np.full_like(rain, dry))
amounts = [i for i, name in enumerate(series.feature_names) if name.startswith("rain")]
X = series.X.copy()
X[:, amounts] = np.log1p(X[:, amounts])
model = MixtureDensityRegressor(
    components=3,
    atoms=[dry],
    ensemble=10,
    roughness=0.0,
    hidden=(32,),
    dropout=0.0,
    input_noise=0.5,
    min_scale=0.1,
    epochs=8,
    learning_rate=5e-3,
    validation_fraction=0.0,
    random_state=0,
)
model.fit(X[split.train], log_rain[split.train])

# The mass at zero on dry days, the density of millimetres on wet ones: that of the log, divided by the amount.
forecast = model.predict_dist(X[split.test])
y, happened = rain[split.test], torch.as_tensor(wet[split.test])
chance = forecast.weights[:, -1]
log_score = forecast.log_prob(torch.as_tensor(log_rain[split.test])).numpy() - np.where(y > 0, log_rain[split.test], 0)
season = wet[split.train].mean()
print(f"log score {log_score.mean():.3f} nats a day; Brier score {brier_score(chance, happened).mean():.3f}, ", end="")
print(f"of always saying {season:.0%}: {brier_score(torch.full_like(chance, season), happened).mean():.3f}")

figure = Figure(figsize=(10, 3.4), dpi=72, layout="constrained")
left, right = figure.subplots(1, 2, width_ratios=[2, 1])
days = slice(300, 365)
middle, high = (np.exp(model.predict_quantiles(X[split.test][days], q)) for q in (0.5, 0.9))
day = series.dates[split.test][days]
left.bar(day, y[days], color="#1d5c8f", label="rain that fell")
left.plot(day, np.where(high > np.exp(dry), high, 0), color="#d2541b", lw=1.2, label="quantile of 90 %, the evening before")
left.plot(day, 60 * chance[days] / 10 - 8, color="#777777", lw=1, label="probability of rain (below: 0 to 1)")
left.axhline(-8, color="#cccccc", lw=0.6)
left.axhline(-2, color="#cccccc", lw=0.6)
left.set(ylabel="mm", yticks=[0, 10, 20, 30, 40, 50])
left.legend(fontsize=8, frameon=False)
rows = reliability(chance, happened, bins=8)
right.plot([0, 1], [0, 1], color="#cccccc", lw=1)
right.errorbar(
    [r.predicted for r in rows],
    [r.observed for r in rows],
    [r.standard_error for r in rows],
    color="#1d5c8f",
    marker="o",
    ms=4,
    lw=1,
)
right.set(xlabel="forecast probability of rain", ylabel="share of days that were wet", xlim=(0, 1), ylim=(0, 1))
figure.savefig(Path(__file__).with_name("picture.png"))
