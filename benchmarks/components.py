"""How good and how fast ``components="auto"`` is, beside separate fits of every number of components.

    python benchmarks/components.py                       # the toy inverse problem
    MIXTURA_DATA=... python benchmarks/components.py kin8nm power

Prints the test negative log-likelihood in nats of every candidate, how far the one that was chosen is above the best of
them, and the time of the study and the fit over that of all the separate fits. Trains on 2,000 rows, or 70 % of fewer,
and tests on all others (8,000 fresh ones of the toy problem).
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from mixtura import MixtureDensityRegressor
from mixtura.datasets import inverse_sine
from mixtura.selection.components import CANDIDATES

ROWS = 2_000


def rows(name: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    if name == "toy":
        return *inverse_sine(ROWS, random_state=seed), *inverse_sine(8_000, random_state=100 + seed)
    folder = os.environ.get("MIXTURA_DATA")
    if folder is None:
        raise SystemExit("set MIXTURA_DATA to the folder that holds uci_*.npz")
    with np.load(Path(folder) / f"uci_{name}.npz") as file:
        X, y = file["X"], file["y"].ravel()
    order = np.random.default_rng(seed).permutation(len(X))
    train, test = np.split(order, [min(ROWS, int(0.7 * len(X)))])
    return X[train], y[train], X[test], y[test]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["toy"])
    parser.add_argument("--ensemble", type=int, default=5)
    parser.add_argument("--hidden", type=int, nargs="+", default=[128, 128, 128])
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    for name in options.names:
        for seed in range(options.seeds):
            X, y, X_test, y_test = rows(name, seed)
            nll, seconds = {}, {}
            for K in ("auto", *CANDIDATES):
                start = time.process_time()
                model = MixtureDensityRegressor(K, ensemble=options.ensemble, hidden=options.hidden, random_state=seed)
                model.fit(X, y)
                seconds[K], nll[K] = time.process_time() - start, -model.score(X_test, y_test)
                if model.study_ is not None:
                    print(f"{name}, seed {seed}, {len(X)} rows, {model.components_} components\n{model.study_}")
            best = min(nll[K] for K in CANDIDATES)
            separate = sum(seconds[K] for K in CANDIDATES)
            print("test", "  ".join(f"{K}: {value:.4f}" for K, value in nll.items()))
            print(f"above the best: {nll['auto'] - best:.4f} nat; time: {seconds['auto'] / separate:.2f}\n", flush=True)


if __name__ == "__main__":
    main()
