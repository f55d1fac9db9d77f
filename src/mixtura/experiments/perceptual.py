"""LPIPS and the Inception FID, where torchmetrics and the weights of both happen to be installed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

__all__ = ["inception_distance", "lpips_apart"]

_BATCH = 100


def lpips_apart(a: Tensor, b: Tensor) -> float | None:
    """Return the mean LPIPS of pairs of images ``(n, 3, H, W)`` in [0, 1], or None where it is not installed.

    Wanted are torchmetrics, torchvision and its weights of AlexNet; nothing is downloaded.

    Source:
        Zhang et al. 2018, "The unreasonable effectiveness of deep features as a perceptual metric".
    """
    if not _installed("torchvision", "alexnet-owt-*.pth"):
        return None
    metric = import_module("torchmetrics.image.lpip").LearnedPerceptualImagePatchSimilarity("alex", normalize=True)
    with torch.no_grad():
        for first, second in zip(a.split(_BATCH), b.split(_BATCH), strict=True):
            metric.update(first, second)
        return float(metric.compute())


def inception_distance(made: Tensor, real: Tensor) -> float | None:
    """Return the FID of images ``(n, 3, H, W)`` in [0, 1] from real ones, or None where it is not installed.

    Wanted are torchmetrics, torch-fidelity and its weights of Inception; nothing is downloaded. With fewer than some
    thousand images the distance is far above its limit: compare only those of equally many.

    Source:
        Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash equilibrium".
    """
    if not _installed("torch_fidelity", "weights-inception-2015-12-05-*.pth"):
        return None
    metric = import_module("torchmetrics.image.fid").FrechetInceptionDistance(feature=2048, normalize=True)
    with torch.no_grad():
        for images, is_real in ((real, True), (made, False)):
            for part in images.split(_BATCH):
                metric.update(part, real=is_real)
        return float(metric.compute())


def _installed(package: str, weights: str) -> bool:
    if any(find_spec(name) is None for name in ("torchmetrics", package)):
        return False
    return any(Path(torch.hub.get_dir(), "checkpoints").glob(weights))
