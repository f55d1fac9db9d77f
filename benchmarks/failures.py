"""What breaks other mixture density networks: many components, many seeds, outliers.

    OMP_NUM_THREADS=1 python benchmarks/failures.py            # 50 networks, and three seeds with outliers

Everything on the toy inverse problem. The first part trains ensembles of five with 20 components each and scores their
networks one by one. The second moves 5 % of the targets 50 standard deviations away and scores on clean rows. Negative
log-likelihoods in nats on 20,000 fresh points; lower is better.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from mixtura import MixtureDensityRegressor
from mixtura.datasets import inverse_sine, inverse_sine_optimum

_ROWS, _FRESH = 2_000, 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ensembles", type=int, default=10, help="of five networks each")
    parser.add_argument("--seeds", type=int, default=3, help="of the runs with outliers")
    options = parser.parse_args()
    seeds(options.ensembles)
    outliers(options.seeds)


def seeds(ensembles: int) -> None:
    """Train networks on the same rows from many seeds, and look for the worst."""
    X, t = inverse_sine(_ROWS, random_state=0)
    fresh = inverse_sine(_FRESH, random_state=1_000)
    y = torch.as_tensor(fresh[1])
    nll: list[float] = []
    pooled: list[float] = []
    dead = 0
    start = time.perf_counter()
    for seed in range(ensembles):
        model = MixtureDensityRegressor(20, random_state=seed).fit(X, t)
        nll += (-model.predict_members(fresh[0]).log_prob(y).mean(-1)).tolist()
        pooled.append(-model.score(*fresh))
        dead += int(model.health_.dead.sum())
    seconds = time.perf_counter() - start
    print(f"toy problem, {_ROWS} rows, K = 20, {len(nll)} networks in {ensembles} ensembles, {seconds:.0f} s")
    print(f"  not finite: {np.sum(~np.isfinite(nll))}, dead components: {dead}, optimum {inverse_sine_optimum():.4f}")
    print(f"  networks   best {min(nll):.4f}  median {np.median(nll):.4f}  worst {max(nll):.4f}")
    print(f"  ensembles  best {min(pooled):.4f}  median {np.median(pooled):.4f}  worst {max(pooled):.4f}", flush=True)


def outliers(seeds: int) -> None:
    """Train on clean and on contaminated rows by both losses."""
    print("loss         seed    clean  outliers     lost")
    for loss in ("likelihood", "conditional"):
        for seed in range(seeds):
            X, t = inverse_sine(2 * _ROWS, "uniform", random_state=seed)
            fresh = inverse_sine(_FRESH, "uniform", random_state=1_000 + seed)
            moved = t.copy()
            which = np.random.default_rng(seed).choice(len(t), len(t) // 20, replace=False)
            moved[which] += 50 * t.std() * np.random.default_rng(seed + 1).choice([-1, 1], len(which))
            scores = [
                -MixtureDensityRegressor(loss=loss, random_state=seed).fit(X, target).score(*fresh)
                for target in (t, moved)
            ]
            print(f"{loss:12} {seed:4} {scores[0]:8.4f}  {scores[1]:8.4f} {scores[1] - scores[0]:8.4f}", flush=True)


if __name__ == "__main__":
    main()
