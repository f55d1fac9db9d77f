"""Networks that return mixtures."""

from mixtura.nn.atoms import AtomHead
from mixtura.nn.autoencoder import EncoderMixtureDecoder
from mixtura.nn.decoder import MixtureDecoder
from mixtura.nn.drawings import Drawings, StrokeBatch
from mixtura.nn.generator import FreeCenters, MixtureGenerator
from mixtura.nn.heads import MixtureHead
from mixtura.nn.mdn import MDN, ResidualBlock
from mixtura.nn.strokes import StrokeRNN

__all__ = [
    "MDN",
    "AtomHead",
    "Drawings",
    "EncoderMixtureDecoder",
    "FreeCenters",
    "MixtureDecoder",
    "MixtureGenerator",
    "MixtureHead",
    "ResidualBlock",
    "StrokeBatch",
    "StrokeRNN",
]
