"""One loop for every model of the library."""

from mixtura.training.history import Epoch, History
from mixtura.training.loop import Loss, evaluate, fit
from mixtura.training.progress import progress
from mixtura.training.randomness import isolated_seed

__all__ = ["Epoch", "History", "Loss", "evaluate", "fit", "isolated_seed", "progress"]
