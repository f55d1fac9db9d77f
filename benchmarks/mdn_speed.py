"""Mixture heads, whole networks and the training loop beside torch, zuko and sbi.

    OMP_NUM_THREADS=1 python benchmarks/mdn_speed.py

Every number is the median of interleaved runs, one thread, value *and* gradient, float32. A head starts from the raw
numbers that a network emits; torch's mixtures get the same numbers and do not validate. Whole networks are a plain
trunk of two hidden layers of 64 with our head, against the peers' network of the same layers; ``mx.nn.MDN``, whose
residual blocks do about seven times the products, stands below without a target. ``pip install zuko sbi`` for the peers
that are not there. "reached" compares with the targets of the project.
"""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Callable
from typing import Any, cast

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from side_by_side import Work, heading, interleaved, line, with_gradient
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal
from torch.utils.data import DataLoader, TensorDataset

from mixtura.nn import MDN, MixtureHead
from mixtura.training import fit

K = 10
INPUTS, HIDDEN = 8, (64, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    heading(f"{options.runs} runs, K = {K}")
    for D, target in ((10, 3), (64, 8)):
        head("diagonal", torch_diagonal, 512, D, target, options.runs)
    for D in (8, 32):
        head("full", torch_full, 256, D, 4, options.runs)
    for T in (1, 8):
        whole_net(256, T, options.runs)
    epoch(20_000, options.runs)
    # Ten restarts in one go against one after another (target 2.5x) belong here.


def head(covariance: Any, peer: Callable[[Tensor, int], MixtureSameFamily], N: int, D: int, target: float, runs: int):
    ours = MixtureHead(1, D, K, covariance)
    raw, y = torch.randn(N, ours.linear.out_features), torch.randn(N, D)
    ours.linear = cast(nn.Linear, Emitted())
    works: dict[str, Work] = {
        "ours": lambda: with_gradient(raw, lambda raw: ours(raw).log_prob(y).mean()),
        "torch": lambda: with_gradient(raw, lambda raw: peer(raw, D).log_prob(y).mean()),
    }
    seconds, results = interleaved(works, runs)
    compare(f"head {covariance} N={N} D={D}", "MixtureSameFamily", seconds["ours"], seconds["torch"], target)
    if covariance == "diagonal":  # the same density: a full one is emitted as another factor
        (a, b), (c, d) = results["ours"], results["torch"]
        print(f"  largest difference: value {float((a - c).abs()):.1e}, gradient {float((b - d).abs().max()):.1e}")


class Emitted(nn.Module):
    """Stand where a head has its linear layer, for features that are raw parameters already."""

    weight = torch.empty(0)

    def forward(self, h: Tensor) -> Tensor:
        return h


def torch_diagonal(raw: Tensor, D: int) -> MixtureSameFamily:
    logits, loc, scale = raw.split([K, K * D, K * D], -1)
    normal = Normal(loc.unflatten(-1, (K, D)), positive(scale).unflatten(-1, (K, D)), validate_args=False)
    return same_family(logits, Independent(normal, 1, validate_args=False))


def torch_full(raw: Tensor, D: int) -> MixtureSameFamily:
    logits, loc, scale, below = raw.split([K, K * D, K * D, K * D * (D - 1) // 2], -1)
    tril = torch.diag_embed(positive(scale).unflatten(-1, (K, D)))
    rows, columns = torch.tril_indices(D, D, -1)
    tril[..., rows, columns] = below.unflatten(-1, (K, -1))
    normal = MultivariateNormal(loc.unflatten(-1, (K, D)), scale_tril=tril, validate_args=False)
    return same_family(logits, normal)


def positive(scale: Tensor) -> Tensor:
    return 1e-3 + nn.functional.softplus(scale)


def same_family(logits: Tensor, components: Any) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=logits, validate_args=False), components, validate_args=False)


def whole_net(N: int, T: int, runs: int) -> None:
    x, y = torch.randn(N, INPUTS), torch.randn(N, T)
    plain = nn.Sequential(
        *(nn.Linear(INPUTS, HIDDEN[0]), nn.ReLU(), nn.Linear(*HIDDEN), nn.ReLU()), MixtureHead(HIDDEN[1], T, K)
    )
    mdn = MDN(INPUTS, T, K, HIDDEN)
    works: dict[str, Work] = {
        "ours": step(plain, lambda: -plain(x).log_prob(y).mean()),
        "mx.nn.MDN": step(mdn, lambda: -mdn(x).log_prob(y).mean()),
    }
    try:
        from zuko.mixtures import GMM  # pyright: ignore[reportMissingImports]

        gmm = GMM(features=T, context=INPUTS, components=K, hidden_features=HIDDEN)
        works["zuko GMM"] = step(gmm, lambda: -gmm(x).log_prob(y).mean())
    except ImportError:
        print("zuko: not installed")
    try:
        from sbi.neural_nets.net_builders.mdn import build_mdn  # pyright: ignore[reportMissingImports]

        estimator = build_mdn(y, x, hidden_features=HIDDEN[0], num_components=K)
        works["sbi MDN"] = step(estimator, lambda: estimator.loss(y, x).mean())
    except ImportError:
        print("sbi: not installed")
    seconds, _ = interleaved(works, runs)
    for peer, target in (("zuko GMM", 2.5), ("sbi MDN", 5)):
        if peer in seconds:
            compare(f"whole net N={N} T={T}", peer, seconds["ours"], seconds[peer], target)
    ratio = seconds["mx.nn.MDN"] / seconds["ours"]
    line(f"whole net N={N} T={T}", "mx.nn.MDN", seconds["ours"], seconds["mx.nn.MDN"], ratio, "", None)


def step(model: nn.Module, loss: Callable[[], Tensor]) -> Work:
    """Return the work of a loss and its gradient in all parameters."""
    parameters = list(model.parameters())

    def work() -> tuple[Tensor, Tensor]:
        value = loss()
        return value.detach(), torch.autograd.grad(value, parameters)[0]

    return work


def epoch(N: int, runs: int) -> None:
    x, y = torch.randn(N, INPUTS), torch.randn(N, 1)
    start = MDN(INPUTS, 1, K, HIDDEN)

    def ours() -> tuple[Tensor, Tensor]:
        model = copy.deepcopy(start)
        loss = fit(model, lambda model, batch: -model(batch[0]).log_prob(batch[1]).mean(), (x, y), epochs=1).loss[-1]
        return torch.tensor(loss), model.head.linear.bias.detach()

    def loop() -> tuple[Tensor, Tensor]:
        model, total = copy.deepcopy(start), 0.0
        loader = DataLoader(TensorDataset(x, y), batch_size=256, shuffle=True)
        optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
        for x_batch, y_batch in loader:
            optimizer.zero_grad()
            loss = -model(x_batch).log_prob(y_batch).mean()
            loss.backward()
            optimizer.step()
            total += loss.item()
        return torch.tensor(total / len(loader)), model.head.linear.bias.detach()

    seconds, _ = interleaved({"ours": ours, "loop": loop}, runs)
    compare(f"an epoch N={N} batch 256", "DataLoader and Adam", seconds["ours"], seconds["loop"], 5)


def compare(work: str, peer: str, own: float, other: float, target: float) -> None:
    line(work, peer, own, other, other / own, f"{target:g}x", other / own >= target)


if __name__ == "__main__":
    main()
