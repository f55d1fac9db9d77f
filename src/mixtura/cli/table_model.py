"""A regressor together with the encoding of the table that it was fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mixtura.datasets import TableEncoder
from mixtura.estimators import MixtureAutoencoder, MixtureDensityRegressor
from mixtura.estimators.storage import read_model, write_model

__all__ = ["TableModel", "refuse_autoencoder"]


@dataclass(frozen=True)
class TableModel:
    """What a model file of the command line holds; :meth:`MixtureDensityRegressor.load` reads it too."""

    regressor: MixtureDensityRegressor
    encoder: TableEncoder
    targets: list[str]

    def save(self, path: str | Path) -> None:
        """Write one safetensors file."""
        config, tensors = self.regressor.to_state()
        write_model(path, config | {"table": {"columns": self.encoder.to_dict(), "targets": self.targets}}, tensors)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the model in a file that ``mixtura fit`` wrote.

        Raises:
            FileNotFoundError: where there is no such file.
            ValueError: where the file is broken, or holds a density, or a model without a table.
        """
        config, tensors = read_model(path)
        refuse_autoencoder(path, config)
        if config.get("class") != MixtureDensityRegressor.__name__:
            raise ValueError(
                f"{path} holds the density of whole rows, a {config.get('class')}, which predicts no column: use "
                "`mixtura sample`, or fit the table with --target."
            )
        if "table" not in config:
            raise ValueError(
                f"{path} was saved from Python, without the columns of a table: "
                f"use {config.get('class')}.load in Python."
            )
        regressor = MixtureDensityRegressor.from_state(path, config, tensors)
        return cls(regressor, TableEncoder.from_dict(config["table"]["columns"]), config["table"]["targets"])


def refuse_autoencoder(path: str | Path, config: dict[str, Any]) -> None:
    """Raise a ValueError where a model file holds an autoencoder, which no command uses."""
    name = MixtureAutoencoder.__name__
    if config.get("class") == name:
        raise ValueError(f"{path} holds an autoencoder: use {name}.load in Python.")
