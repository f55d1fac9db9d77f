"""Test likelihood on the UCI regression tables, published splits, defaults only.

    MIXTURA_DATA=... python benchmarks/uci.py --sets protein kin8nm power --splits 1

``MIXTURA_DATA`` is a folder with ``uci_NAME.npz`` files that hold X, y, train_mask and test_mask, the masks of shape
(splits, rows). Prints negative log-likelihood in nats, CRPS and RMSE in the target's own units. A likelihood rewards
spikes on values that repeat (protein holds 272 exact zeros), so the NLL of the rows without the most frequent target
stands beside it. Scales are floored at 1e-3 standard deviations of the target, the default.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

from mixtura import MixtureDensityRegressor
from mixtura.metrics import crps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["boston", "concrete", "power", "kin8nm", "protein"])
    parser.add_argument("--ensemble", type=int, default=5, help="networks of the regressor (default: its own)")
    parser.add_argument("--splits", type=int, default=None, help="first splits only (default: all)")
    parser.add_argument("--skip", type=int, default=0, help="splits to leave out before those, to go on with a run")
    options = parser.parse_args()
    folder = os.environ.get("MIXTURA_DATA")
    if folder is None:
        sys.exit("set MIXTURA_DATA to the folder that holds uci_NAME.npz")
    print("set        split      NLL without mode     CRPS     RMSE marginal NLL roughness best epoch     s")
    for name in options.sets:
        data = np.load(Path(folder) / f"uci_{name}.npz")
        rows = []
        for split in range(len(data["train_mask"]))[options.skip :][: options.splits]:
            train, test = data["train_mask"][split], data["test_mask"][split]
            X, y = data["X"], data["y"]
            start = time.perf_counter()
            model = MixtureDensityRegressor(ensemble=options.ensemble, random_state=split).fit(X[train], y[train])
            seconds = time.perf_counter() - start
            log_prob = model.log_prob(X[test], y[test])
            values, counts = np.unique(y, return_counts=True)
            nll, without = -log_prob.mean(), -log_prob[y[test] != values[counts.argmax()]].mean()
            score = crps(model.predict_dist(X[test]), torch.as_tensor(y[test])).mean().item()
            rmse = float(np.sqrt(np.mean((model.predict(X[test]) - y[test]) ** 2)))
            m, s = y[train].mean(), y[train].std()
            marginal = float(np.mean(0.5 * ((y[test] - m) / s) ** 2 + np.log(s) + 0.5 * np.log(2 * np.pi)))
            rows.append((nll, without, score, rmse))
            print(
                f"{name:10} {split:5} {nll:8.3f} {without:12.3f} {score:8.4g} {rmse:8.4g} {marginal:12.3f} "
                f"{model.roughness_:9} {model.history_.best_epoch:10} {seconds:5.0f}",
                flush=True,
            )
        mean, error = np.mean(rows, 0), np.std(rows, 0) / np.sqrt(len(rows))
        spread = f"± {error[0]:.3f} {error[1]:.3f} {error[2]:.2g} {error[3]:.2g}"
        print(f"{name:10}  mean {mean[0]:8.3f} {mean[1]:12.3f} {mean[2]:8.4g} {mean[3]:8.4g}   {spread}\n", flush=True)


if __name__ == "__main__":
    main()
