"""Model files: tensors and a JSON configuration in one safetensors file, nothing that can be executed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from mixtura.training import Epoch, History

__all__ = ["StoredEstimator", "part", "read_model", "write_model"]

_FORMAT = "mixtura"
_VERSION = 1
_SEQUENCES = {"hidden", "image_shape"}
"""Parameters that are tuples of whole numbers, or None."""


def write_model(path: str | Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write a model file whole or not at all.

    Args:
        path: the file; an existing one is replaced.
        config: what JSON can hold, and numpy's numbers and arrays, which a grid of parameters may bring.
        tensors: by name.
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    header = {"format": _FORMAT, "version": str(_VERSION), "config": json.dumps(config, default=_plain)}
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


class StoredEstimator(BaseEstimator):
    """Let an estimator be saved and loaded: what all have in common is here, and what it learnt is its own."""

    history_: History
    n_features_in_: int

    def save(self, path: str | Path) -> None:
        """Write the fitted model to one safetensors file with its configuration in the header; no pickle."""
        write_model(path, *self.to_state())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the model that :meth:`save` wrote.

        Raises:
            FileNotFoundError: where there is no such file.
            ValueError: where the file is broken or holds something else.
        """
        return cls.from_state(path, *read_model(path))

    def to_state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the fitted model as a configuration that JSON can hold, and tensors by name."""
        check_is_fitted(self)
        params = self.get_params() | {"checkpoint": None, "verbose": False}
        for name in _SEQUENCES & params.keys():
            params[name] = None if params[name] is None else [int(h) for h in params[name]]
        if not isinstance(params["random_state"], int | None):
            params["random_state"] = None
        names = getattr(self, "feature_names_in_", None)
        config, tensors = self._learnt()
        return config | {
            "class": type(self).__name__,
            "params": params,
            "n_features_in_": self.n_features_in_,
            "feature_names_in_": None if names is None else list(names),
            "best_epochs": self.history_.best_epochs,
            "epochs": [vars(e) for e in self.history_.epochs],
        }, tensors

    @classmethod
    def from_state(cls, path: str | Path, config: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        """Return the model that :meth:`to_state` described, and :func:`read_model` read from a file.

        Raises:
            ValueError: where it is another model; it names the file.
        """
        try:
            if config["class"] != cls.__name__:
                raise TypeError(f"it holds a {config['class']}")
            params = config["params"]
            self = cls(**params | {name: _tuple(params[name]) for name in _SEQUENCES & params.keys()})
            self.n_features_in_ = config["n_features_in_"]
            if config["feature_names_in_"] is not None:
                self.feature_names_in_ = np.array(config["feature_names_in_"], dtype=object)
            self.history_ = History([Epoch(**e) for e in config["epochs"]], config["best_epochs"])
            self._restore(config, tensors)
        except (KeyError, RuntimeError, TypeError) as error:
            raise ValueError(f"{path} does not hold a {cls.__name__} of this version of mixtura: {error}.") from error
        return self

    def _learnt(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return what was learnt beside features and history: what JSON can hold, and tensors."""
        raise NotImplementedError

    def _restore(self, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Put back what :meth:`_learnt` returned."""
        raise NotImplementedError


def part(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with ``name.``, under the rest of their names."""
    return {k.removeprefix(name + "."): v for k, v in tensors.items() if k.startswith(name + ".")}


def _tuple(values: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if values is None else tuple(values)


def _plain(value: Any) -> Any:
    """Return numpy's numbers and arrays as JSON knows them."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a model file cannot hold a {type(value).__name__}: {value!r}.")
