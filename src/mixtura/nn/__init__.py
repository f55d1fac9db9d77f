"""Networks that return mixtures."""

from mixtura.nn.atoms import AtomHead
from mixtura.nn.autoencoder import EncoderMixtureDecoder
from mixtura.nn.decoder import MixtureDecoder
from mixtura.nn.generator import FreeCenters, MixtureGenerator
from mixtura.nn.heads import MixtureHead
from mixtura.nn.mdn import MDN, ResidualBlock

__all__ = [
    "MDN",
    "AtomHead",
    "EncoderMixtureDecoder",
    "FreeCenters",
    "MixtureDecoder",
    "MixtureGenerator",
    "MixtureHead",
    "ResidualBlock",
]
