"""LPIPS and FID: None where something is missing, and what the packages are given where nothing is."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from mixtura.experiments import perceptual
from mixtura.experiments.perceptual import inception_distance, lpips_apart

A, B = (torch.rand(130, 3, 8, 8, generator=torch.Generator().manual_seed(k)) for k in (0, 1))


class Distance:
    """Stand in for both metrics: mean difference of all that they were given."""

    def __init__(self, *args: Any, **options: Any) -> None:
        assert options["normalize"] is True
        self.sides: tuple[list[Tensor], list[Tensor]] = ([], [])

    def update(self, first: Tensor, second: Tensor | None = None, real: bool | None = None) -> None:
        assert len(first) <= 100
        self.sides[0 if real is None or real else 1].append(first)
        if second is not None:
            self.sides[1].append(second)

    def compute(self) -> Tensor:
        a, b = (torch.cat(side) for side in self.sides)
        return a.mean() - b.mean()


def _install(monkeypatch: pytest.MonkeyPatch, folder: Path, *files: str) -> None:
    for name in ("torchmetrics", "torchvision", "torch_fidelity", "torchmetrics.image.lpip", "torchmetrics.image.fid"):
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        vars(module).update(LearnedPerceptualImagePatchSimilarity=Distance, FrechetInceptionDistance=Distance)
        monkeypatch.setitem(sys.modules, name, module)
    (folder / "checkpoints").mkdir()
    for file in files:
        (folder / "checkpoints" / file).touch()
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder))


def test_nothing_is_said_where_a_package_or_its_weights_are_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(perceptual, "find_spec", lambda name: None)
        assert lpips_apart(A, B) is None
        assert inception_distance(A, B) is None
    _install(monkeypatch, tmp_path, "alexnet-owt-7be5be79.pth")
    assert lpips_apart(A, B) is not None
    assert inception_distance(A, B) is None


def test_all_images_are_given_on_their_side(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _install(monkeypatch, tmp_path, "alexnet-owt-7be5be79.pth", "weights-inception-2015-12-05-6726825d.pth")
    assert lpips_apart(A, B) == pytest.approx((A.mean() - B.mean()).item())
    assert inception_distance(A, B) == pytest.approx((B.mean() - A.mean()).item())
