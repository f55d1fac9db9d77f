"""What a matrix of squared distances can see of two distributions, and what a Gaussian of it sees."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import torch
from torch import Tensor

from mixtura.costs import nuclear_norm
from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.experiments.record import Cell, Curves, Table
from mixtura.hilbert import log_singular_values

__all__ = [
    "blind_pairs",
    "blind_table",
    "distance_norm",
    "rank_table",
    "squared_distances",
]

_FEATURES = (1, 2, 3, 5, 10)
_POINTS = 200
_RANK = 1e-10
"""Singular values above this share of the largest one count."""
_KERNEL = 0.1

Points = tuple[Tensor, Tensor]
"""Atoms, shape ``(n, d)``, and their weights."""


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Return ``D_ij = ‖x_i - y_j‖²``, differentiable everywhere."""
    return x.square().sum(-1, keepdim=True) + y.square().sum(-1) - 2 * x @ y.mT


def distance_norm(p: Points, q: Points) -> float:
    """Return the nuclear norm of ``√(w_i w'_j) ‖x_i - y_j‖²``.

    Example:
        >>> one = torch.ones(1, dtype=torch.float64)
        >>> distance_norm((torch.zeros(1, 2), one), (torch.ones(1, 2), one))
        2.0
    """
    (x, w), (y, u) = p, q
    return torch.linalg.svdvals(w.sqrt()[:, None] * squared_distances(x, y) * u.sqrt()).sum().item()


def blind_pairs() -> dict[str, tuple[Points, Points]]:
    """Return pairs of distributions with equal means and covariances; of the first two all that D sees is equal."""
    square = _polygon(4, 0.0)
    nodes, weights = _hermite(40)
    three = torch.tensor([[-math.sqrt(3), 0.0, math.sqrt(3)], [1 / 6, 2 / 3, 1 / 6]], dtype=torch.float64)
    two = torch.tensor([[-1.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    return {
        "a square and the same, turned by 45°": (square, _polygon(4, math.pi / 4)),
        "9 atoms and a normal": (_plane(*three), _plane(nodes, weights)),
        "4 atoms and a normal": (_plane(*two), _plane(nodes, weights)),
    }


def blind_table() -> Table:
    """Return how far either matrix tells the blind pairs apart."""
    rows: list[list[Cell]] = []
    for name, (p, q) in blind_pairs().items():
        own = 0.5 * (math.log(distance_norm(p, p)) + math.log(distance_norm(q, q)))
        a, b = (GaussianMixture(w.log(), x, Isotropic(_KERNEL)) for x, w in (p, q))
        gap = nuclear_norm(a, b).gap.item()
        rows.append([name, abs(math.log(distance_norm(p, q)) - own), gap])
    return Table(
        "Different distributions in the plane with equal means and covariances",
        ("pair", "distances", "Gaussian"),
        rows,
        "Distances: |log ‖D(p, q)‖_* - ½ log ‖D(p, p)‖_* ‖D(q, q)‖_*|, of the distributions, not of samples. Gaussian: "
        f"gap of the SVD cost in nats, v = {_KERNEL}. Atoms stand at -√3, 0, √3 with weights 1/6, 2/3, 1/6 on both "
        "axes, which have the moments of a normal up to the fifth order, or at ±1, whose fourth moments are others.",
    )


def rank_table(images: Tensor, v: float, seed: int) -> tuple[Table, list[Curves]]:
    """Return the ranks of both matrices for normal points and for images, one half against the other, and spectra.

    Args:
        images: as vectors.
        v: variance of the Gaussian for them.
        seed: of the normal points.
    """
    g = torch.Generator().manual_seed(seed)
    x = images.double()
    points = {f"normal, d = {d}": torch.randn(2 * _POINTS, d, generator=g, dtype=torch.float64) for d in _FEATURES}
    points["images"] = x
    rows: list[list[Cell]] = []
    spectra: list[Curves] = []
    for name, both in points.items():
        (x, y), d = both.chunk(2), both.shape[1]
        p, q = (GaussianMixture.from_samples(s, v if name == "images" else _KERNEL * d) for s in (x, y))
        D = torch.linalg.svdvals(torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square())
        shares = {"distances": D / D.sum(), "Gaussian": torch.softmax(log_singular_values(p, q), -1)}
        rows.append([name, d + 2, *(n for s in shares.values() for n in (_rank(s), _effective(s)))])
        if name == "images" or d in (2, 10):
            lines = {k: (s / s[0]).clamp_min(1e-17).tolist() for k, s in shares.items()}
            spectra.append(Curves(name, list(range(1, len(D) + 1)), lines, "index", log_x=True, log_y=True))
    table = Table(
        "Rank of the matrix of squared distances D and of the Gaussian one C",
        ("points", "d + 2", "rank of D", "effective", "rank of C", "effective"),
        rows,
        f"{_POINTS} points against {_POINTS} others, {len(images) // 2} images against as many others. Rank: singular "
        f"values above {_RANK:g} of the largest. Effective: exp of the entropy of their shares. The variance of C is "
        f"{_KERNEL:g} d for the normal points of variance 1, {v:.3g} for images.",
    )
    return table, spectra


def _rank(shares: Tensor) -> int:
    return int((shares > _RANK * shares[0]).sum())


def _effective(shares: Tensor) -> float:
    return torch.special.entr(shares).sum().exp().item()


def _polygon(corners: int, turn: float) -> Points:
    angle = turn + 2 * math.pi * torch.arange(corners, dtype=torch.float64) / corners
    return torch.stack([angle.cos(), angle.sin()], -1), torch.full((corners,), 1 / corners, dtype=torch.float64)


def _plane(x: Tensor, w: Tensor) -> Points:
    """Return the product of a distribution on the line with itself."""
    pairs = torch.tensor(list(product(range(len(x)), repeat=2)))
    return x[pairs], w[pairs].prod(-1)


def _hermite(n: int) -> tuple[Tensor, Tensor]:
    """Return nodes and weights that integrate polynomials up to degree 2n - 1 against a standard normal."""
    x, w = np.polynomial.hermite_e.hermegauss(n)
    return torch.as_tensor(x), torch.as_tensor(w / w.sum())
