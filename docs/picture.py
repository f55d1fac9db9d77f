"""Draw the picture of the README: `python docs/picture.py` writes docs/picture.png."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from mixtura import MixtureDensityRegressor
from mixtura.datasets import inverse_sine, inverse_sine_log_prob

X, t = inverse_sine(4000, random_state=0)
model = MixtureDensityRegressor(components=5, random_state=0).fit(X, t)
y, grid = np.linspace(-0.15, 1.15, 300), np.linspace(-0.1, 1.1, 400)
learnt = model.predict_dist(y[:, None]).log_prob(torch.as_tensor(grid)[:, None]).exp().numpy()
exact = np.exp([inverse_sine_log_prob(y[:, None], np.full(len(y), v)) for v in grid])
fresh = inverse_sine(20_000, random_state=1)

figure = Figure(figsize=(10, 3.4), dpi=90, layout="constrained")
axes = figure.subplots(1, 3, sharex=True, sharey=True)
axes[0].plot(X[:800, 0], t[:800], ".", ms=2, color="#31688e", alpha=0.6)
axes[0].plot(y, model.predict(y[:, None]), color="#d1495b", lw=2)
axes[0].set_title("the data, and its average", fontsize=11)
for axis, density, title in (
    (axes[1], learnt, f"learnt: {-model.score(*fresh):.3f} nats"),
    (axes[2], exact, f"exact: {-inverse_sine_log_prob(*fresh).mean():.3f} nats"),
):
    axis.pcolormesh(y, grid, density, cmap="Blues", vmin=0, vmax=5, rasterized=True)
    axis.set_title(title, fontsize=11)
for axis in axes:
    axis.set(xlabel="y", xlim=(y[0], y[-1]), ylim=(grid[0], grid[-1]))
    axis.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("t: what was it, given y?")
figure.savefig(Path(__file__).with_name("picture.png"))
