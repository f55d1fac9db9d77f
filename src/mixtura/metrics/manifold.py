"""Whether generated samples lie where real ones lie, everywhere that they lie, and as far apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from mixtura.metrics.features import as_pair, as_rows, distance_blocks, fixed_choice

__all__ = ["PrecisionRecall", "clustering_purity", "distance_distribution_error", "diversity", "precision_recall"]


@dataclass(frozen=True)
class PrecisionRecall:
    """How two sets of samples cover each other, by balls that reach to the k-th neighbour within each set."""

    precision: float
    """Share of the generated samples that lie in the ball of a real one."""
    recall: float
    """Share of the real samples that lie in the ball of a generated one."""
    density: float
    """Mean number of real balls that hold a generated sample, over k; 1 in expectation where both sets are alike."""
    coverage: float
    """Share of the real balls that hold a generated sample."""


def precision_recall(real: Tensor, generated: Tensor, neighbours: int = 5) -> PrecisionRecall:
    """Return improved precision and recall, and density and coverage, of generated samples.

    Distances are Euclidean, in float64 and a block at a time: no matrix of all pairs is held. Use features of a network
    for images, or the pixels.

    Args:
        real: shape ``(N, D)``; images are flattened.
        generated: shape ``(M, D)``.
        neighbours: k, the neighbour that the ball of a sample reaches to, the sample itself not counted.

    Raises:
        ValueError: where the features differ, a value is not finite, or a set has no k-th neighbour.

    Source:
        Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative models"; Naeem et al.
        2020, "Reliable fidelity and diversity metrics for generative models".

    Example:
        >>> import torch
        >>> real = torch.arange(10.0).unsqueeze(-1)
        >>> precision_recall(real, real[:5] + 0.1, neighbours=1)
        PrecisionRecall(precision=1.0, recall=0.6, density=2.0, coverage=0.6)
    """
    if neighbours < 1:
        raise ValueError(f"neighbours must be at least 1, got {neighbours}.")
    x, y = as_pair(real, generated, ("real", "generated"), least=neighbours + 1)
    x_radius, y_radius = _radii(x, neighbours), _radii(y, neighbours)
    precise, held = 0, 0
    recalled, covered = (torch.zeros(len(x), dtype=torch.bool, device=x.device) for _ in range(2))
    for rows, d in distance_blocks(y, x):
        inside = d <= x_radius
        precise += int(inside.any(1).sum())
        held += int(inside.sum())
        covered |= inside.any(0)
        recalled |= (d <= y_radius[rows, None]).any(0)
    M = len(y)
    shares = (recalled.double().mean().item(), held / (neighbours * M), covered.double().mean().item())
    return PrecisionRecall(precise / M, *shares)


def diversity(samples: Tensor, rows: int = 5000) -> float:
    """Return the mean Euclidean distance of two different samples, in their units.

    Args:
        samples: shape ``(N, D)``, N >= 2; images are flattened.
        rows: of more samples a random choice of so many is taken, always the same one.

    Raises:
        ValueError: where there are fewer than two samples or a value is not finite.

    Example:
        >>> import torch
        >>> diversity(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]]))
        3.33...
    """
    x = fixed_choice(as_rows(samples, "samples", least=2), _at_least_two(rows))
    total = 0.0
    for block, d in distance_blocks(x, x):
        d.diagonal(block.start).zero_()  # where a matrix product leaves rounding
        total += d.sum().item()
    return total / (len(x) * (len(x) - 1))


def distance_distribution_error(real: Tensor, generated: Tensor, rows: int = 1000) -> float:
    """Return the Wasserstein-1 distance between the pairwise distances of both sets, in units of the samples.

    It is zero where both sets are spread alike at every scale: one mode too few moves the large distances, one blurred
    mode the small ones. It does not see where the samples lie.

    Args:
        real: shape ``(N, D)``, N >= 2; images are flattened.
        generated: shape ``(M, D)``, M >= 2.
        rows: of more samples a random choice of so many is taken, always the same one.

    Raises:
        ValueError: where the features differ, a set has fewer than two samples or a value is not finite.

    Example:
        >>> import torch
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> distance_distribution_error(x, 3 * x + 7)
        2.0
    """
    from scipy.stats import wasserstein_distance  # half a second that import mixtura need not take

    pair = as_pair(real, generated, ("real", "generated"), least=2)
    chosen = (fixed_choice(x, _at_least_two(rows)) for x in pair)
    return float(wasserstein_distance(*(torch.pdist(x).cpu().numpy() for x in chosen)))


def clustering_purity(generated: Tensor, real: Tensor, labels: Tensor, seed: int = 0) -> float:
    """Return how well clusters that were found in generated samples tell the classes of real ones apart.

    k-means puts as many centers into the generated samples as there are classes; every real sample goes to its nearest
    center, and ``(1/N) Σ_clusters max_class |cluster ∩ class|`` is the purity. It is 1 where the centers stand in
    different classes. A class that is not generated shares its center with another, and samples between the classes
    take centers away from them, so both lower it; the purity of the generated samples by themselves would be 1 even if
    only one class is generated.

    Args:
        generated: shape ``(M, D)``, at least as many as classes.
        real: shape ``(N, D)``.
        labels: classes of the real samples, integers of shape ``(N,)``.
        seed: of the starts of k-means.

    Raises:
        ValueError: where shapes do not fit, a value is not finite, or samples are fewer than classes.

    Source:
        Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, 16.3 (purity).

    Example:
        >>> import torch
        >>> real, labels = torch.tensor([[0.0], [0.1], [9.0], [9.1]]), torch.tensor([0, 0, 1, 1])
        >>> clustering_purity(torch.tensor([[0.2], [8.8], [9.2]]), real, labels)
        1.0
    """
    y, x = as_pair(generated, real, ("generated", "real"))
    if labels.shape != (len(x),):
        raise ValueError(f"labels must hold one class per real sample, shape ({len(x)},), got {tuple(labels.shape)}.")
    classes, which = labels.detach().cpu().unique(return_inverse=True)
    K = len(classes)
    if len(y) < K:
        raise ValueError(f"generated has {len(y)} samples, fewer than the {K} classes: draw more.")
    means = KMeans(min(K, len(y.unique(dim=0))), n_init=10, random_state=seed).fit(y.cpu().numpy())
    cluster = torch.as_tensor(means.predict(x.cpu().numpy())).long()
    counts = torch.bincount(cluster * K + which, minlength=K * K).reshape(-1, K)
    return counts.amax(1).sum().item() / len(x)


def _radii(x: Tensor, neighbours: int) -> Tensor:
    """Return every row's distance to its k-th neighbour."""
    radii: list[Tensor] = []
    for rows, d in distance_blocks(x, x):
        d.diagonal(rows.start).zero_()
        radii.append(d.topk(neighbours + 1, largest=False).values[:, -1])
    return torch.cat(radii)


def _at_least_two(rows: int) -> int:
    if rows < 2:
        raise ValueError(f"rows must be at least 2, got {rows}.")
    return rows
