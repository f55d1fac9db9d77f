"""The posterior of a simulator: `python simulation_based_inference.py` learns it, scores it, and draws picture.png."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

from mixtura import MixtureDensityRegressor
from mixtura.datasets import inverse_two_moons, two_moons_posterior
from mixtura.metrics import classifier_two_sample_test

# Any simulator will do: rows of what it was told (theta), and of what came out (x).
x, theta = inverse_two_moons(10_000, random_state=0)
model = MixtureDensityRegressor(
    components=24, ensemble=3, hidden=(64, 64), dropout=0.0, epochs=90, batch_size=100, random_state=0
)
model.fit(x, theta)

# The posterior of any observation, at once; here three, beside exact samples.
observed, _ = inverse_two_moons(3, random_state=1_000)
answers = model.sample(observed, 10_000)

figure = Figure(figsize=(10, 3.6), dpi=80, layout="constrained")
for axis, o, learnt in zip(figure.subplots(1, 3), observed, answers, strict=True):
    exact = two_moons_posterior(o, 10_000, random_state=0)
    test = classifier_two_sample_test(torch.as_tensor(exact), torch.as_tensor(learnt))
    print(f"x = {o.round(2)}: C2ST {test.accuracy:.3f} ± {test.standard_error:.3f}")
    axis.plot(*exact[:2_000].T, ".", color="#8b96a0", ms=3, alpha=0.4, label="exact")
    axis.plot(*learnt[:1_000].T, ".", color="#1d5c8f", ms=2, alpha=0.6, label="learnt")
    axis.set_title(f"C2ST {test.accuracy:.3f}", fontsize=10)
    axis.set(aspect="equal", xlabel="θ₁", ylabel="θ₂")
axis.legend(markerscale=3, frameon=False)
figure.savefig(Path(__file__).with_name("picture.png"))
