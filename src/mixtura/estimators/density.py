"""The density estimator."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import DensityMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import Tensor

from mixtura.costs import COSTS, Bound, Reading
from mixtura.distributions import GaussianMixture
from mixtura.estimators.storage import StoredEstimator, part
from mixtura.hilbert import log_diagonal, log_gram
from mixtura.nn import MixtureGenerator
from mixtura.training import (
    Annealing,
    GeneratorPlan,
    fit_generator,
    isolated_seed,
    likelihood_variance,
    plan_generator,
)

__all__ = ["MixtureDensityEstimator"]

Array = NDArray[Any]
Density = Literal["scalar", "vector_matrix", "matrix_matrix", "nuclear_norm", "likelihood", "bures"]

_LEAST_ROWS = 4
_PROBE, _ROWS = 2048, 4096
_MOST_NOISE = 64
_LEAST_KERNEL = 1e-6
"""Relative to a kernel's peak: below it a sample and a center do not know of each other."""


class MixtureDensityEstimator(DensityMixin, StoredEstimator):
    """Learn p(x) as a mixture whose centers a network makes of noise, by a cost with a bound.

    No variance has to be tuned. The kernel's falls from the scale of the data to the one at which a batch can still
    represent the data (:func:`~mixtura.training.kernel_variance`); the density's own is fitted afterwards, to rows that
    are held back (:func:`~mixtura.training.likelihood_variance`).

    Args:
        cost: ``"nuclear_norm"``, ``"scalar"``, ``"vector_matrix"``, ``"matrix_matrix"``, ``"likelihood"`` or
            ``"bures"``.
        variance: where the kernel's ends, in squared units of the standardised columns; ``"auto"`` chooses it.
        components: centers of the density.
        reading: ``"finite"``, ``"sampled"``, or ``"auto"``, which chooses by the effective rank of a batch of the data
            at the variance that its leave-one-out likelihood prefers.
        hidden: widths of the network's layers.
        noise_features: dimensions of the noise; None takes as many as X has, from 2 to 64.
        anneal: whether the variance starts at the scale of the data; else it is its last value from the beginning.
        standardize: divide columns by their standard deviation; False where they have a common unit, as pixels do.
        steps: of the optimiser, rounded up to whole passes over the data; None takes 16,000, or 3,000 for the sampled
            reading.
        batch_size: rows per step; None takes 512. The finite reading makes a quarter as many centers, the sampled
            reading as many, and takes both as two halves.
        learning_rate: peak of the one-cycle rate; None takes 4.8 (finite reading) or 7 (sampled) over the number
            of steps, 2e-3 at most.
        validation_fraction: share of the rows held back for the density's variance and ``bound_``; 0 uses the training
            rows for both.
        device: of the training, as torch names it.
        checkpoint: file from which a killed ``fit`` goes on.
        verbose: show a progress bar.
        random_state: seed of everything random; torch's and numpy's global generators stay untouched.

    Attributes:
        mixture_: the density in units of X, a :class:`~mixtura.GaussianMixture` in float64.
        generator_: the trained :class:`~mixtura.nn.MixtureGenerator`, of standardised columns.
        bound_: the :class:`~mixtura.costs.Bound` of held-back rows against as many centers, at the kernel's last
            variance.
        plan_: the reading, the batch size and the variances that were chosen, and from what:
            :class:`~mixtura.training.GeneratorPlan`.
        variance_: of the density, in squared units of the standardised columns.
        reach_: share of the centers which a kernel of the last variance connects with a held-back row.
        history_: the :class:`~mixtura.training.History` of the training.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.

    Example:
        >>> import mixtura as mx
        >>> from sklearn.datasets import make_moons
        >>> X, _ = make_moons(1000, noise=0.05, random_state=0)
        >>> model = mx.MixtureDensityEstimator(steps=400, random_state=0).fit(X)
        >>> model.sample(3).shape
        (3, 2)
        >>> model.plan_.reading
        'finite'
    """

    def __init__(
        self,
        cost: Density = "nuclear_norm",
        *,
        variance: float | Literal["auto"] = "auto",
        components: int = 2000,
        reading: Reading | Literal["auto"] = "auto",
        hidden: Sequence[int] = (192, 192, 192, 192, 192),
        noise_features: int | None = None,
        anneal: bool = True,
        standardize: bool = True,
        steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float = 0.1,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.cost: Density = cost
        self.variance: float | Literal["auto"] = variance
        self.components = components
        self.reading: Reading | Literal["auto"] = reading
        self.hidden = hidden
        self.noise_features = noise_features
        self.anneal = anneal
        self.standardize = standardize
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.device = device
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn the density of the rows of X, shape (n, d).

        Args:
            X: finite numbers, at least four rows, not all the same.
            y: ignored.
            sample_weight: not negative, shape (n,).

        Raises:
            ValueError: where the data or a parameter is wrong.
        """
        X_ = np.asarray(validate_data(self, X, dtype=np.float64, ensure_min_samples=_LEAST_ROWS))
        weight = _check_sample_weight(sample_weight, X_, dtype=np.float64, ensure_non_negative=True)
        self._check_parameters()
        X_, weight = X_[weight > 0], weight[weight > 0]
        if len(X_) < _LEAST_ROWS or not np.ptp(X_, axis=0).any():
            raise ValueError(
                f"X must have at least {_LEAST_ROWS} rows of positive weight that are not all the same, got {len(X_)}."
            )
        rng = check_random_state(self.random_state)
        seed, order = int(rng.randint(2**31)), rng.permutation(len(X_))
        scaler = StandardScaler(with_std=self.standardize).fit(X_, sample_weight=weight)
        self.mean_ = np.asarray(scaler.mean_)
        self.scale_ = np.ones_like(self.mean_) if scaler.scale_ is None else np.asarray(scaler.scale_)
        z = torch.as_tensor(((X_ - self.mean_) / self.scale_)[order], dtype=torch.float32, device=self.device)
        w = torch.as_tensor(weight[order], dtype=torch.float32, device=self.device)
        held_back = int(self.validation_fraction * len(z))
        train, train_weight = z[held_back:], w[held_back:]
        held = z[:held_back] if held_back > 1 else train

        self.plan_ = plan_generator(
            train,
            self.cost,
            reading=self.reading,
            variance=self.variance,
            batch_size=self.batch_size,
            anneal=self.anneal,
        )
        with isolated_seed(seed):
            generator = self._generator(X_.shape[1]).to(self.device)
        self.history_ = fit_generator(
            generator,
            train,
            self.plan_,
            weight=train_weight,
            steps=self.steps,
            learning_rate=self.learning_rate,
            seed=seed,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )
        self.generator_ = generator.cpu().eval()
        with isolated_seed(seed), torch.no_grad():
            self._finish(held.cpu())
        return self

    def sample(self, n: int = 1) -> Array:
        """Draw n rows, shape (n, d).

        Raises:
            ValueError: where n is not positive.
        """
        check_is_fitted(self)
        if n < 1:
            raise ValueError(f"n must be positive, got {n}.")
        with isolated_seed(int(check_random_state(self.random_state).randint(2**31))):
            return self.mixture_.sample((n,)).numpy()

    def centers(self, n: int) -> Array:
        """Make n fresh centers, shape (n, d), in units of X: samples without the density's own width."""
        check_is_fitted(self)
        with isolated_seed(int(check_random_state(self.random_state).randint(2**31))), torch.no_grad():
            return self.generator_(n).loc.double().numpy() * self.scale_ + self.mean_

    def score_samples(self, X: ArrayLike) -> Array:
        """Return log p(x) of every row in nats, in units of X: shape (n,)."""
        check_is_fitted(self)
        x = torch.tensor(np.asarray(validate_data(self, X, dtype=np.float64, reset=False)))  # of pandas: read-only
        with torch.no_grad():
            return torch.cat([self.mixture_.log_prob(chunk) for chunk in x.split(_ROWS)]).numpy()

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return the mean log-likelihood of the rows in nats, in units of X: higher is better."""
        return float(self.score_samples(X).mean())

    def _learnt(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        b = self.bound_
        config = {
            "plan": asdict(self.plan_),
            "variance": self.variance_,
            "reach": self.reach_,
            "bound": [b.log_value.item(), b.loss.item(), None if b.log_bound is None else b.log_bound.item()],
        }
        tensors = {f"generator.{k}": v for k, v in self.generator_.state_dict().items()}
        return config, tensors | {
            "centers": self.centers_,
            "mean": torch.as_tensor(self.mean_),
            "scale": torch.as_tensor(self.scale_),
        }

    def _restore(self, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.plan_ = GeneratorPlan(**config["plan"] | {"annealing": Annealing(**config["plan"]["annealing"])})
        self.variance_, self.reach_ = config["variance"], config["reach"]
        log_value, loss, log_bound = config["bound"]
        self.bound_ = Bound.of(_double(log_value), _double(loss), None if log_bound is None else _double(log_bound))
        self.mean_, self.scale_ = tensors["mean"].numpy(), tensors["scale"].numpy()
        self.centers_ = tensors["centers"]
        with isolated_seed(0):
            self.generator_ = self._generator(self.n_features_in_)
        self.generator_.load_state_dict(part(tensors, "generator"))
        self.generator_.eval()
        self.mixture_ = self._density()

    def _check_parameters(self) -> None:
        if self.cost not in get_args(Density):
            raise ValueError(f"cost must be one of {', '.join(get_args(Density))}, got {self.cost!r}.")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be in [0, 1), got {self.validation_fraction}.")
        if self.components < 1:
            raise ValueError(f"components must be positive, got {self.components}.")

    def _generator(self, D: int) -> MixtureGenerator:
        noise_features = self.noise_features or min(max(D, 2), _MOST_NOISE)
        return MixtureGenerator(D, noise_features, tuple(self.hidden))

    def _finish(self, held: Tensor) -> None:
        """Draw the density's centers, fit its variance, and measure the bound on rows that were held back."""
        v = self.generator_.variance
        self.centers_ = self.generator_(self.components).loc.double()
        self.variance_ = likelihood_variance(held, self.centers_)
        self.mixture_ = self._density()
        p = GaussianMixture.from_samples(held[:_PROBE].double(), v)
        q = self.generator_(p.components)
        cost: Any = COSTS[self.cost]
        found: Bound = cost(p, q)
        self.bound_ = Bound.of(found.log_value, found.loss, found.log_bound)
        nearest = log_gram(p, q).amax(0) - log_diagonal(q, q)
        self.reach_ = (nearest > math.log(_LEAST_KERNEL)).double().mean().item()
        if self.reach_ < 0.5:
            warnings.warn(
                f"no gradient reaches {1 - self.reach_:.0%} of the centers at the kernel's last variance {v:.3g}: "
                "increase variance, steps or batch_size" + ("." if self.anneal else ", or set anneal=True."),
                stacklevel=3,
            )

    def _density(self) -> GaussianMixture:
        mixture = GaussianMixture.from_samples(self.centers_, self.variance_)
        return mixture.affine(torch.as_tensor(self.scale_), torch.as_tensor(self.mean_))


def _double(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)
