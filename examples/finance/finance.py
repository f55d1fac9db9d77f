"""Tomorrow's return of the S&P 500: `python finance.py` forecasts 2005 to 2020 year by year, and draws picture.png.

Set MIXTURA_DATA to the folder that holds sp500_daily_2000_2020.csv (data/sp500-2000.csv of vega/vega-datasets).
"""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from mixtura import MixtureDensityRegressor
from mixtura.datasets import in_volatility, read_prices, walk_forward
from mixtura.metrics import kupiec_test

# Returns and features in units of the current volatility s, which is known the evening before.
series = read_prices()
z, s = in_volatility(series)

# Each year from all years before: the density of the return is that of z = y/s, divided by s.
log_score, below, weights = [], [], []
for split in walk_forward(series.dates, first=2005):
    model = MixtureDensityRegressor(
        components=6,
        family="laplace",
        roughness=0.0,
        hidden=(32,),
        dropout=0.2,
        min_scale=0.1,
        epochs=30,
        random_state=0,
    )
    model.fit(z.X[split.train], z.y[split.train])
    q, today = model.predict_dist(z.X[split.test]), z.y[split.test]
    log_score.append(q.log_prob(torch.as_tensor(today)).numpy() - np.log(s[split.test]))
    below.append(today < model.predict_quantiles(z.X[split.test], 0.05))
    width = s[split.test, None] * 2**0.5 * q.scale.numpy()  # standard deviation of each component, in return
    regime = np.digitize(width, [0.005, 0.01, 0.02])
    weights.append(np.stack([(q.weights.numpy() * (regime == k)).sum(1) for k in range(4)], 1))

violations = torch.as_tensor(np.concatenate(below))
print(f"log score {np.concatenate(log_score).mean():.4f} nats a day over {len(violations)} days; ", end="")
print(f"value at risk at 5 % broken on {violations.double().mean():.2%} of them ", end="")
print(f"(Kupiec p {kupiec_test(violations, 0.05).p_value:.2g})")

# Regimes: how much weight the components of each width have, month by month.
rows = series.dates >= np.datetime64("2005-01-01")
months, month = np.unique(series.dates[rows].astype("datetime64[M]"), return_inverse=True)
count = np.bincount(month)
share = np.stack([np.bincount(month, w) / count for w in np.concatenate(weights).T])
index = np.exp(np.cumsum(series.y[rows]))
figure = Figure(figsize=(10, 4.2), dpi=72, layout="constrained")
top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 2])
top.plot(series.dates[rows], index, color="#222222", lw=0.8)
top.set(ylabel="index, 2005 = 1", yscale="log", yticks=[0.5, 1, 2, 3], yticklabels=["0.5", "1", "2", "3"])
top.minorticks_off()
names = ("below 0.5 % a day", "0.5 to 1 %", "1 to 2 %", "above 2 %")
bottom.stackplot(
    months.astype("datetime64[D]"), share, labels=names, colors=["#dbe7f1", "#8fb4d3", "#e39a6c", "#b3361b"]
)
bottom.set(ylabel="weight of components", ylim=(0, 1), xlim=(months[0].astype("datetime64[D]"), series.dates[-1]))
bottom.legend(fontsize=8, loc="lower left", ncols=4)
figure.savefig(Path(__file__).with_name("picture.png"))
