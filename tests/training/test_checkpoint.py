"""A run that is killed and goes on is the run that was not killed, bit for bit; other files are refused."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mixtura.nn import MDN
from mixtura.training import Epoch, History, checkpoint, fit, isolated_seed
from tests.helpers import global_state

DATA = (torch.linspace(-1, 1, 50).unsqueeze(-1), torch.sin(torch.arange(50.0)).unsqueeze(-1))
VALIDATION = tuple(t[::3] + 0.01 for t in DATA)


class KilledError(Exception):
    pass


def nll(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
    return -model(batch[0]).log_prob(batch[1]).mean()


def _model(seed: int = 0, hidden: tuple[int, ...] = (8, 8), dropout: float = 0.2) -> MDN:
    with isolated_seed(seed):
        return MDN(1, 1, components=3, hidden=hidden, dropout=dropout)


def _run(model: nn.Module, path: Path | None = None, kill_after: int | None = None, **settings: Any) -> History:
    def on_epoch(epoch: Epoch) -> None:
        if epoch.epoch == kill_after:
            raise KilledError

    settings = {"data": DATA, "validation": VALIDATION, "epochs": 6, "batch_size": 16, "seed": 3} | settings
    return fit(model, nll, learning_rate=0.01, checkpoint=path, on_epoch=on_epoch, **settings)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for a checkpoint that is written after every epoch."""
    monkeypatch.setattr(checkpoint, "_SECONDS", 0.0)
    return tmp_path / "run.ckpt"


@pytest.fixture
def killed(path: Path) -> Path:
    """The checkpoint of a run that was killed in its fourth epoch."""
    with pytest.raises(KilledError):
        _run(_model(), path, kill_after=4)
    return path


def _same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(v, w) for v, w in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("validation", [VALIDATION, None], ids=["validation", "no validation"])
@pytest.mark.parametrize("kills", [(2,), (4,), (6,), (2, 3, 5)])
def test_resumed_run_is_bit_identical(path: Path, kills: tuple[int, ...], validation: Any) -> None:
    whole = _model()
    history = _run(whole, validation=validation)
    for kill in kills:
        with pytest.raises(KilledError):
            _run(_model(seed=0 if kill == kills[0] else 1), path, kill_after=kill, validation=validation)
        assert [p.name for p in path.parent.iterdir()] == [path.name]  # no half-written file beside it
    resumed = _model(seed=99)  # whatever its weights were: the file has them
    outside = global_state()
    assert _run(resumed, path, validation=validation) == history
    assert _same(resumed, whole)
    assert global_state() == outside
    assert list(path.parent.iterdir()) == []


def test_resumed_run_makes_only_the_epochs_that_are_left(killed: Path) -> None:
    seen: list[int] = []
    fit(
        _model(),
        nll,
        DATA,
        validation=VALIDATION,
        epochs=6,
        batch_size=16,
        learning_rate=0.01,
        seed=3,
        checkpoint=str(killed),
        on_epoch=lambda e: seen.append(e.epoch),
    )
    assert seen == [4, 5, 6]


def test_checkpoint_does_not_change_the_run(path: Path) -> None:
    plain, kept = _model(), _model()
    assert _run(plain) == _run(kept, path)
    assert _same(plain, kept)
    assert not path.exists()


@pytest.mark.parametrize("settings", [{}, {"patience": 2}])
def test_run_that_was_killed_after_its_last_epoch(
    path: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _model()
    settings = settings | {"epochs": 40}
    history = _run(whole, **settings)
    assert (len(history.epochs) < 40) == ("patience" in settings)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "delete", lambda _: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            _run(_model(), path, **settings)
    resumed = _model(seed=1)
    assert _run(resumed, path, **settings) == history
    assert _same(resumed, whole)


@pytest.mark.parametrize(
    "change",
    [
        {"data": (DATA[0], DATA[1] + 1e-6)},
        {"data": tuple(t[:-1] for t in DATA)},
        {"data": (DATA[0].double(), DATA[1])},
        {"validation": None},
        {"validation": tuple(t + 1 for t in VALIDATION)},
        {"epochs": 7},
        {"batch_size": 17},
        {"weight_decay": 0.5},
        {"average_decay": 0.5},
        {"patience": 2},
        {"seed": 4},
        {"model": _model(hidden=(8, 9))},
        {"model": _model(dropout=0.3)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_data_settings_and_networks_are_refused(killed: Path, change: dict[str, Any]) -> None:
    change = dict(change)
    before = killed.read_bytes()
    with pytest.raises(ValueError, match="is the checkpoint of a run with other data or settings: delete it or name"):
        _run(copy.deepcopy(change.pop("model", _model())), killed, **change)
    assert killed.read_bytes() == before


def _torch_file(content: Any, path: Path) -> bytes:
    torch.save(content, path)
    return path.read_bytes()


@pytest.mark.parametrize("name", ["truncated", "empty", "text", "pickle", "tensor", "dictionary"])
def test_broken_and_foreign_files_are_refused_in_one_sentence(killed: Path, name: str) -> None:
    whole = killed.read_bytes()
    killed.write_bytes(
        {
            "truncated": whole[: len(whole) // 2],
            "empty": b"",
            "text": b"x,y\n1,2\n",
            "pickle": pickle.dumps({"fingerprint": 1}, protocol=2),
            "tensor": _torch_file(torch.zeros(3), killed),
            "dictionary": _torch_file({"weights": torch.zeros(3)}, killed),
        }[name]
    )
    with pytest.raises(
        ValueError, match=r"run\.ckpt is not a checkpoint, or a broken one: delete it to start afresh\.$"
    ):
        _run(_model(), killed)


class _Evil:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (Path.touch, (self.victim,))


def test_nothing_in_a_checkpoint_is_executed(path: Path) -> None:
    victim = path.with_name("executed")
    torch.save({"fingerprint": _Evil(victim)}, path)
    with pytest.raises(ValueError, match="not a checkpoint"):
        _run(_model(), path)
    assert not victim.exists()


def test_run_that_is_killed_while_it_writes_keeps_the_former_checkpoint(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = killed.read_bytes()

    def half(_: object, part: Path) -> None:
        part.write_bytes(b"half")
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half)
        with pytest.raises(KilledError):
            _run(_model(), killed)
    assert killed.read_bytes() == former
    monkeypatch.setattr(checkpoint, "_SECONDS", 1e9)  # so that the half-written file is not even replaced
    whole, resumed = _model(), _model(seed=5)
    assert _run(whole) == _run(resumed, killed)
    assert _same(whole, resumed)
    assert list(killed.parent.iterdir()) == []


def test_checkpoint_is_written_now_and_then_only(tmp_path: Path) -> None:
    written: list[bool] = []
    fit(
        _model(),
        nll,
        DATA,
        epochs=3,
        checkpoint=tmp_path / "run.ckpt",
        on_epoch=lambda _: written.append((tmp_path / "run.ckpt").exists()),
    )
    assert written == [False] * 3


def test_folder_that_does_not_exist_is_found_out_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        _run(_model(), tmp_path / "nowhere" / "run.ckpt")
