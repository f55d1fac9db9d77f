"""The rules of the house: who imports whom, what an import costs, what a name must say about itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import mixtura

ROOT = Path(mixtura.__file__).parent
ORDER = [
    "distributions",
    "hilbert",
    "costs",
    "nn",
    "metrics",
    "training",
    "selection",
    "estimators",
    "datasets",
    "experiments",
    "report",
    "cli",
    "__main__",
]
FILES = [p for p in sorted(ROOT.rglob("*.py")) if p != ROOT / "__init__.py"]
NAMES = [".".join(("mixtura", *p.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__") for p in FILES]


def _folder(module: str) -> str:
    """``mixtura.nn.heads`` lives in ``nn``; the package itself in ``""``."""
    return module.split(".")[1] if "." in module else ""


def _rank(folder: str) -> int:
    """Place in the order; private helpers beside the folders, like ``_optional``, stand above them all."""
    return -1 if folder.startswith("_") and folder != "__main__" else ORDER.index(folder)


def _imports(source: str, package: str) -> set[str]:
    """The modules of mixtura that a source imports, wherever in the file it does so."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: len(package.split(".")) - node.level + 1], *base.split(".")])
            base = base.rstrip(".")
            found |= {f"mixtura.{alias.name}" for alias in node.names} if base == "mixtura" else {base}
    return {name for name in found if name.split(".")[0] == "mixtura"}


def _wrong(source: str, module: str, package: str) -> set[str]:
    """Imports of a module that lie below its own folder or are of the whole package."""
    known = {_folder(n) for n in NAMES} | set(ORDER)
    here = _folder(module)
    return {
        name
        for name in _imports(source, package)
        if _folder(name) not in known or (_folder(name) != here and _rank(_folder(name)) >= _rank(here))
    }


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_imports_only_from_its_own_folder_and_those_above(path: Path) -> None:
    module = NAMES[FILES.index(path)]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    assert _wrong(path.read_text(), module, package) == set()


def test_the_rule_recognises_what_it_forbids() -> None:
    module, package = "mixtura.nn.heads", "mixtura.nn"
    allowed = [
        "from mixtura.distributions import GaussianMixture",
        "from mixtura import distributions",
        "import mixtura.distributions.modes",
        "from mixtura.nn.mdn import MDN",
        "from . import mdn",
        "from ..distributions import Full",
        "from mixtura._optional import require",
        "import torch",
    ]
    forbidden = [
        "import mixtura",
        "import mixtura as mx",
        "from mixtura import GaussianMixture",
        "from mixtura import training",
        "from mixtura.training.loop import fit",
        "from .. import training",
        "from ..training import fit",
        "def f():\n    import mixtura.cli",
        "if TYPE_CHECKING:\n    from mixtura.estimators import MixtureDensityRegressor",
    ]
    for source in allowed:
        assert not _wrong(source, module, package), source
    for source in forbidden:
        assert _wrong(source, module, package), source


def test_every_folder_has_its_place_in_the_order() -> None:
    for path in ROOT.iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert path.name in ORDER


def _in_a_fresh_process(code: str) -> dict[str, object]:
    """Run code that prints one JSON object."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


STATE = """
import json, pickle, random, sys, warnings, zlib
import numpy as np
import torch
def state():
    return {
        "torch": zlib.crc32(torch.get_rng_state().numpy().tobytes()),
        "numpy": zlib.crc32(pickle.dumps(np.random.get_state())),
        "python": hash(random.getstate()),
        "dtype": str(torch.get_default_dtype()),
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "validation": torch.distributions.Distribution._validate_args,
        "grad": torch.is_grad_enabled(),
        "printing": str(torch.tensor(1 / 3)),
        "numpy errors": sorted(np.geterr().items()),
        "warnings": len(warnings.filters),
    }
"""


def test_importing_and_fitting_leave_the_global_state_alone() -> None:
    """Torch's seed, default dtype, threads and validation are the user's."""
    code = (
        STATE
        + """
import sklearn, sklearn.cluster, sklearn.preprocessing  # which has filters of its own
before = state()
import mixtura as mx
imported = state()
x = torch.linspace(-1, 1, 40).unsqueeze(-1)
mx.GaussianMixture.from_samples(x, 0.1).modes()
mdn = mx.nn.MDN(1, 1, components=2, hidden=(4,))
torch.manual_seed(0)
mdn.head.initialize(x)
used = state()
mx.training.fit(mdn, lambda m, b: -m(b[0]).log_prob(b[1]).mean(), (x, x), epochs=2)
mx.MixtureDensityRegressor(components=2, hidden=(4,), epochs=2, random_state=0).fit(x.numpy(), x[:, 0].numpy())
print(json.dumps({"before": before, "imported": imported, "used": used, "fitted": state()}))
"""
    )
    states = _in_a_fresh_process(code)
    assert states["imported"] == states["before"]
    assert states["fitted"] == states["used"]


def test_import_needs_only_the_four_dependencies() -> None:
    optional = ["polars", "matplotlib", "tqdm", "scoringrules", "optuna", "pandas", "pyarrow"]
    code = f"""
import json, sys
import torch, sklearn.base, sklearn.cluster, sklearn.preprocessing, safetensors.torch
before = set(sys.modules)
import mixtura
print(json.dumps({{"new": [m for m in {optional} if m in sys.modules and m not in before]}}))
"""
    assert _in_a_fresh_process(code)["new"] == []


def test_import_works_where_the_extras_are_not_installed() -> None:
    code = """
import json, sys
for name in ("polars", "matplotlib", "tqdm", "scoringrules", "optuna", "pandas", "pyarrow"):
    sys.modules[name] = None  # importing it raises ImportError
import mixtura
print(json.dumps({"names": mixtura.__all__}))
"""
    assert _in_a_fresh_process(code)["names"] == mixtura.__all__


def _public(names: list[str]) -> list[str]:
    return [n for n in ["mixtura", *names] if not any(part.startswith("_") for part in n.split("."))]


@pytest.mark.parametrize("name", _public(NAMES))
def test_public_modules_name_and_describe_what_they_offer(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, "a module says what it is for"
    assert sorted(set(module.__all__)) == sorted(module.__all__)
    for offered in module.__all__:
        thing = getattr(module, offered)
        if inspect.isclass(thing) or inspect.isfunction(thing) or isinstance(thing, ModuleType):
            assert inspect.getdoc(thing), f"{name}.{offered} has no docstring"
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                described = inspect.isfunction(value) or isinstance(value, property | classmethod | staticmethod)
                if described and not member.startswith("_"):
                    assert inspect.getdoc(getattr(thing, member)), f"{name}.{offered}.{member} has no docstring"
