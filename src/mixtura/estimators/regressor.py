"""A regressor that predicts a distribution."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import Tensor, nn

from mixtura.distributions import GaussianMixture
from mixtura.estimators.inputs import Array, Inputs
from mixtura.estimators.storage import read_model, write_model
from mixtura.nn import MDN
from mixtura.nn.heads import CovarianceKind
from mixtura.training import Epoch, History, fit, fitting_threads, isolated_seed, progress

__all__ = ["MixtureDensityRegressor", "quantiles"]

_ROWS = 8192
_VISITS = 3_000_000
"""Rows that ``epochs=None`` shows to the network in all, as far as the bounds on epochs allow."""
_EPOCHS = (20, 200)
_BATCH = (16, 4096)


class MixtureDensityRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Learn p(y|x) as a mixture of Gaussians whose parameters a network emits.

    Inputs are standardised and quantile-normalised side by side, targets are standardised inside, and everything is
    reported in the target's own units. A tenth of the rows is held back to choose the best epoch.

    Args:
        components: number of components K.
        covariance: of several targets: ``"isotropic"``, ``"diagonal"`` or ``"full"``.
        loss: ``"likelihood"``, the mean negative log-likelihood.
        hidden: width of each residual block.
        dropout: probability of dropping a hidden unit.
        min_scale: floor of the components' scales, in standard deviations of the target.
        epochs: passes over the data; None chooses from the number of rows.
        batch_size: rows per step; None chooses from the number of rows.
        learning_rate: peak of the one-cycle rate.
        weight_decay: AdamW's.
        validation_fraction: share of the rows that chooses the best epoch; 0 keeps the last.
        device: of the training, as torch names it.
        checkpoint: file from which a killed ``fit`` goes on.
        verbose: show a progress bar with the validation score.
        random_state: seed of everything random; torch's and numpy's global generators stay untouched.

    Attributes:
        network_: the trained :class:`~mixtura.nn.MDN`, in float64, on the CPU.
        history_: the :class:`~mixtura.training.History` of the training, losses in nats in the target's own units.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.
        target_mean_, target_scale_: of the targets, shape (T,).

    Example:
        >>> import numpy as np, mixtura as mx
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(-1, 1, (500, 1))
        >>> y = np.where(rng.random(500) < 0.5, 1, -1) * X[:, 0] + 0.05 * rng.standard_normal(500)
        >>> model = mx.MixtureDensityRegressor(components=2, hidden=(32,), random_state=0).fit(X, y)
        >>> bool(model.score(X, y) > 0.5)
        True
        >>> model.predict_quantiles([[0.8]], [0.1, 0.9]).round(1)
        array([[-0.8,  0.8]])
    """

    def __init__(
        self,
        components: int = 10,
        *,
        covariance: CovarianceKind = "full",
        loss: Literal["likelihood"] = "likelihood",
        hidden: Sequence[int] = (128, 128, 128),
        dropout: float = 0.1,
        min_scale: float = 1e-3,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        validation_fraction: float = 0.1,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.components = components
        self.covariance: CovarianceKind = covariance
        self.loss = loss
        self.hidden = hidden
        self.dropout = dropout
        self.min_scale = min_scale
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.device = device
        self.checkpoint = checkpoint
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from inputs X, shape (n, d), and targets y, shape (n,) or (n, T).

        Args:
            X: finite numbers.
            y: finite numbers, not constant.
            sample_weight: not negative, shape (n,); a row of weight 2 counts as two rows, a row of weight 0 as none.

        Raises:
            ValueError: where the data or a parameter is wrong.
        """
        X_, y_ = self._validated(X, y, reset=True, ensure_min_samples=2)
        weight = _check_sample_weight(sample_weight, X_, dtype=np.float64, ensure_non_negative=True)
        if self.loss != "likelihood":
            raise ValueError(f"loss must be 'likelihood', got {self.loss!r}.")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be in [0, 1), got {self.validation_fraction}.")
        if not weight.any():
            raise ValueError("sample_weight is zero for every row.")
        X_, y_, weight = X_[weight > 0], y_[weight > 0], weight[weight > 0]
        targets = y_.reshape(len(y_), -1)
        self.target_mean_ = np.average(targets, axis=0, weights=weight)
        self.target_scale_ = np.sqrt(np.average((targets - self.target_mean_) ** 2, axis=0, weights=weight))
        constant = np.ptp(targets, axis=0) == 0
        if constant.any():
            value = targets[0, constant.argmax()]
            raise ValueError(
                f"y is constant: every value of target {constant.argmax()} is {value:g}, "
                "so there is no distribution to learn."
            )
        self._single_target = y_.ndim == 1
        self._inputs = Inputs().fit(X_)

        rng = check_random_state(self.random_state)
        seed = int(rng.randint(2**31))
        order = rng.permutation(len(X_))
        held_back = int(self.validation_fraction * len(X_))
        columns = (
            self._inputs.transform(X_),
            (targets - self.target_mean_) / self.target_scale_,
            weight / weight.mean(),
        )
        data = [torch.as_tensor(c[order], dtype=torch.float32, device=self.device) for c in columns]
        validation = [c[:held_back] for c in data] if held_back else None
        training = [c[held_back:] for c in data]
        with isolated_seed(seed):
            network = self._network(2 * X_.shape[1], targets.shape[1])
        network.head.initialize(training[1])
        network.to(self.device)
        rows = len(training[0])
        batch_size = self.batch_size or int(np.clip(3 * rows**0.5, *_BATCH))
        epochs = self.epochs or int(np.clip(_VISITS // rows, *_EPOCHS))
        work = batch_size * sum(p.numel() for p in network.parameters())
        with fitting_threads(work), progress(epochs, enabled=self.verbose) as on_epoch:
            history = fit(
                network,
                _negative_log_likelihood,
                training,
                validation=validation,
                epochs=epochs,
                batch_size=batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                seed=seed,
                checkpoint=self.checkpoint,
                on_epoch=on_epoch,
            )
        self.history_ = self._in_target_units(history)
        self.network_ = network.cpu().double().eval()
        return self

    def predict_dist(self, X: ArrayLike) -> GaussianMixture:
        """Return p(y|x) for every row of X as one batched mixture in the target's units.

        Its event_shape is () where ``fit`` got y of shape (n,), and (T,) where it got (n, T).
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        inputs = torch.as_tensor(self._inputs.transform(np.asarray(X)))
        with torch.no_grad():
            h = torch.cat([self.network_.trunk(chunk) for chunk in inputs.split(_ROWS)])
            mixture = self.network_.head(h)
        mixture = mixture.affine(torch.as_tensor(self.target_scale_), torch.as_tensor(self.target_mean_))
        return mixture.marginal(0) if self._single_target else mixture

    def predict(self, X: ArrayLike) -> Array:
        """Return the mean of p(y|x), shape (n,) or (n, T)."""
        return self.predict_dist(X).mean.numpy()

    def predict_quantiles(self, X: ArrayLike, q: float | Sequence[float] = (0.05, 0.5, 0.95)) -> Array:
        """Return quantiles of p(y|x), of each target by itself: shape (n, len(q)) or (n, T, len(q)); a single q drops
        the last axis.

        Raises:
            ValueError: where a q is not strictly between 0 and 1.
        """
        return quantiles(self.predict_dist(X), q)

    def predict_interval(self, X: ArrayLike, coverage: float = 0.9) -> Array:
        """Return the central interval that holds y with probability ``coverage``: shape (n, 2) or (n, T, 2).

        Raises:
            ValueError: where ``coverage`` is not strictly between 0 and 1.
        """
        if not 0 < coverage < 1:
            raise ValueError(f"coverage must lie strictly between 0 and 1, got {coverage}.")
        return self.predict_quantiles(X, [(1 - coverage) / 2, (1 + coverage) / 2])

    def sample(self, X: ArrayLike, n: int = 1) -> Array:
        """Draw n answers for every row of X: shape (rows, n) or (rows, n, T)."""
        mixture = self.predict_dist(X)
        with isolated_seed(int(check_random_state(self.random_state).randint(2**31))):
            return mixture.sample((n,)).movedim(0, 1).numpy()

    def log_prob(self, X: ArrayLike, y: ArrayLike) -> Array:
        """Return log p(y|x) of every row in nats, in the target's units: shape (n,)."""
        check_is_fitted(self)
        X_, y_ = self._validated(X, y, reset=False)
        expected = (len(X_),) if self._single_target else (len(X_), len(self.target_mean_))
        if y_.shape != expected:
            raise ValueError(f"y has shape {y_.shape}; as in fit, it must be {expected}.")
        return self.predict_dist(X).log_prob(torch.as_tensor(y_)).numpy()

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean log-likelihood in nats, in the target's units: higher is better; it is not R²."""
        return float(
            np.average(self.log_prob(X, y), weights=None if sample_weight is None else np.asarray(sample_weight))
        )

    def save(self, path: str | Path) -> None:
        """Write the fitted model to one safetensors file with its configuration in the header; no pickle."""
        write_model(path, *self.to_state())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the model that :meth:`save` wrote.

        Raises:
            FileNotFoundError: where there is no such file.
            ValueError: where the file is broken or holds something else.
        """
        config, tensors = read_model(path)
        try:
            return cls.from_state(config, tensors)
        except (KeyError, RuntimeError, TypeError) as error:
            raise ValueError(f"{path} does not hold a {cls.__name__} of this version of mixtura: {error}.") from error

    def to_state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the fitted model as a configuration that JSON can hold, and tensors by name."""
        check_is_fitted(self)
        params = self.get_params() | {"checkpoint": None, "verbose": False, "hidden": [int(h) for h in self.hidden]}
        if not isinstance(self.random_state, int | None):
            params["random_state"] = None
        names = getattr(self, "feature_names_in_", None)
        config = {
            "class": type(self).__name__,
            "params": params,
            "single_target": self._single_target,
            "n_features_in_": self.n_features_in_,
            "feature_names_in_": None if names is None else list(names),
            "best_epoch": self.history_.best_epoch,
            "epochs": [vars(e) for e in self.history_.epochs],
        }
        tensors = {f"network.{k}": v.float() for k, v in self.network_.state_dict().items()}
        tensors |= {f"inputs.{k}": torch.as_tensor(v) for k, v in self._inputs.state().items()}
        tensors |= {
            "target.mean": torch.as_tensor(self.target_mean_),
            "target.scale": torch.as_tensor(self.target_scale_),
        }
        return config, tensors

    @classmethod
    def from_state(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        """Return the model that :meth:`to_state` described."""
        if config["class"] != cls.__name__:
            raise TypeError(f"it holds a {config['class']}")
        self = cls(**config["params"] | {"hidden": tuple(config["params"]["hidden"])})
        self.n_features_in_ = config["n_features_in_"]
        if config["feature_names_in_"] is not None:
            self.feature_names_in_ = np.array(config["feature_names_in_"], dtype=object)
        self._single_target = config["single_target"]
        self._inputs = Inputs.from_state(
            {k: tensors[f"inputs.{k}"].numpy() for k in ("mean", "scale", "quantiles", "references")}
        )
        self.target_mean_, self.target_scale_ = tensors["target.mean"].numpy(), tensors["target.scale"].numpy()
        self.history_ = History([Epoch(**e) for e in config["epochs"]], config["best_epoch"])
        with isolated_seed(0):
            network = self._network(2 * self.n_features_in_, len(self.target_mean_))
        network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")})
        self.network_ = network.double().eval()
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # scikit-learn's checks expect R² of score
        return tags

    def _validated(self, X: ArrayLike, y: ArrayLike, **checks: Any) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, **checks)
        return np.asarray(X), np.asarray(y, dtype=np.float64)

    def _network(self, inputs: int, targets: int) -> MDN:
        return MDN(inputs, targets, self.components, tuple(self.hidden), self.covariance, self.dropout, self.min_scale)

    def _in_target_units(self, history: History) -> History:
        shift = float(np.log(self.target_scale_).sum())
        epochs = [
            Epoch(e.epoch, e.loss + shift, None if e.validation is None else e.validation + shift, e.rate, e.skipped)
            for e in history.epochs
        ]
        return History(epochs, history.best_epoch)


def quantiles(mixture: GaussianMixture, q: float | Sequence[float]) -> Array:
    """Return quantiles of n mixtures as :meth:`MixtureDensityRegressor.predict_quantiles` does."""
    levels = torch.as_tensor(q, dtype=torch.float64)
    if not bool(((levels > 0) & (levels < 1)).all()):
        raise ValueError(f"q must lie strictly between 0 and 1, got {q}.")
    u = levels.reshape(-1, *(1,) * (1 + len(mixture.event_shape)))
    x = mixture.icdf(u.expand(-1, *mixture.batch_shape, *mixture.event_shape)).movedim(0, -1)
    return (x if levels.dim() else x.squeeze(-1)).numpy()


def _negative_log_likelihood(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
    x, y, weight = batch
    return -(weight * model(x).log_prob(y)).mean()
