"""The costs: each compares data p with a model q and returns a value, a bound and the gap between them."""

from mixtura.costs.bound import Bound, Reading
from mixtura.costs.coded import conditional_on_codes
from mixtura.costs.conditional import conditional
from mixtura.costs.likelihood import likelihood
from mixtura.costs.module import COSTS, SAMPLED, Cost
from mixtura.costs.operators import bures, nuclear_norm, trace
from mixtura.costs.projections import matrix_matrix, vector_matrix
from mixtura.costs.reading import choose_reading
from mixtura.costs.scalar import scalar

__all__ = [
    "COSTS",
    "SAMPLED",
    "Bound",
    "Cost",
    "Reading",
    "bures",
    "choose_reading",
    "conditional",
    "conditional_on_codes",
    "likelihood",
    "matrix_matrix",
    "nuclear_norm",
    "scalar",
    "trace",
    "vector_matrix",
]
