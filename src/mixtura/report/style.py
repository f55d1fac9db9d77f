"""The look of every picture, and how a picture becomes part of a page."""

from __future__ import annotations

import base64
import functools
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec

from mixtura._optional import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BASELINE",
    "FONTS",
    "GRID",
    "INK",
    "MODEL",
    "MUTED",
    "TRUTH",
    "canvas",
    "data_address",
    "density_colours",
    "halo",
    "square_root_norm",
    "styled",
    "svg",
]

P = ParamSpec("P")

INK, MUTED, GRID = "#1b2530", "#5c6873", "#dfe4e8"
MODEL = "#1d5c8f"
"""Colour of what the model says."""
TRUTH = "#d2541b"
"""Colour of what happened."""
BASELINE = "#8b96a0"
"""Colour of what is expected or compared with."""
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Noto Sans', sans-serif"

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": BASELINE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.limits": (-4, 5),
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": BASELINE,
    "ytick.color": BASELINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.handlelength": 1.6,
    "svg.fonttype": "none",  # the reader's fonts know more letters than ours
    "svg.hashsalt": "mixtura",  # the same picture gives the same file
}


@contextmanager
def _style() -> Iterator[None]:
    """Apply the look, whatever the settings of the program around, which are as before afterwards."""
    require("matplotlib", "The report")
    style = require("matplotlib.style", "The report")
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    with style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the widths of foreign letters are guessed, which is enough
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let a function draw in the look of the report."""

    @functools.wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with _style():
            return draw(*args, **kwargs)

    return in_style


def canvas(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure, sizes in inches, and its axes row by row; the options are those of ``Figure.subplots``."""
    figure: Figure = require("matplotlib.figure", "The report").Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **options).flat)


def density_colours() -> Any:
    """Return the colour map of densities: white is zero."""
    colours = require("matplotlib.colors", "The report")
    return colours.LinearSegmentedColormap.from_list("density", ["#ffffff", "#bcd4e8", "#6ba0cb", MODEL, "#174a75"])


def halo() -> list[Any]:
    """Return the effect that keeps a dark line visible on a dark ground."""
    effects = require("matplotlib.patheffects", "The report")
    return [effects.withStroke(linewidth=2.6, foreground="white", alpha=0.65)]


def square_root_norm(top: float) -> Any:
    """Return a scale of colours that follows the square root, so that faint tails are seen; above ``top`` is full."""
    return require("matplotlib.colors", "The report").PowerNorm(0.5, vmin=0, vmax=top)


def svg(figure: Figure) -> str:
    """Return a figure as a ``data:`` address, so that a page needs no other file."""
    file = io.StringIO()
    with _style():
        figure.savefig(file, format="svg", dpi=200, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    source = file.getvalue()
    source = source[source.index("<svg") :].replace("'DejaVu Sans'", FONTS)
    return data_address(source)


def data_address(source: str) -> str:
    """Return the source of an SVG picture as a ``data:`` address."""
    return "data:image/svg+xml;base64," + base64.b64encode(source.encode()).decode()
