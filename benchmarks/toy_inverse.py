"""Test likelihood on the toy inverse problem beside the exact optimum.

    python benchmarks/toy_inverse.py            # three settings, three seeds each

Prints negative log-likelihoods in nats on 20,000 fresh points; lower is better.
"""

from __future__ import annotations

import argparse
import time

from mixtura import MixtureDensityRegressor
from mixtura.datasets import inverse_sine, inverse_sine_log_prob, inverse_sine_optimum
from mixtura.datasets.toy import Noise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print("noise      rows   K seed    model    truth  optimum best epoch     s")
    settings: list[tuple[Noise, int, int]] = [("normal", 4_000, 5), ("normal", 10_000, 10), ("uniform", 10_000, 10)]
    for noise, rows, K in settings:
        for seed in range(options.seeds):
            X, t = inverse_sine(rows, noise, random_state=seed)
            fresh = inverse_sine(20_000, noise, random_state=1_000 + seed)
            start = time.perf_counter()
            model = MixtureDensityRegressor(K, random_state=seed).fit(X, t)
            seconds = time.perf_counter() - start
            truth = -inverse_sine_log_prob(*fresh, noise).mean()
            print(
                f"{noise:8} {rows:6} {K:3} {seed:4} {-model.score(*fresh):8.4f} {truth:8.4f} "
                f"{inverse_sine_optimum(noise):8.4f} {model.history_.best_epoch:10} {seconds:5.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
