"""How many components, which view of the inputs, and all other settings: criteria, folds, candidates in one stack."""

from mixtura.selection.components import ComponentStudy, Criterion, select_components
from mixtura.selection.tuning import Tuned, tune
from mixtura.selection.views import select_view

__all__ = ["ComponentStudy", "Criterion", "Tuned", "select_components", "select_view", "tune"]
