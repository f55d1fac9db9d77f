"""How many components, and every other setting: by criteria, folds and candidates that train together."""

from mixtura.selection.components import ComponentStudy, Criterion, select_components
from mixtura.selection.tuning import Tuned, tune

__all__ = ["ComponentStudy", "Criterion", "Tuned", "select_components", "tune"]
