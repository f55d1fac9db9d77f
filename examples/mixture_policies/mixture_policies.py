"""Two ways round, and rooms to explore: `python mixture_policies.py` learns, scores, and draws picture.png."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

import mixtura as mx
from mixtura.training import fit, isolated_seed

# A goal lies ahead, and an obstacle before it. Context: half the angle that it hides; action: a heading. Two headings
# are best, ±x, and the reward is minus the squared distance from the nearer one.
T = 0.02  # temperature: the best policy is exp(reward / T), two bumps with a standard deviation of .1


def reward(x, a):
    """Return minus the squared distance of a heading from the nearer of the best ones."""
    return -(a.abs() - x).square()


# Logged tries of a policy that knows nothing. Weighted by exp(reward / T), they are tries of the best policy.
generator = torch.Generator().manual_seed(0)
x = 0.6 + 0.6 * torch.rand(8192, 1, generator=generator)
tried = 4 * torch.rand(8192, 1, generator=generator) - 2
weight = (reward(x, tried) / T).exp().squeeze(1)


def weighted_regression(model, batch):
    """Fit the tries by their weights."""
    x, a, w = batch
    return -(w * model(x).log_prob(a)).mean() / weight.mean()


def policy_gradient(model, batch):
    """Maximise E[reward + T entropy] by the score function, with the other draws as a baseline."""
    policy = model(batch[0])
    a = policy.sample((8,))
    log_p = policy.log_prob(a)
    gain = reward(batch[0], a).squeeze(-1) - T * log_p.detach()
    return -((gain - gain.mean(0)) * log_p).mean()


now = torch.tensor([[0.9]])
headings = {}
for name, components, loss in (
    ("mixture, logged rewards", 4, weighted_regression),
    ("Gaussian, logged rewards", 1, weighted_regression),
    ("mixture, policy gradient", 4, policy_gradient),
    ("Gaussian, policy gradient", 1, policy_gradient),
):
    with isolated_seed(0):
        model = mx.nn.MDN(1, 1, components, hidden=(32, 32), min_scale=0.02)
        fit(model, loss, (x, tried, weight), epochs=20, learning_rate=5e-3, weight_decay=0.0)
        a = headings[name] = model(now).sample((4_000,)).flatten()
    left, right = (((a * side - now).abs() < 0.3).double().mean() for side in (1, -1))
    print(f"{name}: reward {reward(now, a).mean():.3f}, left {left:.0%}, right {right:.0%}")

# Four rooms. A new state is worth what of its bump lies outside the span of those visited: 1 - e^-gap of a cost.
V = 0.25
free = np.pad(np.ones((13, 13), bool), 1)
free[7] = free[:, 7] = False
free[[3, 11, 7, 7], [7, 7, 4, 12]] = True  # doors
rng = np.random.default_rng(0)
rooms = {}
for name in ("matrix cost", "no bonus"):
    visited = np.array([[2.5, 2.5]])
    while len(visited) < 301:
        angle = rng.uniform(0, 2 * np.pi, (48, 4)).repeat(8, 1)
        steps = 0.5 * np.stack([np.cos(angle), np.sin(angle)], -1)  # 48 plans of 4 legs of 8 steps
        paths = [np.repeat(visited[-1:], 48, 0)]
        for t in range(32):
            there = paths[-1] + steps[:, t]
            paths.append(np.where(free[tuple(there.astype(int).T)][:, None], there, paths[-1]))
        new = mx.GaussianMixture.from_samples(torch.as_tensor(np.stack(paths[1:], 1)), V)  # one mixture for each plan
        seen = mx.GaussianMixture.from_samples(torch.as_tensor(visited), V)
        gap = mx.costs.matrix_matrix(new, seen).gap if name == "matrix cost" else torch.zeros(48)
        best = int(gap.argmax())
        visited = np.concatenate([visited, np.stack([p[best] for p in paths[1:5]])])
    cells = len(np.unique(visited.astype(int), axis=0)) / free.sum()
    rooms[f"{name}: {cells:.0%} of the cells"] = visited
    print(f"{name}: 300 steps lead to {cells:.0%} of the cells")

figure = Figure(figsize=(11, 3), dpi=80, layout="constrained")
*walks, trail = figure.subplots(1, 4)
for axis, name in zip(walks, [*list(headings)[:2], "Gaussian, policy gradient"], strict=True):
    for a in headings[name][:60].double().numpy():
        hits = abs(a) < 0.6
        way = np.array([[0, 0], [np.cos(a), np.sin(a)], [2, 0]])[: 2 if hits else 3]
        axis.plot(*way.T, color="#d2541b" if hits else "#1d5c8f", alpha=0.35, lw=1)
    arc = np.linspace(-0.6, 0.6, 50)
    axis.plot(np.cos(arc), np.sin(arc), color="#333333", lw=4)
    axis.plot(2, 0, "x", color="#333333", ms=8, mew=2)
    axis.set(title=name, aspect="equal", xticks=[], yticks=[], xlim=(-0.6, 2.1), ylim=(-1.35, 1.35))
trail.imshow(~free, cmap="Greys", vmin=0, vmax=2, extent=(0, 15, 15, 0))
title, visited = next(iter(rooms.items()))
trail.plot(visited[:, 1], visited[:, 0], color="#1d5c8f", lw=0.8, marker="o", ms=2)
trail.set(title=title, xticks=[], yticks=[])
for axis in (*walks, trail):
    axis.title.set_fontsize(10)
figure.savefig(Path(__file__).with_name("picture.png"))
