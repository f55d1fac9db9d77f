"""Seeds that stay inside."""

from mixtura._random import isolated_seed

__all__ = ["isolated_seed"]
