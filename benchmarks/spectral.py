"""Projections and nuclear norms of Gram matrices beside torch.linalg and automatic differentiation.

    OMP_NUM_THREADS=1 python benchmarks/spectral.py

Every number is the median of interleaved runs, one thread, value *and* gradient in the centers of the model, from the
points, float32. The errors are relative to float64. "reached" compares with the targets of the project.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from side_by_side import Work, extra_memory, heading, interleaved, line, with_gradient
from torch import Tensor

from mixtura.distributions import GaussianMixture
from mixtura.hilbert import log_projected_trace
from mixtura.hilbert.spectral import log_nuclear_norm
from mixtura.hilbert.spectral.matrix import Method, certified

VARIANCE = 0.05
"""Of components, for standard normal points in two dimensions; effective rank about 100."""
OURS = f"""
from mixtura.hilbert.spectral import log_nuclear_norm
def job(p, y):
    log_nuclear_norm(p, GaussianMixture.from_samples(y, {VARIANCE}), "tall").backward()
"""
PEER = f"""
def job(p, y):
    C = torch.exp(-torch.cdist(p.loc, y).square() / (4 * {VARIANCE}))
    torch.linalg.svdvals(C).sum().log().backward()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--rows", type=int, default=100_000, help="N of the tall rows")
    parser.add_argument("--square", type=int, default=2048, help="N = M of the square rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    heading(f"{options.runs} runs, components of variance {VARIANCE}")
    projection(options.rows // 10, 500, options.runs)
    tall(options.rows, 512, options.runs)
    square(options.square, options.runs)
    million(10 * options.rows, 256)


def projection(N: int, M: int, runs: int) -> None:
    """The matrix-matrix cost; the gradient is compared with float64 at the ridge of float32, 1e-6."""
    x, y = torch.randn(N, 2), torch.randn(M, 2)

    def solve(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        def value(c: Tensor) -> Tensor:
            G = kernel(c, c) + 1e-6 * torch.eye(M, dtype=c.dtype)
            C = kernel(x, c)
            return (C * torch.linalg.solve(G, C.T).T).sum().log()

        return with_gradient(y, value)

    def own() -> tuple[Tensor, Tensor]:
        data = GaussianMixture.from_samples(x, VARIANCE)
        return with_gradient(y, lambda c: log_projected_trace(data, GaussianMixture.from_samples(c, VARIANCE)))

    seconds, results = interleaved({"ours": own, "solve": lambda: solve(x, y)}, runs)
    gradient = solve(x.double(), y.double())[1]
    own_error, other_error = (
        float((results[name][1] - gradient).abs().max() / gradient.abs().max()) for name in ("ours", "solve")
    )
    ratio = seconds["solve"] / seconds["ours"]
    print(f"matrix-matrix N={N} M={M} d=2")
    line("  seconds", "linalg.solve + autograd", seconds["ours"], seconds["solve"], ratio, "2.5x", ratio >= 2.5)
    better = other_error / own_error
    line("  gradient error", "linalg.solve + autograd", own_error, other_error, better, "100x", better >= 100)


def tall(N: int, M: int, runs: int) -> None:
    x, y = torch.randn(N, 2), torch.randn(M, 2)
    seconds, results = interleaved({"ours": lambda: ours(x, y, "tall"), "svdvals": lambda: peer(x, y)}, runs)
    work = f"nuclear norm N={N} M={M} d=2"
    error = compare_with_float64(work, x, y, results)
    compare(work, seconds, 4 if error > 1e-4 else 2.5)
    own, other = (extra_memory(job, N, M, VARIANCE, warm_up=32) for job in (OURS, PEER))
    line("  extra memory, MB", "svdvals + autograd", own, other, other / own, "10x", other / own >= 10)


def square(N: int, runs: int) -> None:
    x, y = torch.randn(N, 2), torch.randn(N, 2)
    works: dict[str, Work] = {"ours": lambda: ours(x, y, "decaying", 1e-2), "svdvals": lambda: peer(x, y)}
    works["auto"] = lambda: ours(x, y, "auto")
    seconds, results = interleaved(works, runs)
    for name, tolerance in (("ours", 1e-2), ("auto", 1e-4)):
        work = f"nuclear norm N=M={N} d=2 {tolerance:g}"
        compare_with_float64(work, x, y, {name: results[name], "svdvals": results["svdvals"]})
        compare(work, {"ours": seconds[name], "svdvals": seconds["svdvals"]}, 10)
        found = certified(kernel(x, y), "decaying", tolerance)
        width = float(found.upper / found.lower - 1)
        line("  certificate", "-", width, "", "", "<1e-2", width < 1e-2)


def million(N: int, M: int) -> None:
    x, y = torch.randn(N, 2), torch.randn(M, 2)
    start = time.perf_counter()
    ours(x, y, "tall")
    line(f"nuclear norm N={N} M={M} d=2", "-", time.perf_counter() - start, "", "", "", None)
    extra = extra_memory(OURS, N, M, VARIANCE, warm_up=32)
    line("  extra memory, MB", "-", extra, "", "", "<64", extra < 64)


def ours(x: Tensor, y: Tensor, method: Method, tolerance: float = 1e-4) -> tuple[Tensor, Tensor]:
    data = GaussianMixture.from_samples(x, VARIANCE)
    return with_gradient(
        y, lambda c: log_nuclear_norm(data, GaussianMixture.from_samples(c, VARIANCE), method, tolerance)
    )


def kernel(x: Tensor, y: Tensor) -> Tensor:
    return torch.exp(-torch.cdist(x, y).square() / (4 * VARIANCE))


def peer(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Up to a constant, the log of the nuclear norm, as one writes it in torch."""
    return with_gradient(y, lambda c: torch.linalg.svdvals(kernel(x, c)).sum().log())


def exact(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return ours(x.double(), y.double(), "tall" if len(x) > 4 * len(y) else "dense")


def compare_with_float64(work: str, x: Tensor, y: Tensor, results: dict[str, tuple[Tensor, Tensor]]) -> float:
    """Print the error of each gradient and of our value, which is returned."""
    print(work)
    value, gradient = exact(x, y)
    error = 0.0
    for name, (own, own_gradient) in results.items():
        off = float((own_gradient - gradient).abs().max() / gradient.abs().max())
        line("  gradient error", name, f"{off:.1e}", "", "", "", None)
        if name != "svdvals":
            error = float((own - value).abs())
            line("  value error", name, f"{error:.1e}", "", "", "", None)
    return error


def compare(work: str, seconds: dict[str, float], target: float) -> None:
    own, other = seconds["ours"], seconds["svdvals"]
    line("  seconds", "svdvals + autograd", own, other, other / own, f"{target:g}x", other / own >= target)


if __name__ == "__main__":
    main()
