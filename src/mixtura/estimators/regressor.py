"""A regressor that predicts a distribution."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import Tensor

from mixtura.distributions import AtomMixture, HighestDensityRegion, Mixture, pool
from mixtura.distributions.regions import find_region
from mixtura.estimators.inputs import ROUGHNESS, Array, Inputs
from mixtura.estimators.predictions import Variances, quantiles, variances
from mixtura.estimators.storage import StoredEstimator, part
from mixtura.estimators.targets import Targets, winsorized
from mixtura.metrics import ConformalLevels
from mixtura.nn import MDN
from mixtura.nn.heads import CovarianceKind, Family
from mixtura.selection import ComponentStudy, select_components, select_view
from mixtura.training import (
    ComponentHealth,
    Folds,
    RegressionLoss,
    RegressionPlan,
    component_health,
    fit_networks,
    isolated_seed,
)

__all__ = ["MixtureDensityRegressor"]

_ROWS = 8192
_FOLDS = 5
"""Of a study of components, unless the ensemble is smaller: it costs about as much as the fit then."""
_LEAST_ROWS = 100
"""With fewer rows there is no telling whether short waves of the inputs help."""
_VIEW_FOLDS, _PILOT = 2, 10
"""Networks for each view of the inputs, and their components where the number is not known yet."""
_MANY_ROWS = 5000
"""So many rows judge each view well enough by one network."""


class MixtureDensityRegressor(MultiOutputMixin, RegressorMixin, StoredEstimator):
    """Learn p(y|x) as a mixture whose parameters networks emit.

    Several networks train side by side, each with a part of the rows held back to choose its best epoch; their
    predictions are pooled into one mixture. Inputs are seen standardised, quantile-normalised and as waves of their
    quantiles, side by side; how strong the short waves should be is found out first. Targets are standardised inside,
    and everything is reported in the target's own units.

    Args:
        components: number of components K of each network; ``"auto"`` compares 1, 2, 3, 5, 10 and 20 by
            :func:`~mixtura.selection.select_components` first.
        covariance: of several targets: ``"isotropic"``, ``"diagonal"``, ``"low_rank"`` or ``"full"``.
        family: of the components: ``"gaussian"``, ``"laplace"``, ``"cauchy"`` or, for angles in radians,
            ``"vonmises"``. Cauchy components have one scale for all targets, which should have one unit.
        atoms: values that the target often takes exactly, such as a zero of rain, shape (A,), or (A, T) for several
            targets: each gets a probability of its own beside the density. Not for angles.
        loss: ``"likelihood"``, the mean negative log-likelihood, or ``"conditional"``, the cost with a bound, for which
            outliers and collapsed components are worth nothing.
        ensemble: number of networks.
        roughness: ρ of the waves as which the network sees its inputs too, from 0 for smooth targets to 1; ``"auto"``
            takes .25, .5 or .75 by :func:`~mixtura.selection.select_view`.
        hidden: width of each residual block.
        dropout: probability of dropping a hidden unit.
        input_noise: standard deviation of the noise that every step adds to standardised inputs.
        target_noise: the same for standardised targets.
        weight_prior: strength of a Dirichlet prior that keeps weights from zero: ``Σ_k log w_k`` of each row is added
            to its log-likelihood this many times.
        min_weight: floor of the components' weights.
        min_scale: floor of the components' scales, in standard deviations of the target. A target on a grid raises it
            to the grid's own, ``step / √12``.
        epochs: passes over the data; None chooses from the number of rows.
        batch_size: rows per step; None chooses from the number of rows.
        learning_rate: peak of the one-cycle rate.
        weight_decay: AdamW's.
        patience: stop after this many epochs in which no network got better; None takes three tenths of ``epochs``.
        validation_fraction: share of the rows that chooses each network's best epoch; 0 keeps the last, None takes a
            tenth, but no more than 400 rows or half a per cent.
        device: of the training, as torch names it.
        checkpoint: file from which a killed ``fit`` goes on.
        verbose: show a progress bar with the validation score.
        random_state: seed of everything random; torch's and numpy's global generators stay untouched.

    Attributes:
        components_: number of components K that was used.
        study_: the :class:`~mixtura.selection.ComponentStudy` of ``components="auto"``, in nats in the target's own
            units, or None.
        network_: the trained networks, one :class:`~mixtura.nn.MDN` with members, in float64, on the CPU.
        targets_: location, scale and grid of the targets, shape (T,) each.
        history_: the :class:`~mixtura.training.History` of the training, losses in nats in the target's own units.
        roughness_: ρ of the inputs' waves, as given or chosen.
        health_: the :class:`~mixtura.training.ComponentHealth` of the training rows: which components are used, which
            are as narrow as they may be, and, printed, what to do about it.
        levels_: after ``calibrate``, the :class:`~mixtura.metrics.ConformalLevels`.
        n_features_in_, feature_names_in_: as everywhere in scikit-learn.

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
        components: int | Literal["auto"] = 10,
        *,
        covariance: CovarianceKind = "full",
        family: Family = "gaussian",
        atoms: Sequence[Any] | None = None,
        loss: RegressionLoss = "likelihood",
        ensemble: int = 5,
        roughness: float | Literal["auto"] = "auto",
        hidden: Sequence[int] = (128, 128, 128),
        dropout: float = 0.1,
        input_noise: float = 0.0,
        target_noise: float = 0.0,
        weight_prior: float = 0.0,
        min_weight: float = 0.0,
        min_scale: float = 1e-3,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        patience: int | None = None,
        validation_fraction: float | None = None,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.components: int | Literal["auto"] = components
        self.covariance: CovarianceKind = covariance
        self.family: Family = family
        self.atoms = atoms
        self.loss: RegressionLoss = loss
        self.ensemble = ensemble
        self.roughness: float | Literal["auto"] = roughness
        self.hidden = hidden
        self.dropout = dropout
        self.input_noise = input_noise
        self.target_noise = target_noise
        self.weight_prior = weight_prior
        self.min_weight = min_weight
        self.min_scale = min_scale
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.patience = patience
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
        self._check_parameters()
        if not weight.any():
            raise ValueError("sample_weight is zero for every row.")
        X_, y_, weight = X_[weight > 0], y_[weight > 0], weight[weight > 0]
        self.__dict__.pop("levels_", None)  # of an earlier fit
        robust = self.loss == "conditional" or self.family == "cauchy"
        self.targets_ = Targets.fit(y_, weight, self.family, robust)
        y_t, weight_t = (self._tensor(c) for c in (self.targets_.standardize(y_), weight / weight.mean()))
        start = self._tensor(self.targets_.standardize(winsorized(y_))) if robust else y_t
        seed = int(check_random_state(self.random_state).randint(2**31))
        with isolated_seed(seed):
            share = RegressionPlan.held_for(len(X_)) if self.validation_fraction is None else self.validation_fraction
            folds = Folds.draw(len(X_), self.ensemble, share)
            plan = self._plan(folds.train.shape[1])
            self._inputs = self._chosen_inputs(X_, y_t, weight_t, start, plan, seed)
            data = [self._tensor(self._inputs.transform(X_)), y_t, weight_t]
            if self.components == "auto":
                self.study_ = self._study(data, start, plan, seed)
                self.components_ = self.study_.chosen
            else:
                self.study_, self.components_ = None, self.components
            network = self._network(self._inputs.width, self.components_, self.ensemble)
        network.head.initialize(start)
        history = fit_networks(
            network.to(self.device),
            data,
            folds.to(self.device),
            plan,
            seed=seed,
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )
        self.history_ = history.shifted(self.targets_.log_scale)
        self.network_ = network.cpu().double().eval()
        scale, step = torch.as_tensor(self.targets_.scale), torch.as_tensor(self.targets_.step)
        self.health_ = component_health(self.network_, [c.cpu() for c in data], scale=scale, step=step)
        return self

    @property
    def roughness_(self) -> float:
        """ρ of the inputs' waves, as given or chosen."""
        check_is_fitted(self)
        return self._inputs.roughness

    def predict_dist(self, X: ArrayLike) -> Any:
        """Return p(y|x) for every row of X as one batched mixture in the target's units.

        Its event_shape is () where ``fit`` got y of shape (n,), and (T,) where it got (n, T). It is a
        :class:`~mixtura.GaussianMixture`, a mixture of the family that was asked for, or, with atoms, an
        :class:`~mixtura.AtomMixture`; of ``ensemble * components_`` components.
        """
        members: Any = self.predict_members(X)
        return pool(members)

    def predict(self, X: ArrayLike) -> Array:
        """Return the mean of p(y|x), shape (n,) or (n, T): of angles the mean direction, in [-π, π]; and the median of
        Cauchy components, which have no mean."""
        mixture = self.predict_dist(X)
        return quantiles(mixture, 0.5) if self.family == "cauchy" else mixture.mean.numpy()

    def predict_variances(self, X: ArrayLike) -> Variances:
        """Return the variance of every prediction in two parts, each of shape (n,) or (n, T).

        By the law of total variance, ``Var y = E_e Var_e y + Var_e E_e y`` over the members e (Lakshminarayanan et al.
        2017, "Simple and scalable predictive uncertainty estimation using deep ensembles"). Of angles, it is the
        circular variance, whose second part is what the members' disagreement adds.

        Raises:
            ValueError: for Cauchy components, which have no variance.
        """
        return variances(self.predict_members(X))

    def predict_quantiles(self, X: ArrayLike, q: float | Sequence[float] = (0.05, 0.5, 0.95)) -> Array:
        """Return quantiles of p(y|x), of each target by itself: shape (n, len(q)) or (n, T, len(q)); a single q drops
        the last axis.

        A circle is cut open opposite to the mean direction: quantiles of angles may go on beyond ±π, so that an arc
        over π stays one interval.

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

    def calibrate(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from rows that ``fit`` did not see how large a region must be to hold y as often as it says.

        Args:
            X: shape (n, d).
            y: shape (n,) or (n, T), as in ``fit``; exchangeable with the rows to come.

        Raises:
            ValueError: where the model has atoms, or y does not look as in ``fit``.

        Source:
            Izbicki, Shimizu & Stern 2022, "CD-split and HPD-split: efficient conformal regions in high dimensions".
        """
        self._check_regions()
        y_ = self._checked_targets(X, y)
        self.levels_ = ConformalLevels.of(self.predict_dist(X), torch.tensor(y_))
        return self

    def predict_region(self, X: ArrayLike, coverage: float = 0.9) -> HighestDensityRegion:
        """Return the smallest sets that hold y with probability ``coverage``: unions of intervals for one target.

        After :meth:`calibrate` the probability holds for new rows, whatever the model has learnt; before, it is the
        model's own.

        Raises:
            ValueError: where ``coverage`` is not strictly between 0 and 1, or too high for the rows of ``calibrate``,
                or the model has atoms.
        """
        self._check_regions()
        mixture = self.predict_dist(X)
        levels = getattr(self, "levels_", None)
        return find_region(mixture, coverage) if levels is None else levels.region(mixture, coverage)

    def sample(self, X: ArrayLike, n: int = 1) -> Array:
        """Draw n answers for every row of X: shape (rows, n) or (rows, n, T)."""
        mixture = self.predict_dist(X)
        with isolated_seed(int(check_random_state(self.random_state).randint(2**31))):
            return mixture.sample((n,)).movedim(0, 1).numpy()

    def log_prob(self, X: ArrayLike, y: ArrayLike) -> Array:
        """Return log p(y|x) of every row in nats, in the target's units: shape (n,)."""
        y_ = self._checked_targets(X, y)
        return self.predict_dist(X).log_prob(torch.tensor(y_)).numpy()

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean log-likelihood in nats, in the target's units: higher is better; it is not R²."""
        log_prob = self.log_prob(X, y)
        weight = _check_sample_weight(sample_weight, log_prob, dtype=np.float64, ensure_non_negative=True)
        return float(np.average(log_prob, weights=weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # scikit-learn's checks expect R² of score
        return tags

    def _validated(self, X: ArrayLike, y: ArrayLike, **checks: Any) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, **checks)
        return np.asarray(X), np.asarray(y, dtype=np.float64)

    def _checked_targets(self, X: ArrayLike, y: ArrayLike) -> Array:
        check_is_fitted(self)
        X_, y_ = self._validated(X, y, reset=False)
        expected = (len(X_),) if self.targets_.single else (len(X_), len(self.targets_.mean))
        if y_.shape != expected:
            raise ValueError(f"y has shape {y_.shape}; as in fit, it must be {expected}.")
        return y_

    def _check_parameters(self) -> None:
        if self.loss not in get_args(RegressionLoss):
            raise ValueError(
                f"loss must be one of {', '.join(map(repr, get_args(RegressionLoss)))}, got {self.loss!r}."
            )
        if self.loss == "conditional" and (self.atoms is not None or self.family != "gaussian"):
            raise ValueError("loss='conditional' needs Gaussian components without atoms: use loss='likelihood'.")
        if self.target_noise and self.atoms is not None:
            raise ValueError("target_noise would move targets off their atoms: use input_noise.")
        if self.family == "vonmises" and self.atoms is not None:
            raise ValueError(
                "atoms are for numbers, not for the angles of family='vonmises': their mean is no direction."
            )
        if self.components != "auto" and not _is_count(self.components):
            raise ValueError(f"components must be positive and a whole number, or 'auto', got {self.components!r}.")
        if not _is_count(self.ensemble):
            raise ValueError(f"ensemble must be a whole number of at least 1, got {self.ensemble!r}.")
        if self.roughness != "auto" and (isinstance(self.roughness, str) or not 0 <= self.roughness <= 1):
            raise ValueError(f"roughness must be in [0, 1] or 'auto', got {self.roughness!r}.")
        if not isinstance(self.hidden, Sequence | np.ndarray):
            raise ValueError(f"hidden must be a sequence of widths such as (64, 64), got {self.hidden!r}.")
        if self.validation_fraction is not None and not 0 <= self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be in [0, 1) or None, got {self.validation_fraction}.")
        if min(self.input_noise, self.target_noise, self.weight_prior) < 0:
            raise ValueError("input_noise, target_noise and weight_prior must not be negative.")

    def _plan(self, rows: int) -> RegressionPlan:
        epochs = RegressionPlan.epochs_for(rows) if self.epochs is None else self.epochs
        return RegressionPlan(
            self.loss,
            epochs,
            RegressionPlan.batch_for(rows) if self.batch_size is None else self.batch_size,
            self.learning_rate,
            self.weight_decay,
            RegressionPlan.patience_for(epochs) if self.patience is None else self.patience,
            self.input_noise,
            self.target_noise,
            self.weight_prior,
        )

    def _chosen_inputs(
        self, X: Array, y: Tensor, weight: Tensor, start: Tensor, plan: RegressionPlan, seed: int
    ) -> Inputs:
        """Return inputs whose waves serve the likelihood of rows that are held back."""
        inputs = Inputs(ROUGHNESS[0] if self.roughness == "auto" else self.roughness).fit(X)
        if self.roughness != "auto" or len(X) < _LEAST_ROWS or self.loss != "likelihood":
            return inputs
        components = _PILOT if self.components == "auto" else self.components

        def build(members: int) -> MDN:
            network = self._network(inputs.width, components, members)
            network.head.initialize(start)
            return network

        views = [self._tensor(view) for view in inputs.choices(X)]
        folds = 1 if len(X) >= _MANY_ROWS else min(self.ensemble, _VIEW_FOLDS)
        best = select_view(build, views, y, weight, plan, folds=folds, seed=seed, verbose=self.verbose)
        inputs.roughness = ROUGHNESS[best]
        return inputs

    def _study(self, data: Sequence[Tensor], start: Tensor, plan: RegressionPlan, seed: int) -> ComponentStudy:
        """Return the study of components in the target's units."""

        def build(components: Sequence[int]) -> MDN:
            network = self._network(self._inputs.width, components, len(components))
            network.head.initialize(start)
            return network

        folds = min(self.ensemble, _FOLDS)
        study = select_components(build, data, plan, folds=folds, seed=seed, verbose=self.verbose)
        return study.shifted(self.targets_.log_scale)

    def _network(self, width: int, components: int | Sequence[int], members: int) -> MDN:
        return MDN(
            width,
            len(self.targets_.mean),
            components,
            tuple(self.hidden),
            self.covariance,
            self.dropout,
            np.maximum(self.min_scale, self.targets_.floor).tolist(),
            self.family,
            min_weight=self.min_weight,
            atoms=None if self.atoms is None else torch.as_tensor(self.targets_.standardize(self._atoms())).float(),
            members=members,
        )

    def _tensor(self, a: Array) -> Tensor:
        return torch.as_tensor(a, dtype=torch.float32, device=self.device)

    def _atoms(self) -> Array:
        """Positions in the target's units, shape (A, T)."""
        given, T = np.asarray(self.atoms, dtype=np.float64), len(self.targets_.mean)
        atoms = given[:, None] if given.ndim == T == 1 else given
        if atoms.ndim != 2 or atoms.shape[1] != T or not len(atoms):
            raise ValueError(f"atoms has shape {given.shape}; for {T} targets it must be (A, {T}) with A >= 1.")
        return atoms

    def _check_regions(self) -> None:
        if self.atoms is not None:
            raise ValueError(
                "a smallest region needs a density, and masses at atoms cannot be compared with one: use "
                "predict_interval."
            )

    def predict_members(self, X: ArrayLike) -> Mixture[Any] | AtomMixture:
        """Return the prediction of each network, batch_shape (E, n), in the target's units."""
        check_is_fitted(self)
        X_ = validate_data(self, X, dtype=np.float64, reset=False)
        inputs = torch.as_tensor(self._inputs.transform(np.asarray(X_))).expand(self.network_.members or 1, -1, -1)
        with torch.no_grad():
            h = torch.cat([self.network_.trunks[0](chunk) for chunk in inputs.split(_ROWS, 1)], 1)
            mixture = self.network_.head(h)
        atoms = None if self.atoms is None else torch.as_tensor(self._atoms())
        mixture = self.targets_.restore(mixture, self.family, atoms)
        return mixture.marginal(0) if self.targets_.single else mixture

    def _learnt(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        tensors = {f"network.{k}": v.float() for k, v in self.network_.state_dict().items()}
        tensors |= {f"inputs.{k}": torch.as_tensor(v) for k, v in self._inputs.state().items()}
        tensors |= {f"targets.{k}": torch.as_tensor(v) for k, v in self.targets_.state().items()}
        tensors |= {f"health.{k}": v for k, v in self.health_.state().items()}
        if hasattr(self, "levels_"):
            tensors["levels"] = self.levels_.log_outside
        study = None if self.study_ is None else vars(self.study_)
        return {"single_target": self.targets_.single, "components_": self.components_, "study": study}, tensors

    def _restore(self, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self._inputs = Inputs.from_state({k: v.numpy() for k, v in part(tensors, "inputs").items()})
        self.targets_ = Targets.from_state(
            {k: v.numpy() for k, v in part(tensors, "targets").items()}, config["single_target"]
        )
        self.health_ = ComponentHealth(**part(tensors, "health"))
        if "levels" in tensors:
            self.levels_ = ConformalLevels(tensors["levels"])
        self.components_ = config["components_"]
        self.study_ = None if config["study"] is None else ComponentStudy(**config["study"])
        with isolated_seed(0):
            network = self._network(self._inputs.width, self.components_, self.ensemble)
        network.load_state_dict(part(tensors, "network"))
        self.network_ = network.double().eval()


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and int(value) >= 1
