"""Mixtures as ``torch.distributions``."""

import torch

from mixtura.distributions.atoms import AtomMixture
from mixtura.distributions.cauchy import CauchyMixture
from mixtura.distributions.covariances import Covariance, Diagonal, Full, Isotropic, LowRank, Precision
from mixtura.distributions.gaussian import GaussianMixture
from mixtura.distributions.laplace import LaplaceMixture
from mixtura.distributions.mixture import Mixture
from mixtura.distributions.modes import Modes
from mixtura.distributions.pooling import pool
from mixtura.distributions.regions import HighestDensityRegion
from mixtura.distributions.strokes import StrokePoint
from mixtura.distributions.von_mises import VonMisesMixture

__all__ = [
    "AtomMixture",
    "CauchyMixture",
    "Covariance",
    "Diagonal",
    "Full",
    "GaussianMixture",
    "HighestDensityRegion",
    "Isotropic",
    "LaplaceMixture",
    "LowRank",
    "Mixture",
    "Modes",
    "Precision",
    "StrokePoint",
    "VonMisesMixture",
    "pool",
]

# The first call of torch.exp in a process may lose half of its digits where several threads make it at once (torch 2.13
# with MKL: relative error 3e-9 in float64, in about one process of ten). One call by one thread beforehand avoids that.
for _dtype in (torch.float32, torch.float64):
    torch.zeros(1, dtype=_dtype).exp()
