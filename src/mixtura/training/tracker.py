"""The bound of an autoencoder, watched: how near its mixtures come to what a code really stands for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mixtura.costs import Bound, conditional_on_codes
from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.nn import EncoderMixtureDecoder
from mixtura.training.randomness import isolated_seed

__all__ = ["BoundTracker", "TrackedBound", "code_bound"]

_CHUNK = 4096


def code_bound(
    model: EncoderMixtureDecoder,
    x: Tensor,
    variance: float,
    labels: Tensor | None = None,
    *,
    draws: int = 200,
    seed: int = 0,
) -> Bound:
    """Return how near q(X|Y) of a model comes to p(X|Y) of the rows x, by :func:`~mixtura.costs.conditional_on_codes`.

    All rows answer for every Y, so for these rows the bound holds exactly; Y itself is sampled: codes of random rows,
    each row as often as any other, with noise. The ``standard_error`` of the gap says what that costs. Time grows with
    the square of the rows, memory with draws times rows.

    Args:
        model: in training or not: what is judged is its evaluation mode.
        x: rows, shape ``(N, D)``.
        variance: of the components of p and of q, in squared units of x.
        labels: classes of the rows, where the model has classes.
        draws: number of Y.
        seed: of Y and, where the decoder has noise, of its centers; torch's global generator is put back afterwards.

    Raises:
        ValueError: where there is no row, or a number is not positive.

    Example:
        >>> import torch, mixtura as mx
        >>> from mixtura.training import code_bound
        >>> x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> bound = code_bound(mx.nn.EncoderMixtureDecoder(2), x, variance=0.1)
        >>> bool(bound.gap > 0)
        True
    """
    if len(x) < 1 or draws < 1 or not 0 < variance < math.inf:
        raise ValueError(f"rows, draws and variance must be positive, got {len(x)}, {draws} and {variance}.")
    training = model.training
    model.eval()
    with torch.no_grad(), isolated_seed(seed, x.device):
        parts = range(0, len(x), _CHUNK)
        given = [None if labels is None else labels[i : i + _CHUNK] for i in parts]
        codes = torch.cat([model.encode(x[i : i + _CHUNK], g) for i, g in zip(parts, given, strict=True)])
        rounds = math.ceil(draws / len(x))
        chosen = torch.cat([torch.randperm(len(x), device=x.device) for _ in range(rounds)])[:draws]
        y, of = model.add_noise(codes[chosen]), None if labels is None else labels[chosen]
        q = model.decode(y, of)
        q = GaussianMixture(q.logits, q.loc, Isotropic(variance), validate_args=False)
        pair = None if labels is None or of is None else (labels, of)
        bound = conditional_on_codes(x, codes, y, q, model.code_variance, labels=pair)
        _ = bound.log_bound  # while gradients are off
    model.train(training)
    return bound


@dataclass(frozen=True)
class TrackedBound:
    """What a :class:`BoundTracker` saw after an epoch."""

    epoch: int
    """Number of the epoch, from 1; 0 before the training."""
    log_value: float
    """``2 log E_Y <p, q> - log E_Y <q, q>``: rises with the decoder and with the encoder."""
    log_bound: float
    """``log E_Y <p, p>``: rises with the encoder, whose codes then say more about x."""

    @property
    def gap(self) -> float:
        """Bound less value in nats, not negative."""
        return max(0.0, self.log_bound - self.log_value)

    @property
    def ratio(self) -> float:
        """Value over bound, the squared cosine of the angle between p and q: 1 where q(X|Y) is p(X|Y)."""
        return math.exp(-self.gap)


@dataclass
class BoundTracker:
    """Watch the bound of a model on a fixed subset, with fixed draws of the noise and a fixed variance.

    Args:
        x: data, shape ``(N, D)``.
        variance: of the components of p and q, in squared units of x; that where a training ends, to watch it.
        labels: classes of the rows, where the model has classes.
        rows: size of the subset.
        draws: number of Y.
        seed: of the subset and of the draws.

    Raises:
        ValueError: where a number is not positive.

    Example:
        >>> import torch, mixtura as mx
        >>> from mixtura.training import BoundTracker
        >>> x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
        >>> tracker = BoundTracker(x, variance=0.1)
        >>> entry = tracker(mx.nn.EncoderMixtureDecoder(2), epoch=0)
        >>> 0 < entry.ratio < 1
        True
    """

    x: Tensor = field(repr=False)
    variance: float
    labels: Tensor | None = field(default=None, repr=False)
    rows: int = 800
    draws: int = 200
    seed: int = 0
    history: list[TrackedBound] = field(default_factory=list, init=False)
    """What was seen, in order."""

    def __post_init__(self) -> None:
        if min(self.rows, self.draws) < 1 or not 0 < self.variance < math.inf:
            raise ValueError(
                f"rows, draws and variance must be positive, got {self.rows}, {self.draws} and {self.variance}."
            )
        with isolated_seed(self.seed, self.x.device):
            chosen = torch.randperm(len(self.x), device=self.x.device)[: self.rows]
        self.x = self.x[chosen]
        self.labels = None if self.labels is None else self.labels[chosen]

    def bound(self, model: EncoderMixtureDecoder) -> Bound:
        """Return the bound of a model on the subset."""
        return code_bound(model, self.x, self.variance, self.labels, draws=self.draws, seed=self.seed)

    def __call__(self, model: nn.Module, epoch: int) -> TrackedBound:
        """Look at a model after an epoch, and remember what was seen."""
        assert isinstance(model, EncoderMixtureDecoder)
        bound = self.bound(model)
        assert bound.log_bound is not None
        entry = TrackedBound(epoch, bound.log_value.item(), bound.log_bound.item())
        self.history.append(entry)
        return entry
