"""One loop for every model of the library."""

from mixtura.training.coding import AutoencoderPlan, CodeCost, fit_autoencoder, plan_autoencoder
from mixtura.training.folds import Folds
from mixtura.training.generation import GeneratorPlan, fit_generator, plan_generator
from mixtura.training.health import ComponentHealth, component_health
from mixtura.training.history import Epoch, History
from mixtura.training.loop import Loss, evaluate, fit
from mixtura.training.progress import progress
from mixtura.training.randomness import isolated_seed
from mixtura.training.regression import RegressionLoss, RegressionPlan, fit_networks
from mixtura.training.strokes import fit_strokes, stroke_nll
from mixtura.training.threads import fitting_threads
from mixtura.training.tracker import BoundTracker, TrackedBound, code_bound
from mixtura.training.variance import (
    Annealing,
    kernel_variance,
    likelihood_variance,
    median_variance,
    silverman_variance,
)

__all__ = [
    "Annealing",
    "AutoencoderPlan",
    "BoundTracker",
    "CodeCost",
    "ComponentHealth",
    "Epoch",
    "Folds",
    "GeneratorPlan",
    "History",
    "Loss",
    "RegressionLoss",
    "RegressionPlan",
    "TrackedBound",
    "code_bound",
    "component_health",
    "evaluate",
    "fit",
    "fit_autoencoder",
    "fit_generator",
    "fit_networks",
    "fit_strokes",
    "fitting_threads",
    "isolated_seed",
    "kernel_variance",
    "likelihood_variance",
    "median_variance",
    "plan_autoencoder",
    "plan_generator",
    "progress",
    "silverman_variance",
    "stroke_nll",
]
