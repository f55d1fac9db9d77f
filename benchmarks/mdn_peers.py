"""Test likelihood of mixture density networks and NGBoost on the same published splits, in one run.

    MIXTURA_DATA=... python benchmarks/mdn_peers.py --sets protein kin8nm concrete --splits 2

    pip install -c constraints.txt sbi zuko skpro scikit-mdn ngboost

``MIXTURA_DATA`` is as in ``uci.py``. Everybody has the settings that its own documentation starts from, the seed is the
number of the split, and whoever does not standardise gets standardised inputs and targets. zuko is a library of
densities, not of fits: it gets the loop of its tutorials (Adam 1e-3, batches of 64) and sbi's rule for when to stop,
once with its 2 components and once with 10, as ours and sbi's. Negative log-likelihood, from the peer's own log-density
where it has one, is in nats in the target's units; a fit has failed where it raises or its test likelihood is not
finite, and counts in no mean. Without a floor under its scales a model gains on values that repeat (protein holds 272
exact zeros), so the NLL of the rows without the most frequent target stands beside it. Seconds are those of the fit, on
one thread.
"""

from __future__ import annotations

import argparse
import copy
import io
import math
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from mixtura import GaussianMixture, Isotropic, MixtureDensityRegressor
from mixtura.metrics import crps
from mixtura.training import isolated_seed

Array = np.ndarray[Any, np.dtype[np.float64]]
Answer = Callable[[Array, Array], tuple[Array, GaussianMixture]]
"""``answer(X_test, y_test)``: log p(y|x) and p(y|x) of every row."""
Fit = Callable[[Array, Array, int], Answer]
"""``fit(X, y, seed)``"""

HEADER = f"{'set':10}{'split':>6}  {'model':26}{'NLL':>9}{'without mode':>14}{'CRPS':>10}{'s':>8}  failed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["protein", "kin8nm", "concrete"])
    parser.add_argument("--splits", type=int, default=2, help="first splits only")
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS), metavar="MODEL")
    options = parser.parse_args()
    folder = os.environ.get("MIXTURA_DATA")
    if folder is None:
        sys.exit("set MIXTURA_DATA to the folder that holds uci_NAME.npz")
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    print(HEADER)
    missing: set[str] = set()
    for name in options.sets:
        data = np.load(Path(folder) / f"uci_{name}.npz")
        rows: dict[str, list[tuple[float, ...]]] = {model: [] for model in options.models}
        splits = range(len(data["train_mask"]))[: options.splits]
        for split in splits:
            for model in [m for m in rows if m not in missing]:
                package, fit = MODELS[model]
                try:
                    scores = evaluate(fit, data, split)
                except ImportError as error:
                    missing.add(model)
                    print(f"{model} is left out: {error}; install it with `pip install {package}`", flush=True)
                    continue
                except Exception as error:  # every peer fails in its own way
                    print(f"{name:10}{split:6}  {model:26}{type(error).__name__}: {str(error)[:80]}", flush=True)
                    continue
                line(name, str(split), model, scores)
                if math.isfinite(scores[0]):
                    rows[model].append(scores)
        print()
        for model in [m for m in rows if m not in missing]:
            failed = f"{len(splits) - len(rows[model])} of {len(splits)}"
            line(name, "mean", model, tuple(np.mean(rows[model], 0)) if rows[model] else (math.nan,) * 4, failed)
        print()


def evaluate(fit: Fit, data: Any, split: int) -> tuple[float, float, float, float]:
    """Return NLL, NLL without the most frequent target, CRPS and seconds of a split."""
    X, y = data["X"], data["y"]
    train, test = data["train_mask"][split], data["test_mask"][split]
    values, counts = np.unique(y, return_counts=True)
    usual = y[test] != values[counts.argmax()]
    with isolated_seed(split), redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        answer = fit(X[train], y[train], split)
        seconds = time.perf_counter() - start
        log_prob, mixture = answer(X[test], y[test])
    score = crps(mixture, torch.as_tensor(y[test])).mean().item()
    return float(-log_prob.mean()), float(-log_prob[usual].mean()), score, seconds


def line(name: str, split: str, model: str, scores: tuple[float, ...], failed: str = "") -> None:
    nll, without, score, seconds = scores
    failed = failed or ("" if math.isfinite(nll) else "yes")
    print(f"{name:10}{split:>6}  {model:26}{nll:9.3f}{without:14.3f}{score:10.4g}{seconds:8.1f}  {failed}", flush=True)


def standardised(fit: Fit) -> Fit:
    """Return ``fit`` on inputs and targets of mean 0 and variance 1, with answers in the target's own units."""

    def wrapped(X: Array, y: Array, seed: int) -> Answer:
        columns, m, s = StandardScaler().fit(X), y.mean(), y.std()
        answer = fit(columns.transform(X), (y - m) / s, seed)

        def in_units(X: Array, y: Array) -> tuple[Array, GaussianMixture]:
            log_prob, mixture = answer(columns.transform(X), (y - m) / s)
            return log_prob - np.log(s), mixture.affine(torch.as_tensor(s), torch.as_tensor(m))

        return in_units

    return wrapped


def ours(X: Array, y: Array, seed: int) -> Answer:
    model = MixtureDensityRegressor(random_state=seed).fit(X, y)
    return lambda X, y: (model.log_prob(X, y), model.predict_dist(X))


def sbi_mdn(X: Array, y: Array, seed: int) -> Answer:
    """Fit the posterior of theta = y given x = X; the network standardises both."""
    from sbi.inference import NPE  # pyright: ignore[reportMissingImports]
    from sbi.utils.tracking import TensorBoardTracker  # pyright: ignore[reportMissingImports]
    from torch.utils.tensorboard.writer import SummaryWriter

    with TemporaryDirectory() as folder:
        tracker = TensorBoardTracker(SummaryWriter(folder))
        trainer = NPE(density_estimator="mdn", tracker=tracker, show_progress_bars=False)
        estimator = trainer.append_simulations(single(y[:, None]), single(X)).train()

    @torch.no_grad()
    def answer(X: Array, y: Array) -> tuple[Array, GaussianMixture]:
        x = single(X)
        parts = estimator.get_uncorrected_mog(x)
        standard = mixture(parts.logits, parts.means[..., 0], parts.precisions[..., 0, 0].rsqrt())
        shift, scale = (t.double().squeeze() for t in (estimator._transform_shift, estimator._transform_scale))
        log_prob = estimator.log_prob(single(y[None, :, None]), condition=x)[0]
        return log_prob.double().numpy(), standard.affine(scale, shift)

    return answer


def zuko_gmm(components: int, X: Array, y: Array, seed: int) -> Answer:
    from zuko.mixtures import GMM  # pyright: ignore[reportMissingImports]

    gmm = GMM(features=1, context=X.shape[1], components=components)
    train_with_adam(gmm, single(X), single(y[:, None]))

    @torch.no_grad()
    def answer(X: Array, y: Array) -> tuple[Array, GaussianMixture]:
        q = gmm(single(X))
        found = mixture(q.logits, q.base.loc[..., 0], q.base.scale_tril[..., 0, 0])
        return q.log_prob(single(y[:, None])).double().numpy(), found

    return answer


def train_with_adam(model: torch.nn.Module, x: Tensor, y: Tensor, patience: int = 20) -> None:
    """Train on nine tenths of the rows until the others have not improved for ``patience`` epochs; keep the best."""
    order, held_back = torch.randperm(len(x)), len(x) // 10
    x_held, y_held = x[order[:held_back]], y[order[:held_back]]
    loader = DataLoader(TensorDataset(x[order[held_back:]], y[order[held_back:]]), batch_size=64, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    best, best_loss, since = copy.deepcopy(model.state_dict()), math.inf, 0
    while since < patience:
        for x_batch, y_batch in loader:
            optimizer.zero_grad()
            (-model(x_batch).log_prob(y_batch).mean()).backward()
            optimizer.step()
        with torch.no_grad():
            loss = -model(x_held).log_prob(y_held).mean().item()
        since += 1
        if loss < best_loss:
            best, best_loss, since = copy.deepcopy(model.state_dict()), loss, 0
    model.load_state_dict(best)


def skpro_mdn(X: Array, y: Array, seed: int) -> Answer:
    import pandas as pd  # pyright: ignore[reportMissingImports]
    from skpro.regression.mdn import MDNRegressor  # pyright: ignore[reportMissingImports]

    model = MDNRegressor(random_state=seed).fit(pd.DataFrame(X), pd.DataFrame(y))

    def answer(X: Array, y: Array) -> tuple[Array, GaussianMixture]:
        q = model.predict_proba(pd.DataFrame(X))
        log_prob = q.log_pdf(pd.DataFrame(y)).to_numpy()[:, 0]
        return log_prob, mixture(np.log(q.pi), q.mu[..., 0], q.sigma[..., 0])

    return answer


def scikit_mdn(X: Array, y: Array, seed: int) -> Answer:
    """Fit; the package has densities on a grid only, so the log-density is taken from its parameters."""
    from skmdn import MixtureDensityEstimator  # pyright: ignore[reportMissingImports]

    model = MixtureDensityEstimator().fit(X, y[:, None])

    def answer(X: Array, y: Array) -> tuple[Array, GaussianMixture]:
        weights, loc, scale = model.forward(X)
        q = mixture(np.log(weights), loc, scale)
        return q.log_prob(torch.as_tensor(y)).numpy(), q

    return answer


def ngboost_normal(X: Array, y: Array, seed: int) -> Answer:
    from ngboost import NGBRegressor  # pyright: ignore[reportMissingImports]
    from ngboost.distns import Normal  # pyright: ignore[reportMissingImports]

    model: Any = NGBRegressor(Dist=Normal, verbose=False, random_state=seed).fit(X, y)

    def answer(X: Array, y: Array) -> tuple[Array, GaussianMixture]:
        q = model.pred_dist(X)
        return q.logpdf(y), mixture(np.zeros((len(y), 1)), q.loc[:, None], q.scale[:, None])

    return answer


def single(x: Array) -> Tensor:
    return torch.as_tensor(x, dtype=torch.float32)


def mixture(logits: Any, loc: Any, scale: Any) -> GaussianMixture:
    """Return mixtures of scalars, one per row, from arrays of shape (n, K); nothing is checked, for a fit may fail."""
    logits, loc, scale = (torch.as_tensor(t).double() for t in (logits, loc, scale))
    return GaussianMixture(logits, loc, Isotropic(scale.square()), event_dim=0, validate_args=False)


MODELS: dict[str, tuple[str, Fit]] = {
    "mixtura": ("mixtura", ours),
    "sbi MDN": ("sbi", sbi_mdn),
    "zuko GMM": ("zuko", standardised(partial(zuko_gmm, 2))),
    "zuko GMM, 10 components": ("zuko", standardised(partial(zuko_gmm, 10))),
    "skpro MDNRegressor": ("skpro", standardised(skpro_mdn)),
    "scikit-mdn": ("scikit-mdn", standardised(scikit_mdn)),
    "NGBoost": ("ngboost", standardised(ngboost_normal)),
}


if __name__ == "__main__":
    main()
