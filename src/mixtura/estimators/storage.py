"""Model files: tensors and a JSON configuration in one safetensors file, nothing that can be executed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

__all__ = ["read_model", "write_model"]

_FORMAT = "mixtura"
_VERSION = 1


def write_model(path: str | Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write a model file whole or not at all.

    Args:
        path: the file; an existing one is replaced.
        config: what JSON can hold.
        tensors: by name.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    header = {"format": _FORMAT, "version": str(_VERSION), "config": json.dumps(config)}
    try:
        part.write_bytes(save({k: v.contiguous() for k, v in tensors.items()}, metadata=header))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_model(path: str | Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return configuration and tensors of a model file.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where the file is broken, foreign, or of a newer version of mixtura.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            names = list(file.keys())
            if header.get("format") != _FORMAT:
                raise ValueError(f"{path} is a safetensors file, but not a model of mixtura.")
            if int(header["version"]) > _VERSION:
                raise ValueError(
                    f"{path} was written by a newer version of mixtura (format {header['version']}): upgrade mixtura."
                )
            return json.loads(header["config"]), {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a model file of mixtura, or it is truncated: {error}.") from error
