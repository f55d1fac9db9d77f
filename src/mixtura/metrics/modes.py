"""Which of the known modes samples reach."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mixtura.metrics.features import as_pair

__all__ = ["ModeCoverage", "mode_coverage"]


@dataclass(frozen=True)
class ModeCoverage:
    """How samples meet the modes of a density that is known."""

    captured: int
    """Modes that have a sample within the radius."""
    quality: float
    """Share of the samples within the radius of their nearest mode."""
    reverse_kl: float
    """``KL(samples ‖ truth)`` in nats, both as histograms over the nearest modes."""


def mode_coverage(
    samples: Tensor, modes: Tensor, scale: float, radius: float = 3.0, weights: Tensor | None = None
) -> ModeCoverage:
    r"""Return how many modes the samples reach, how good they are, and how evenly they are spread over the modes.

    A sample is good if it lies within ``radius · scale`` of its nearest mode; of perfect samples in two dimensions
    ``1 - exp(-radius²/2)`` are, 98.9 % for 3. The reverse KL is ``Σ_k h_k log(h_k / w_k)`` with h_k the share of *all*
    samples, good or not, whose nearest mode is k.

    Args:
        samples: shape ``(N, D)``.
        modes: their positions, shape ``(K, D)``.
        scale: standard deviation of a mode, in units of the samples.
        radius: in units of ``scale``.
        weights: of the modes, shape ``(K,)``, positive; None weighs all alike.

    Raises:
        ValueError: where shapes do not fit, a value is not finite, or scale, radius or a weight is not positive.

    Source:
        Srivastava et al. 2017, "VEEGAN"; Lin, Khetan, Fanti & Oh 2018, "PacGAN".

    Example:
        >>> import torch
        >>> modes = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
        >>> mode_coverage(torch.tensor([[0.01, 0.0], [0.3, 0.0]]), modes, scale=0.01)
        ModeCoverage(captured=1, quality=0.5, reverse_kl=0.693...)
    """
    x, m = as_pair(samples, modes, ("samples", "modes"))
    K = len(m)
    if not (0 < scale < float("inf") and 0 < radius < float("inf")):
        raise ValueError(f"scale and radius must be positive and finite, got {scale} and {radius}.")
    w = m.new_ones(K) if weights is None else weights.detach().to(m)
    if w.shape != (K,) or not bool(((w > 0) & (w < float("inf"))).all()):
        raise ValueError(f"weights must hold one positive number per mode, shape ({K},), got {tuple(w.shape)}.")
    distance, nearest = torch.cdist(x, m, compute_mode="donot_use_mm_for_euclid_dist").min(-1)
    good = distance <= radius * scale
    h = torch.bincount(nearest, minlength=K).double() / len(x)
    reverse_kl = (torch.xlogy(h, h) - torch.xlogy(h, w / w.sum())).sum().clamp_min(0)
    return ModeCoverage(len(nearest[good].unique()), good.double().mean().item(), reverse_kl.item())
