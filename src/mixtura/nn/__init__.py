"""Networks that return mixtures."""

from mixtura.nn.atoms import AtomHead
from mixtura.nn.generator import FreeCenters, MixtureGenerator
from mixtura.nn.heads import MixtureHead
from mixtura.nn.mdn import MDN, ResidualBlock

__all__ = ["MDN", "AtomHead", "FreeCenters", "MixtureGenerator", "MixtureHead", "ResidualBlock"]
