"""Coverage of calibrated highest-density regions over exchangeable splits.

    OMP_NUM_THREADS=1 python benchmarks/conformal.py

A model is trained once on few rows, so that it is too sure of itself. The other rows are split at random again and
again: one half calibrates, the other is covered or not. The mean over the splits must be the coverage that was asked
for, within 1 %; before calibration it is not.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from mixtura import MixtureDensityRegressor
from mixtura.datasets import inverse_sine
from mixtura.metrics import ConformalLevels, highest_density_mass

_TRAIN, _REST = 300, 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=100)
    options = parser.parse_args()
    X, t = inverse_sine(_TRAIN + _REST, random_state=0)
    model = MixtureDensityRegressor(10, ensemble=1, validation_fraction=0, epochs=100, dropout=0.0, random_state=0)
    mixture = model.fit(X[:_TRAIN], t[:_TRAIN]).predict_dist(X[_TRAIN:])
    y = torch.as_tensor(t[_TRAIN:])
    mass = highest_density_mass(mixture, y)
    print(f"toy problem, {_TRAIN} rows to learn from, {_REST // 2} to calibrate, {_REST // 2} to cover")
    print("asked  before   after: mean and spread over the splits  within 1 %")
    for asked in (0.5, 0.8, 0.9, 0.95):
        found = [covered(mass, asked, seed) for seed in range(options.splits)]
        mean = float(np.mean(found))
        print(
            f"{asked:5.2f} {(mass <= asked).double().mean().item():7.3f} {mean:7.3f} ± {np.std(found):.3f}"
            f"{'yes' if abs(mean - asked) <= 0.01 else 'no':>40}",
            flush=True,
        )


def covered(mass: torch.Tensor, asked: float, seed: int) -> float:
    """Return the share of one half of the rows that regions calibrated on the other half hold."""
    order = torch.as_tensor(np.random.default_rng(seed).permutation(len(mass)))
    calibration, rest = mass[order[: len(mass) // 2]], mass[order[len(mass) // 2 :]]
    levels = ConformalLevels(torch.log1p(-calibration).sort(descending=True).values)
    return (torch.log1p(-rest) >= levels.log_mass_outside(asked)).double().mean().item()


if __name__ == "__main__":
    main()
