"""What the benchmarks share: works timed in turn, the memory that one takes, and the lines of a table."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Work", "extra_memory", "heading", "interleaved", "line", "with_gradient"]

Work = Callable[[], tuple[Tensor, Tensor]]
"""Returns a value and its gradient."""
_MEMORY = """
import torch
torch.set_num_threads(1)
from mixtura.distributions import GaussianMixture
{job}
def points(N, M):
    return GaussianMixture.from_samples(torch.randn(N, 2), {variance}), torch.randn(M, 2, requires_grad=True)
job(*points(5000, {warm_up}))
p, y = points({N}, {M})
def status(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
before = status("VmRSS")
job(p, y)
print((status("VmHWM") - before) / 1024)
"""


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


def with_gradient(y: Tensor, f: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Return f at y and its gradient there."""
    centers = y.clone().requires_grad_()
    value = f(centers)
    (gradient,) = torch.autograd.grad(value, centers)
    return value.detach(), gradient


def extra_memory(job: str, N: int, M: int, variance: float, warm_up: int) -> float:
    """Return the MB that a job takes beyond its inputs, in a process of its own (Linux).

    Args:
        job: source of a function ``job(p, y)`` of N components p of this variance and M centers y in two dimensions.
        warm_up: M of the run before.
    """
    code = _MEMORY.format(job=job, N=N, M=M, variance=variance, warm_up=warm_up)
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def heading(options: str) -> None:
    """Print what a table was made with and the names of its columns."""
    print(f"torch {torch.__version__}, {options}")
    print(f"{'work':34}{'peer':24}{'ours':>9}{'peer':>9}{'ratio':>8}{'target':>8}  reached")


def line(work: str, peer: str, own: Any, other: Any, ratio: Any, target: str, reached: bool | None) -> None:
    """Print a line of the table; ``reached`` is None where there is no target."""
    cells = [f"{c:.4g}" if isinstance(c, float) else c for c in (own, other, ratio)]
    answer = "" if reached is None else "yes" if reached else "no"
    print(f"{work:34}{peer:24}{cells[0]:>9}{cells[1]:>9}{cells[2]:>8}{target:>8}  {answer}", flush=True)
