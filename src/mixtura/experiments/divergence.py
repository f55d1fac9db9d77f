"""The debiased divergence in expectation: exactly for atoms, by Monte Carlo for data."""

from __future__ import annotations

import math
from itertools import combinations_with_replacement

import torch
from torch import Tensor

from mixtura.costs import nuclear_norm, scalar
from mixtura.distributions import GaussianMixture
from mixtura.experiments.record import Cell, Table
from mixtura.training import kernel_variance

__all__ = [
    "expected_divergence",
    "expected_table",
    "find_negative",
    "monte_carlo_table",
    "pairs_divergence",
    "turned_squares",
]

_RANKS = (0.3, 0.68, 0.95)
"""Effective rank over size of half a batch, by which the variances are chosen."""
_STEPS, _RESTARTS, _RATE = 400, 64, 0.02

Atoms = tuple[Tensor, Tensor]
"""Points, shape ``(K, d)``, and their weights."""


def expected_divergence(p: Atoms, q: Atoms, n: int, v: float) -> float:
    r"""Return ``F(p, p) + F(q, q) - 2 F(p, q)`` with ``F(p, q) = E ‖C(X, Y)‖_*`` over independent samples of size n.

    ``C_ij = exp(-‖x_i - y_j‖² / 4v) / n``: what the debiased SVD cost is in expectation, in units of the trace. The
    samples of K atoms are ``n``-multisets, all of which are summed over with their probabilities, so nothing is random.

    Args:
        p: atoms and weights.
        q: the same.
        n: atoms in a sample, half of a batch.
        v: variance of the components.

    Example:
        >>> p, q = turned_squares(radius=0.7)
        >>> expected_divergence(p, p, n=2, v=1.0)
        0.0
        >>> expected_divergence(p, q, n=2, v=1.0) < 0
        True
    """
    return _affinity(p, p, n, v) + _affinity(q, q, n, v) - 2 * _affinity(p, q, n, v)


def _affinity(p: Atoms, q: Atoms, n: int, v: float) -> float:
    (x, w), (y, u) = p, q
    kernel = torch.exp(torch.cdist(x, y).square() / (-4 * v))
    (c, log_w), (d, log_u) = (_multisets(weights, n) for weights in (w, u))
    total = 0.0
    for counts, log_weight in zip(c, log_w, strict=True):
        C = (counts / n).sqrt()[:, None] * kernel * (d / n).sqrt()[:, None, :]
        total += (log_weight + log_u).exp().dot(torch.linalg.svdvals(C).sum(-1)).item()
    return total


def _multisets(weights: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return how often every sample of size n has each atom, and the log of its probability."""
    K = len(weights)
    chosen = torch.tensor(list(combinations_with_replacement(range(K), n)))
    counts = torch.nn.functional.one_hot(chosen, K).sum(1).to(weights)
    log_ways = math.lgamma(n + 1) - torch.lgamma(counts + 1).sum(1)
    return counts, log_ways + torch.xlogy(counts, weights).sum(1)


def pairs_divergence(x: Tensor, p: Tensor, q: Tensor, v: float) -> Tensor:
    """Return the same for samples of two, in closed form, differentiable and for many cases at once.

    ``‖C‖_* = √(‖C‖_F² + 2 |det C|)`` of a 2 x 2 matrix.

    Args:
        x: atoms of both, shape ``(*B, K, d)``.
        p: weights, shape ``(*B, K)``.
        q: the same.
        v: variance of the components.
    """
    k = torch.exp((x.unsqueeze(-2) - x.unsqueeze(-3)).square().sum(-1) / (-4 * v))
    a, b = k[..., :, None, :, None], k[..., None, :, None, :]  # k(x_i, y_k), k(x_j, y_l)
    c, d = k[..., :, None, None, :], k[..., None, :, :, None]  # k(x_i, y_l), k(x_j, y_k)
    norm = 0.5 * (a**2 + b**2 + c**2 + d**2 + 2 * (a * b - c * d).abs()).clamp_min(1e-300).sqrt()
    difference = p.unsqueeze(-1) * p.unsqueeze(-2) - q.unsqueeze(-1) * q.unsqueeze(-2)
    return torch.einsum("...ij,...ijkl,...kl->...", difference, norm, difference)


def turned_squares(radius: float) -> tuple[Atoms, Atoms]:
    """Return the corners of a square, and those of the same one turned by 45 degrees."""
    angle = torch.arange(8, dtype=torch.float64) * math.pi / 4
    x, w = radius * torch.stack([angle.cos(), angle.sin()], -1), torch.full((4,), 0.25, dtype=torch.float64)
    return (x[::2], w), (x[1::2], w)


def find_negative(K: int, d: int, steps: int, seed: int) -> tuple[Atoms, Atoms, float]:
    """Return the two weightings of K atoms whose divergence, of samples of two at v = 1, a search finds to be least."""
    g = torch.Generator().manual_seed(seed)
    x, a, b = (torch.randn(_RESTARTS, K, m, generator=g, dtype=torch.float64) for m in (d, 1, 1))
    x.mul_(2 * torch.rand(_RESTARTS, 1, 1, generator=g, dtype=torch.float64))
    parameters = [t.requires_grad_() for t in (x, a, b)]
    optimizer = torch.optim.Adam(parameters, lr=_RATE)
    least, found = math.inf, (x[0], a[0], b[0])
    for _ in range(steps):
        p, q = (torch.softmax(t.squeeze(-1), -1) for t in (a, b))
        values = pairs_divergence(x, p, q, 1.0)
        i = int(values.argmin())
        if values[i].item() < least:
            least, found = values[i].item(), tuple(t[i].detach().clone() for t in (x, p, q))
        optimizer.zero_grad()
        values.sum().backward()
        optimizer.step()
    atoms, p, q = found
    return (atoms, p), (atoms, q), least


def expected_table(quick: bool, seed: int) -> Table:
    """Return the expected divergences of turned squares, and the least ones that a search finds."""
    radii = (0.7,) if quick else (0.35, 0.5, 0.7, 1.0, 1.4, 2.0)
    rows: list[list[Cell]] = []
    for radius in radii:
        p, q = turned_squares(radius)
        rows.append([f"square, turned, radius {radius:g}", *(expected_divergence(p, q, n, 1.0) for n in (1, 2, 3, 4))])
    cases = ((3, 2),) if quick else ((6, 1), (3, 2), (4, 2), (5, 2), (6, 2), (8, 2))
    for K, d in cases:
        p, q, least = find_negative(K, d, 50 if quick else _STEPS, seed)
        others = (expected_divergence(p, q, n, 1.0) if K <= 6 or n < 4 else None for n in (3, 4))
        rows.append([f"searched: {K} atoms, d = {d}", expected_divergence(p, q, 1, 1.0), least, *others])
    return Table(
        "The debiased SVD divergence in expectation, exactly",
        ("p and q", "n = 1", "n = 2", "n = 3", "n = 4"),
        rows,
        "All samples of n atoms are enumerated; v = 1, in units of the trace. n = 1 is the squared MMD, which is never "
        "negative. Squares: p is uniform on the corners, q on those of the same square turned by 45°. Searched: "
        f"positions and weightings that make the value at n = 2 least, by gradient descent from {_RESTARTS} starts.",
    )


def monte_carlo_table(data: dict[str, Tensor], batch: int, draws: int, seed: int) -> Table:
    """Return means of both divergences and both gaps where q = p and near it, with standard errors.

    Args:
        data: rows by name; batches of p and q are drawn from different rows.
        batch: components of p, and of q.
        draws: pairs of batches.
        seed: of the draws.
    """
    rows: list[list[Cell]] = []
    for name, x in data.items():
        x = x.double()
        g = torch.Generator().manual_seed(seed)
        for rank in _RANKS:
            v = kernel_variance(x[: batch // 2], rank)
            for change, moved in _changes(x, g).items():
                values: list[list[float]] = []
                for _ in range(draws):
                    chosen = torch.randperm(len(x), generator=g)[: 2 * batch]
                    p = GaussianMixture.from_samples(x[chosen[:batch]], v)
                    q = GaussianMixture.from_samples(moved[chosen[batch:]], v)
                    sampled = [cost(p, q, "sampled").divergence.item() for cost in (nuclear_norm, scalar)]
                    values.append(sampled + [cost(p, q).gap.item() for cost in (nuclear_norm, scalar)])
                each = torch.tensor(values, dtype=torch.float64)
                means, errors = each.mean(0).tolist(), (each.std(0) / math.sqrt(draws)).tolist()
                rows.append([name, rank, v, change, *(n for pair in zip(means, errors, strict=True) for n in pair)])
    columns = ("data", "rank", "v", "q is p", "SVD", "±", "scalar", "±", "SVD gap", "±", "scalar gap", "±")
    return Table(
        "Debiased divergences and plain gaps where q = p, and near it",
        columns,
        rows,
        f"Means over {draws} pairs of batches of {batch} with standard errors. Rank: effective rank over size of half "
        "a batch at v. Divergences in units of the trace, gaps in nats. Shrunk: towards the mean; moved: by a tenth of "
        "the root of the total variance.",
    )


def _changes(x: Tensor, g: torch.Generator) -> dict[str, Tensor]:
    """Return the data, and two versions that are almost the same."""
    mean, spread = x.mean(0), x.var(0).sum().sqrt()
    step = torch.randn(x.shape[1], generator=g, dtype=x.dtype)
    return {
        "the same": x,
        "shrunk by a tenth": x + 0.1 * (mean - x),
        "moved by a tenth": x + 0.1 * spread * step / step.norm(),
    }
