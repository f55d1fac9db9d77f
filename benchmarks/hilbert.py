"""Streamed inner products of mixtures beside torch.cdist, KeOps, geomloss and the floor of their matrix products.

    OMP_NUM_THREADS=1 python benchmarks/hilbert.py

Every number is the median of interleaved runs, one thread, value *and* gradient in the centers of the model, float32.
``pip install pykeops geomloss`` for the peers that are not there. "reached" compares with the targets of the project.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from side_by_side import Work, extra_memory, heading, interleaved, line, with_gradient
from torch import Tensor

from mixtura.distributions import GaussianMixture
from mixtura.hilbert import kernel_mean_discrepancy, log_inner

MEMORY = """
from mixtura.hilbert import log_inner
def job(p, y):
    log_inner(p, GaussianMixture.from_samples(y, 0.01)).backward()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--rows", type=int, default=100_000, help="N of the first rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    heading(f"{options.runs} runs, N = {options.rows}")
    for D, targets in ((2, {"cdist": 50, "KeOps": 15}), (64, {"cdist": 9, "KeOps": 25})):
        inner_products(D, options.rows, targets, options.runs)
    floor(options.rows, options.runs)
    kernel_loss(options.runs)
    for N in (options.rows, 10 * options.rows):
        extra = extra_memory(MEMORY, N, 1000, 0.01, warm_up=1000)
        line(f"extra memory N={N} M=1000 d=2", "32 MB", f"{extra:.1f} MB", "", "", "<32 MB", extra < 32)
    million(10 * options.rows)


def inner_products(D: int, N: int, targets: Mapping[str, float], runs: int) -> None:
    M, s = 1000, 0.02 if D == 2 else float(D)
    x, y = torch.randn(N, D), torch.randn(M, D)
    data = GaussianMixture.from_samples(x, s / 2)
    works: dict[str, Work] = {"ours": lambda: ours(data, y, s), "cdist": lambda: cdist(x, y, s)}
    try:
        works["KeOps"] = keops(x, y, s)
    except ImportError:
        print("KeOps: not installed")
    seconds, results = interleaved(works, runs)
    exact = ours(GaussianMixture.from_samples(x.double(), s / 2), y.double(), s)[1]
    work = f"scalar sum N={N} M={M} d={D}"
    for peer in list(works)[1:]:
        compare(work, f"{peer} + autograd" if peer == "cdist" else peer, seconds["ours"], seconds[peer], targets[peer])
    for name, (_, gradient) in results.items():
        error = float((gradient - exact).abs().max() / exact.abs().max())
        reached = error <= (1e-6 if D == 2 else 1e-5) if name == "ours" else None
        line(f"  gradient error d={D}", name, f"{error:.1e}", "", "", "1e-6" if D == 2 else "1e-5", reached)


def floor(N: int, runs: int) -> None:
    D, M = 784, 1000
    x, y = torch.randn(N, D), torch.randn(M, D)
    data = GaussianMixture.from_samples(x, D / 2.0)

    def products() -> tuple[Tensor, Tensor]:
        gradient = torch.zeros(D, M)
        for start in range(0, N, 1024):
            gradient += x[start : start + 1024].T @ (x[start : start + 1024] @ y.T)
        return gradient[0, 0], gradient

    seconds, _ = interleaved({"ours": lambda: ours(data, y, float(D)), "floor": products}, runs)
    ratio = seconds["ours"] / seconds["floor"]
    line(
        f"scalar sum N={N} M={M} d={D}",
        "its two products",
        seconds["ours"],
        seconds["floor"],
        ratio,
        "<1.10",
        ratio < 1.1,
    )


def kernel_loss(runs: int) -> None:
    N, M, blur = 4000, 500, 0.1
    x, y = torch.randn(N, 2), torch.randn(M, 2)

    def kernel_mean() -> tuple[Tensor, Tensor]:
        return with_gradient(y, lambda c: kernel_mean_discrepancy(points(x), points(c), blur**2).square() / 2)

    works: dict[str, Work] = {"ours": kernel_mean}
    try:
        from geomloss import SamplesLoss  # pyright: ignore[reportMissingImports]
    except ImportError:
        print("geomloss: not installed")
        return
    loss: Any = SamplesLoss("gaussian", blur=blur, backend="online")
    works["geomloss"] = lambda: with_gradient(y, lambda c: loss(x, c))
    seconds, results = interleaved(works, runs)
    compare(f"kernel loss N={N} M={M} d=2", "geomloss (online)", seconds["ours"], seconds["geomloss"], 6)
    values = {name: value.item() for name, (value, _) in results.items()}
    print(f"  values: ours {values['ours']:.8g}, geomloss {values['geomloss']:.8g}")


def million(N: int) -> None:
    x, y = torch.randn(N, 2), torch.randn(1000, 2)
    data = GaussianMixture.from_samples(x, 0.01)
    start = time.perf_counter()
    ours(data, y, 0.02)
    line(f"scalar sum N={N} M=1000 d=2", "-", time.perf_counter() - start, "", "", "", None)


def ours(data: GaussianMixture, y: Tensor, s: float) -> tuple[Tensor, Tensor]:
    return with_gradient(y, lambda centers: log_inner(data, GaussianMixture.from_samples(centers, s / 2)))


def cdist(x: Tensor, y: Tensor, s: float) -> tuple[Tensor, Tensor]:
    """Up to a constant, the log of the sum of all kernels, as one writes it in torch."""
    return with_gradient(y, lambda c: torch.exp(-torch.cdist(x, c).square() / (2 * s)).sum().log())


def keops(x: Tensor, y: Tensor, s: float) -> Work:
    import pykeops  # pyright: ignore[reportMissingImports]
    from pykeops.torch import LazyTensor  # pyright: ignore[reportMissingImports]

    pykeops.set_verbose(False)

    def value(centers: Tensor) -> Tensor:
        a: Any = LazyTensor(x[:, None, :])
        b: Any = LazyTensor(centers[None, :, :])
        return (-((a - b) ** 2).sum(-1) / (2 * s)).exp().sum(0).sum().log()

    return lambda: with_gradient(y, value)


def points(x: Tensor) -> GaussianMixture:
    return GaussianMixture.from_samples(x, 1e-10)


def compare(work: str, peer: str, own: float, other: float, target: float) -> None:
    line(work, peer, own, other, other / own, f"{target:g}x", other / own >= target)


if __name__ == "__main__":
    main()
