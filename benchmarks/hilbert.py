"""Streamed inner products of mixtures beside torch.cdist, KeOps, geomloss and the floor of their matrix products.

    OMP_NUM_THREADS=1 python benchmarks/hilbert.py

Every number is the median of interleaved runs, one thread, value *and* gradient in the centers of the model, float32.
``pip install pykeops geomloss`` for the peers that are not there. "reached" compares with the targets of the project.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch import Tensor

from mixtura.distributions import GaussianMixture
from mixtura.hilbert import kernel_mean_discrepancy, log_inner

Work = Callable[[], tuple[Tensor, Tensor]]
MEMORY = """
import torch
torch.set_num_threads(1)
from mixtura.distributions import GaussianMixture
from mixtura.hilbert import log_inner
def job(x, y):
    log_inner(GaussianMixture.from_samples(x, 0.01), GaussianMixture.from_samples(y, 0.01)).backward()
job(torch.randn(5000, 2), torch.randn(1000, 2, requires_grad=True))
x, y = torch.randn({N}, 2), torch.randn(1000, 2, requires_grad=True)
p = GaussianMixture.from_samples(x, 0.01)
def status(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
before = status("VmRSS")
log_inner(p, GaussianMixture.from_samples(y, 0.01)).backward()
print((status("VmHWM") - before) / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--rows", type=int, default=100_000, help="N of the first rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {options.runs} runs, N = {options.rows}")
    print(f"{'work':34}{'peer':24}{'ours s':>9}{'peer s':>9}{'ratio':>8}{'target':>8}  reached")
    for D, targets in ((2, {"cdist": 50, "KeOps": 15}), (64, {"cdist": 9, "KeOps": 25})):
        inner_products(D, options.rows, targets, options.runs)
    floor(options.rows, options.runs)
    kernel_loss(options.runs)
    for N in (options.rows, 10 * options.rows):
        code = MEMORY.format(N=N)
        extra = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
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


def with_gradient(y: Tensor, f: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    centers = y.clone().requires_grad_()
    value = f(centers)
    (gradient,) = torch.autograd.grad(value, centers)
    return value.detach(), gradient


def interleaved(works: dict[str, Work], runs: int) -> tuple[dict[str, float], dict[str, tuple[Tensor, Tensor]]]:
    """Return the median seconds and the results of all works, run in turn after one warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    results = {name: work() for name, work in works.items()}
    for _ in range(runs):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}, results


def compare(work: str, peer: str, own: float, other: float, target: float) -> None:
    line(work, peer, own, other, other / own, f"{target:g}x", other / own >= target)


def line(work: str, peer: str, own: Any, other: Any, ratio: Any, target: str, reached: bool | None) -> None:
    cells = [f"{c:.4g}" if isinstance(c, float) else c for c in (own, other, ratio)]
    answer = "" if reached is None else "yes" if reached else "no"
    print(f"{work:34}{peer:24}{cells[0]:>9}{cells[1]:>9}{cells[2]:>8}{target:>8}  {answer}", flush=True)


if __name__ == "__main__":
    main()
