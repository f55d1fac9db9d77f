"""The autoencoder whose decoder answers with a mixture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from mixtura.costs import Bound
from mixtura.distributions import GaussianMixture, Isotropic
from mixtura.estimators.inputs import Array
from mixtura.estimators.storage import StoredEstimator, part
from mixtura.estimators.units import Standardize, find_units
from mixtura.nn import EncoderMixtureDecoder
from mixtura.training import (
    Annealing,
    AutoencoderPlan,
    BoundTracker,
    CodeCost,
    TrackedBound,
    fit_autoencoder,
    isolated_seed,
    likelihood_variance,
    plan_autoencoder,
)

__all__ = ["MixtureAutoencoder"]

_LEAST_ROWS = 4
_ROWS = 512
"""Rows that are encoded or decoded at a time."""
_CODES = 10_000
"""Codes at most of which the density of codes is made."""
_SCORED = 1024
"""Rows at most that the variance of the answers is fitted to."""
_LEAST = 1e-12
"""Variance of the answers, in squared units of what the network sees."""
_VECTORS, _IMAGES = (128, 128), (256, 32)


class MixtureAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, StoredEstimator):
    r"""Learn a small code of every row, and the mixture q(x|y) of everything that a code y may stand for.

    The encoder maps x to a code e(x) of mean zero and variance one; the decoder answers the code, to which noise of
    variance v_Y is added while training, with K centers and their weights. A standard autoencoder answers with one
    center, the average of what the code stands for: ``centers=1``, ``cost="squared_error"``. How near q(x|y) comes to
    what codes really stand for is a number, the ratio of the cost's value to its bound, watched while training.

    Args:
        code_features: number of dimensions of the code.
        centers: number of centers K that answer a code.
        cost: ``"conditional"``, ``"trace"``, ``"nuclear_norm"``, ``"likelihood"`` or ``"squared_error"``, see
            :func:`~mixtura.training.plan_autoencoder`.
        variance: where the kernel's ends, in squared units of what the network sees; ``"auto"`` chooses it.
        code_variance: v_Y.
        hidden: widths of the encoder's layers, and in reverse of the decoder's; None takes (128, 128). For images the
            last number is of channels at a quarter of the size, and None takes (256, 32).
        noise_features: 0 for a decoder that lists its K centers; else it makes every center of the code and of as many
            dimensions of noise.
        image_shape: ``(C, H, W)`` where rows are images, H and W multiples of four, for convolutions; pixels in [0, 1],
            or from 0 to any number, by which they are divided then.
        standardize: whether every column has a scale of its own; ``"auto"`` says no to images and yes to others. False
            centers columns and divides all by one number.
        steps: of the optimiser, rounded up to whole passes over the data; None takes 1,500.
        batch_size: rows per step; None takes 256.
        learning_rate: peak of the one-cycle rate; None takes 5e-3, or 1e-2 for images.
        validation_fraction: share of the rows held back for ``variance_``; 0 uses the training rows.
        device: of the training, as torch names it.
        checkpoint: file from which a killed ``fit`` goes on.
        verbose: show a progress bar.
        random_state: seed of everything random; torch's and numpy's global generators stay untouched.

    Attributes:
        autoencoder_: the trained :class:`~mixtura.nn.EncoderMixtureDecoder`, in float64.
        mean_, scale_: of every column; the network sees ``(X - mean_) / scale_``.
        variance_: of the answers' components on rows held back, in squared units of what the network sees.
        code_density_: the density of codes, a :class:`~mixtura.GaussianMixture`: one component for each of 10,000
            training rows at most.
        bound_: the :class:`~mixtura.costs.Bound` of ``code_bound`` for 800 training rows at most, at the kernel's last
            variance.
        bound_history_: ten looks at it during the training, :class:`~mixtura.training.TrackedBound`.
        plan_: what was chosen for the training: :class:`~mixtura.training.AutoencoderPlan`.
        history_: the :class:`~mixtura.training.History` of the training.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.

    Source:
        Contrastive entropy bounds for density and conditional density decomposition (arXiv:2511.12903),
        encoder-mixture-decoder.

    Example:
        >>> import mixtura as mx
        >>> from sklearn.datasets import make_moons
        >>> X, _ = make_moons(500, noise=0.05, random_state=0)
        >>> model = mx.MixtureAutoencoder(code_features=1, centers=10, steps=200, random_state=0).fit(X)
        >>> model.transform(X).shape, model.reconstruct(X, 5).shape
        ((500, 1), (500, 5, 2))
        >>> 0 < model.bound_history_[-1].ratio < 1
        True
    """

    def __init__(
        self,
        code_features: int = 1,
        centers: int = 10,
        *,
        cost: CodeCost = "conditional",
        variance: float | Literal["auto"] = "auto",
        code_variance: float = 0.01,
        hidden: Sequence[int] | None = None,
        noise_features: int = 0,
        image_shape: Sequence[int] | None = None,
        standardize: Standardize = "auto",
        steps: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float = 0.1,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.code_features = code_features
        self.centers = centers
        self.cost: CodeCost = cost
        self.variance: float | Literal["auto"] = variance
        self.code_variance = code_variance
        self.hidden = hidden
        self.noise_features = noise_features
        self.image_shape = image_shape
        self.standardize: Standardize = standardize
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.device = device
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn codes of the rows of X and answers to them.

        Args:
            X: finite numbers, shape (n, D), at least four rows, not all the same; or images, shape (n, C, H, W).
            y: ignored.

        Raises:
            ValueError: where the data or a parameter is wrong.
        """
        X_ = np.asarray(validate_data(self, self._flat(X), dtype=np.float64, ensure_min_samples=_LEAST_ROWS))
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be in [0, 1), got {self.validation_fraction}.")
        if not np.ptp(X_, axis=0).any():
            raise ValueError(f"X must have rows that are not all the same, got {len(X_)} equal ones.")
        rng = check_random_state(self.random_state)
        seed, order = int(rng.randint(2**31)), rng.permutation(len(X_))
        self.mean_, self.scale_ = find_units(X_, self.image_shape, self.standardize)
        with isolated_seed(seed):
            network = self._network(X_.shape[1]).to(self.device)
        z = torch.as_tensor(((X_ - self.mean_) / self.scale_)[order], dtype=torch.float32, device=self.device)
        held_back = int(self.validation_fraction * len(z))
        train = z[held_back:]
        held = z[:held_back] if held_back > 1 else train

        self.plan_ = plan_autoencoder(train, self.cost, variance=self.variance, batch_size=self.batch_size)
        tracker = BoundTracker(train, self.plan_.annealing.target, seed=seed)
        self.history_ = fit_autoencoder(
            network,
            train,
            self.plan_,
            steps=self.steps,
            learning_rate=self.learning_rate,
            seed=seed,
            checkpoint=self.checkpoint,
            tracker=tracker,
            verbose=self.verbose,
        )
        self.bound_history_ = tracker.history
        found = tracker.bound(network)
        assert found.log_bound is not None
        self.bound_ = Bound.of(found.log_value.cpu(), found.loss.cpu(), found.log_bound.cpu())
        self.autoencoder_ = network.cpu().double().eval()
        codes = self._encode(train[:_CODES].cpu().double())
        apart = likelihood_variance(codes) if bool((codes != codes[0]).any()) else 0.0
        self.code_density_ = GaussianMixture.from_samples(codes, apart + self.code_variance)
        self.variance_ = self._likely_variance(held[:_SCORED].cpu().double())
        return self

    def transform(self, X: ArrayLike) -> Array:
        """Return the codes e(x) without noise, shape (n, code_features)."""
        return self._encode(self._seen(X)).numpy()

    def inverse_transform(self, codes: ArrayLike) -> Array:
        """Return the mean of q(x|y) for codes of shape (n, code_features), in units of X: shape (n, D).

        Raises:
            ValueError: where codes have another width.
        """
        check_is_fitted(self)
        y = torch.tensor(check_array(codes, dtype=np.float64))
        if y.shape[1] != self.autoencoder_.code_features:
            raise ValueError(f"codes must have {self.autoencoder_.code_features} columns, got {y.shape[1]}.")
        return torch.cat([q.mean for q in self._answers(y)]).numpy() * self.scale_ + self.mean_

    def predict_dist(self, X: ArrayLike) -> GaussianMixture:
        """Return q(x | e(x)) of every row with the variance that rows held back prefer, in units of X.

        Returns:
            A ``torch.distributions.Distribution`` in float64 with batch shape (n,) and event shape (D,).
        """
        parts = list(self._answers(self._encode(self._seen(X))))
        logits, loc = (torch.cat(t) for t in ([q.logits for q in parts], [q.loc for q in parts]))
        q = GaussianMixture(logits, loc, Isotropic(self.variance_), validate_args=False)
        return q.affine(torch.as_tensor(self.scale_), torch.as_tensor(self.mean_))

    def reconstruct(self, X: ArrayLike, n: int = 1) -> Array:
        """Return n answers to the code of every row: centers drawn by their weights, without the components' width.

        The most probable first is ``predict_dist(X)`` sorted by its weights; its samples have the width.

        Args:
            X: rows, shape (m, D).
            n: number of answers, drawn independently; fresh centers where the decoder has noise.

        Returns:
            Rows in units of X, shape (m, n, D).

        Raises:
            ValueError: where n is not positive.
        """
        if n < 1:
            raise ValueError(f"n must be positive, got {n}.")
        return self._drawn(self._encode(self._seen(X)), n)

    def sample(self, n: int = 1) -> Array:
        """Draw n rows, shape (n, D): a code from the density of codes, and one answer to it, without its width.

        Raises:
            ValueError: where n is not positive.
        """
        check_is_fitted(self)
        if n < 1:
            raise ValueError(f"n must be positive, got {n}.")
        with isolated_seed(self._seed()):
            codes = self.code_density_.sample((n,))
        return self._drawn(codes, 1)[:, 0]

    def score_samples(self, X: ArrayLike) -> Array:
        """Return log q(x | e(x)) of every row in nats, in units of X: shape (n,).

        It says how well a row is told by its own code. It is no log p(x): codes are given for nothing here, so more
        of them score higher.
        """
        z = self._seen(X)
        parts = zip(self._answers(self._encode(z)), z.split(_ROWS), strict=True)
        return torch.cat([q.log_prob(x) for q, x in parts]).numpy() - np.log(self.scale_).sum()

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return the mean of :meth:`score_samples`: higher is better."""
        return float(self.score_samples(X).mean())

    @property
    def _n_features_out(self) -> int:
        return self.autoencoder_.code_features

    def _learnt(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        width = self.code_density_.covariance
        assert isinstance(width, Isotropic)
        assert self.bound_.log_bound is not None
        config = {
            "plan": asdict(self.plan_),
            "variance": self.variance_,
            "code_width": width.variance.item(),
            "bound": [self.bound_.log_value.item(), self.bound_.log_bound.item()],
            "looks": [astuple(look) for look in self.bound_history_],
        }
        tensors = {f"network.{k}": v for k, v in self.autoencoder_.state_dict().items()}
        return config, tensors | {
            "codes": self.code_density_.loc,
            "mean": torch.as_tensor(self.mean_),
            "scale": torch.as_tensor(self.scale_),
        }

    def _restore(self, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.plan_ = AutoencoderPlan(**config["plan"] | {"annealing": Annealing(**config["plan"]["annealing"])})
        self.variance_ = config["variance"]
        self.bound_history_ = [TrackedBound(*look) for look in config["looks"]]
        log_value, log_bound = (torch.tensor(x, dtype=torch.float64) for x in config["bound"])
        self.bound_ = Bound.of(log_value, -log_value, log_bound)
        self.mean_, self.scale_ = tensors["mean"].numpy(), tensors["scale"].numpy()
        self.code_density_ = GaussianMixture.from_samples(tensors["codes"], config["code_width"])
        with isolated_seed(0):
            self.autoencoder_ = self._network(self.n_features_in_).double().eval()
        self.autoencoder_.load_state_dict(part(tensors, "network"))

    def _network(self, D: int) -> EncoderMixtureDecoder:
        hidden = self.hidden if self.hidden is not None else _VECTORS if self.image_shape is None else _IMAGES
        return EncoderMixtureDecoder(
            D if self.image_shape is None else tuple(self.image_shape),
            self.code_features,
            self.centers,
            tuple(hidden),
            self.code_variance,
            self.noise_features,
        )

    def _flat(self, X: ArrayLike) -> ArrayLike:
        """Return images as rows, and rows as they are, with the names of their columns."""
        return X if self.image_shape is None or np.ndim(X) < 3 else np.reshape(X, (len(np.asarray(X)), -1))

    def _seen(self, X: ArrayLike) -> Tensor:
        """Return rows as the network sees them."""
        check_is_fitted(self)
        X_ = np.asarray(validate_data(self, self._flat(X), dtype=np.float64, reset=False))
        return torch.as_tensor((X_ - self.mean_) / self.scale_)

    def _encode(self, z: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([self.autoencoder_.encode(part) for part in z.split(_ROWS)])

    def _answers(self, codes: Tensor, centers: int | None = None) -> Iterator[GaussianMixture]:
        """Return q(x|y) in units of the network, a part of the rows at a time."""
        seed = self._seed()
        for i, y in enumerate(codes.split(_ROWS)):
            with torch.no_grad(), isolated_seed(seed + i):
                q = self.autoencoder_.decode(y, centers=centers)
            yield GaussianMixture(q.logits, q.loc, Isotropic(self.variance_), validate_args=False)

    def _drawn(self, codes: Tensor, n: int) -> Array:
        """Return n centers for every code, drawn by their weights, in units of X."""
        generator, parts = torch.Generator().manual_seed(self._seed()), []
        fresh = self.autoencoder_.decoder.noise_features > 0
        for q in self._answers(codes, n if fresh else None):
            which = torch.multinomial(q.log_weights.exp(), n, replacement=True, generator=generator)
            parts.append(q.loc if fresh else q.loc.take_along_dim(which.unsqueeze(-1), 1))
        return torch.cat(parts).numpy() * self.scale_ + self.mean_

    def _likely_variance(self, z: Tensor) -> float:
        """Return the variance v at which rows are most likely given their codes: ``v = (1/ND) Σ_nk r_nk ‖x_n - c_k‖²``
        with the responsibilities r at v, from the mean squared distance down."""
        log_w, d2 = [], []
        with torch.no_grad(), isolated_seed(self._seed()):
            for x in z.split(_ROWS):
                q = self.autoencoder_.decode(self.autoencoder_.encode(x))
                log_w.append(q.log_weights)
                d2.append(torch.cdist(q.loc, x.unsqueeze(1)).squeeze(-1).square())
        log_w, d2 = torch.cat(log_w), torch.cat(d2) / z.shape[1]
        v, before = (log_w.exp() * d2).sum(-1).mean().clamp_min(_LEAST), math.inf
        while abs(v / before - 1) > 1e-6:
            before = v
            r = torch.softmax(log_w - z.shape[1] * d2 / (2 * v), -1)
            v = (r * d2).sum(-1).mean().clamp_min(_LEAST)
        return v.item()

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31))
