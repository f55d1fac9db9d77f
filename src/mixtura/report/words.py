"""Numbers and names as a reader expects them."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["clean", "listed", "number", "percent", "plus_minus", "short"]


def clean(text: object) -> str:
    """Return a text on one line, without the characters that neither HTML nor SVG can hold.

    Example:
        >>> clean("a\\tb\\x00 <c>")
        'a b <c>'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def short(text: object, length: int = 34) -> str:
    """Return a text cut to ``length`` characters, for the labels of a picture.

    Example:
        >>> short("a name that is far too long", 12)
        'a name that…'
    """
    text = clean(text)
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def number(x: float) -> str:
    """Return a number with four significant digits.

    Example:
        >>> number(-0.081234), number(1234567.8), number(2.5e-13), number(float("nan"))
        ('−0.08123', '1,234,568', '2.5e−13', '–')
    """
    if not math.isfinite(x):
        return "–" if math.isnan(x) else "−∞" if x < 0 else "∞"
    if x != 0 and not 1e-4 <= abs(x) < 1e9:
        mantissa, exponent = f"{x:.3e}".split("e")
        text = f"{float(mantissa):g}e{int(exponent)}"
    else:
        text = f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.4g}"
    return text.replace("-", "−")


def plus_minus(x: float, error: float) -> str:
    """Return a number with its standard error, to the two leading digits of the error.

    Example:
        >>> plus_minus(-0.71234, 0.0213), plus_minus(0.71234, float("nan"))
        ('−0.712 ± 0.021', '0.7123')
    """
    if not (math.isfinite(error) and error > 0) or abs(x) >= 1e9:
        return number(x)
    digits = min(max(1 - math.floor(math.log10(error)), 0), 6)
    return f"{x:,.{digits}f} ± {error:,.{digits}f}".replace("-", "−")


def percent(share: float, error: float | None = None) -> str:
    """Return a share of rows in per cent, with its standard error if one is given.

    Example:
        >>> percent(0.5), percent(0.0312), percent(0.0004), percent(0.912, 0.0106)
        ('50 %', '3.1 %', '0.04 %', '91.2 ± 1.1 %')
    """
    if error is not None:
        return f"{100 * share:.1f} ± {100 * error:.1f} %"
    return f"{100 * share:.{0 if share >= 0.1 or share == 0 else 1 if share >= 0.001 else 2}f} %"


def listed(items: Sequence[str], most: int = 12) -> str:
    """Return items as they are read in a sentence.

    Example:
        >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], most=1)
        ('a, b and c', 'a and 2 more')
    """
    shown = list(items[:most])
    if len(items) > most:
        shown.append(f"{len(items) - most} more")
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + f" and {shown[-1]}" if shown else ""
