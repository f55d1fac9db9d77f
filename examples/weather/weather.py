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

figure = Figure(figsize=(10, 3.8), dpi=72, layout="constrained")
axes = figure.subplot_mosaic([["rain", "right"], ["chance", "right"]], width_ratios=[2, 1], height_ratios=[3, 1])
last, day = split.test[-65:], series.dates[split.test[-65:]]
high = model.predict_quantiles(X[last], 0.9)
axes["rain"].bar(day, rain[last], color="#1d5c8f", label="rain that fell")
axes["rain"].step(
    day, np.where(high > dry, np.exp(high), 0), where="mid", color="#d2541b", lw=1.2, label="forecast: nine in ten"
)
axes["rain"].set(ylabel="mm a day", xticklabels=[], title="the last days of 2015, each forecast the evening before")
axes["rain"].legend(fontsize=8, loc="upper left")
axes["chance"].bar(day, chance[-65:], width=1.0, color=np.where(rain[last] > 0, "#1d5c8f", "#c9d6e2").tolist())
axes["chance"].set(ylabel="P(rain)", ylim=(0, 1), yticks=[0, 0.5, 1])
axes["chance"].tick_params("x", labelsize=8)
rows = reliability(chance, happened, bins=8)
axes["right"].plot([0, 1], [0, 1], color="#cccccc", lw=1)
axes["right"].errorbar(
    [r.predicted for r in rows],
    [r.observed for r in rows],
    [r.standard_error for r in rows],
    color="#1d5c8f",
    marker="o",
    ms=4,
    lw=1,
)
axes["right"].set(xlabel="forecast probability of rain", ylabel="share of days that were wet", xlim=(0, 1), ylim=(0, 1))
axes["right"].set_title("a year of probabilities")
figure.savefig(Path(__file__).with_name("picture.png"))
