"""All the arms that reach one point: `python inverse_kinematics.py` learns them, scores them, and draws picture.png."""

from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from mixtura import MixtureDensityRegressor
from mixtura.datasets import arm_joints, arm_prior, inverse_kinematics, rejection_posterior, robot_arm
from mixtura.metrics import rational_quadratic_mmd

# Learn p(joints | tip) from simulations: a mixture with full covariance for every tip.
tips, joints = inverse_kinematics(300_000, random_state=0)
model = MixtureDensityRegressor(
    components=40,
    ensemble=1,
    roughness=0.5,
    hidden=(64, 64, 64),
    dropout=0.0,
    weight_decay=0.0,
    epochs=24,
    batch_size=1024,
    learning_rate=4e-3,
    validation_fraction=0.01,
    random_state=0,
    verbose=True,
)
model.fit(tips, joints)

# One point, three hundred answers, and how likely each of them is. Components that weigh little may lie anywhere.
target = np.array([[1.5, 0.5]])
mixture = model.predict_dist(target).pruned(0.003)
torch.manual_seed(0)
drawn = mixture.sample((300,))
answers, density = drawn[:, 0].numpy(), mixture.log_prob(drawn)[:, 0].numpy()
average = model.predict(target)

# Where do they lead, and how far are they from the exact posterior?
exact = rejection_posterior(lambda n, rng: arm_prior(n, random_state=rng), robot_arm, target, 300, random_state=0)[0]
misses = np.linalg.norm(robot_arm(answers) - target, axis=1)
error = rational_quadratic_mmd(torch.as_tensor(answers), torch.as_tensor(exact))
print(f"an answer misses the point by {np.median(misses):.3f} (median); the average arm by ", end="")
print(f"{np.linalg.norm(robot_arm(average) - target):.3f}; MMD² to exact answers {error:.4f}")

figure = Figure(figsize=(10, 3.6), dpi=72, layout="constrained")
rank = density.argsort().argsort() / len(density)
for axis, arms, shade, title in zip(
    figure.subplots(1, 3, sharex=True, sharey=True),
    (arm_joints(answers), arm_joints(exact), arm_joints(average)),
    (rank, np.full(300, 0.5), np.ones(1)),
    ("learnt: the darker, the denser", "exact", "the average of the answers"),
    strict=True,
):
    for i in shade.argsort()[:: len(shade) // 75 + 1]:
        axis.plot(*arms[i].T, color="#1d5c8f", alpha=0.06 + 0.7 * shade[i] ** 2, lw=1, marker="o", ms=2)
    axis.plot(*target[0], "x", color="#d2541b", ms=9, mew=2)
    axis.set_title(title, fontsize=10)
    axis.set(aspect="equal", xticks=[], yticks=[])
figure.savefig(Path(__file__).with_name("picture.png"))
