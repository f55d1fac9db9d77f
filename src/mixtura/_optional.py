"""Packages that only parts of the library need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["require"]


def require(package: str, purpose: str, extra: str = "app") -> Any:
    """Import a package of an extra, or say what needs it and how to install it.

    Args:
        package: name of the module.
        purpose: what needs it, as the subject of a sentence.
        extra: the extra of mixtura that brings it.

    Raises:
        ImportError: where it is not installed.

    Example:
        >>> require("nowhere", "The example")
        Traceback (most recent call last):
        ImportError: The example needs nowhere: install it with `pip install 'mixtura[app]'`.
    """
    try:
        return import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise ImportError(f"{purpose} needs {name}: install it with `pip install 'mixtura[{extra}]'`.") from error
