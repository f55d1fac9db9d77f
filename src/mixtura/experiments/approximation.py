"""Universal approximation: how near a mixture of M components comes to an exact conditional density."""

from __future__ import annotations

import numpy as np
import torch

from mixtura.datasets.toy import Noise, inverse_sine, inverse_sine_log_prob
from mixtura.estimators import MixtureDensityRegressor
from mixtura.experiments.record import Curves, Options, Picture, Record, Table

__all__ = ["approximation", "l1_distance"]

_COMPONENTS = (1, 2, 3, 5, 10, 20)
_ROWS, _FRESH, _GRID = 10_000, 500, 2_001


def approximation(options: Options) -> Record:
    """Return the L1 distance of the regressor to the exact density of the toy inverse problem, by components."""
    candidates = (1, 3) if options.quick else _COMPONENTS
    rows: list[list[str | int | float]] = []
    noises: tuple[Noise, ...] = ("normal", "uniform")
    for noise in noises:
        for seed in options.seeds:
            X, t = inverse_sine(500 if options.quick else _ROWS, noise, random_state=seed)
            fresh, _ = inverse_sine(_FRESH, noise, random_state=1_000 + seed)
            for M in candidates:
                model = MixtureDensityRegressor(
                    M, ensemble=1, hidden=(64, 64), epochs=3 if options.quick else 60, random_state=seed
                ).fit(X, t)
                rows.append([noise, M, seed, l1_distance(model, fresh, noise)])
                options.say(f"{noise:8} noise, M = {M:2}, seed {seed}: L1 {rows[-1][3]:.3f}")
    lines = {
        f"{noise} noise": [float(np.mean([float(r[3]) for r in rows if r[:2] == [noise, M]])) for M in candidates]
        for noise in noises
    }
    findings = [
        f"With {name} the L1 distance falls from {line[0]:.2f} at M = {candidates[0]} to {min(line):.2f} at M = "
        f"{candidates[int(np.argmin(line))]}."
        for name, line in lines.items()
    ]
    return Record(
        "approximation",
        "More components, a nearer density",
        "Mixtures of Gaussians can come as near to any density as one likes; can a trained network? The exact answer "
        "of the toy inverse problem is known, with noise that is normal, and with noise whose edges are sharp.",
        {"seeds": list(options.seeds), "rows": _ROWS, "network": "one of (64, 64), 60 epochs", "quick": options.quick},
        findings,
        [
            Table(
                "L1 distance",
                ("noise", "components", "seed", "L1"),
                rows,
                f"∫ |p − q| dt, from 0 (the same) to 2 (nothing in common), mean over {_FRESH} fresh questions.",
            )
        ],
        [Picture("Mean over the seeds.", [Curves("L1 distance", candidates, lines, "components", "L1", True)])],
    )


def l1_distance(model: MixtureDensityRegressor, X: np.ndarray, noise: Noise) -> float:
    """Return the mean over the rows of X of ``∫ |p(t|y) - q(t|y)| dt``, by the trapezoidal rule where the exact p has
    its mass, and by q's distribution function elsewhere."""
    grid = np.linspace(0, 1, _GRID)
    q = model.predict_dist(X)
    with torch.no_grad():
        density = q.log_prob(torch.as_tensor(grid).unsqueeze(-1).expand(-1, len(X))).exp().numpy()  # (grid, rows)
        inside = (
            q.cdf(torch.ones(len(X), dtype=torch.float64)) - q.cdf(torch.zeros(len(X), dtype=torch.float64))
        ).numpy()
    exact = np.exp(np.stack([inverse_sine_log_prob(X, np.full(len(X), g), noise) for g in grid]))
    return float((np.trapezoid(np.abs(exact - density), grid, axis=0) + 1 - inside).mean())
