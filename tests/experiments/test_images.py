"""Reading digits, judging them, and the experiment that learns them by every cost."""

import gzip
import json
from pathlib import Path

import pytest
import torch

from mixtura.experiments.digits import Digits, generator_for, learn_images, plan_for, read_digits
from mixtura.experiments.images import images
from mixtura.experiments.record import Options
from tests.helpers import global_state


@pytest.fixture(scope="module")
def digits() -> Digits:
    return read_digits(Options(quick=True, say=lambda _: None))


def _write_idx(folder: Path, part: str, n: int) -> None:
    g = torch.Generator().manual_seed(n)
    labels = torch.arange(n) % 10
    pixels = torch.randint(0, 256, (n, 28, 28), generator=g)
    header = bytes([0, 0, 8])
    sizes = b"".join(k.to_bytes(4, "big") for k in (n, 28, 28))
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz", "wb") as file:
        file.write(header + b"\x03" + sizes + bytes(pixels.flatten().tolist()))
    (folder / f"mnist_{part}-labels-idx1-ubyte").write_bytes(header + b"\x01" + sizes[:4] + bytes(labels.tolist()))


def test_real_digits_are_near_real_digits_and_noise_is_far(digits: Digits) -> None:
    assert digits.accuracy > 0.8
    real = digits.judge(digits.others)
    assert digits.judge(digits.test).frechet < 1e-6 * digits.judge(torch.rand_like(digits.test)).frechet
    ones = digits.train[:400] * 0 + digits.train[:1]
    assert digits.judge(ones).off == pytest.approx(9)
    assert digits.judge(ones).frechet > 10 * real.frechet
    assert digits.judge(ones).diversity < 1e-3 < real.diversity
    assert digits.total_variance == pytest.approx(digits.rows.double().var(0).sum().item())
    assert not any(torch.equal(a, b) for a in digits.others[:20, 0] for b in digits.train[:, 0])


def test_training_repeats_and_leaves_the_global_state(digits: Digits) -> None:
    before = global_state()
    plan = plan_for(digits, 64)
    assert plan.centers == plan.batch_size == 64
    a, b = (learn_images(digits, plan, steps=5, learning_rate=1e-3, seed=3)[0] for _ in range(2))
    assert torch.equal(a, b)
    assert a.shape == digits.others.shape
    assert a.min() >= 0
    assert a.max() <= 1
    x, y = (dict(generator_for(digits, seed).named_parameters())["trunk.0.weight"] for seed in (0, 1))
    assert not torch.equal(x, y)
    assert global_state() == before


def test_files_of_mnist_are_found_whatever_stands_before_their_names(tmp_path: Path) -> None:
    for part, n in (("train", 21_000), ("t10k", 1000)):
        _write_idx(tmp_path, part, n)
    found = read_digits(Options(quick=True, data=tmp_path, say=lambda _: None))
    assert found.name == "MNIST, 28 x 28"
    assert found.train.shape == (20_000, 1, 28, 28)
    assert found.others.shape == (1000, 1, 28, 28)


def test_a_folder_without_mnist_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no file train-images-idx3-ubyte.*--data or MIXTURA_DATA"):
        read_digits(Options(data=tmp_path))


def test_quick_run_on_the_small_digits() -> None:
    said: list[str] = []
    record = images(Options(quick=True, say=said.append))
    assert "scikit-learn" in said[0]
    assert record.settings["quick"] is True
    json.dumps(record.to_json(), allow_nan=False)
    rows = record.tables[0].rows
    assert len(rows) == len(said) == 8  # seven costs and the real images; the first line names the data
    frechet = {r[0]: float(r[3] or 0) for r in rows}
    assert min(frechet, key=frechet.__getitem__) == "real images"
    ratio = frechet["likelihood"] / frechet["SVD, debiased"]
    assert f"likelihood {ratio:.2g}" in record.findings[1]
