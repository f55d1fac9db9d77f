"""Readers of images on files that the tests write byte by byte."""

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from mixtura.datasets.images import read_cifar10, read_idx_images, read_image_folder, read_npz_images

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (3, 5, 4), dtype=np.uint8)
LABELS = np.array([7, 0, 255], np.uint8)
IDX = struct.pack(">IIII", 2051, 3, 5, 4) + PIXELS.tobytes()
IDX_LABELS = struct.pack(">II", 2049, 3) + LABELS.tobytes()
CIFAR = RNG.integers(0, 256, (2, 3072), dtype=np.uint8)


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _same(images: torch.Tensor, expected: np.ndarray) -> None:
    assert images.dtype == torch.float32
    np.testing.assert_array_equal(images.numpy(), expected.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_files_are_read_plain_and_gzipped(tmp_path: Path, pack) -> None:
    images, labels = read_idx_images(_write(tmp_path / "i", pack(IDX)), _write(tmp_path / "l", pack(IDX_LABELS)))
    _same(images, PIXELS[:, None])
    assert labels is not None
    assert labels.dtype == torch.int64
    assert labels.tolist() == [7, 0, 255]
    assert read_idx_images(tmp_path / "i")[1] is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no IDX file"),
        (b"PNG and more", "no IDX file"),
        (IDX_LABELS, "starts with 0 0 8 1"),
        (IDX[:10], "cut short"),
        (IDX[:-1], "cut short"),
        (IDX + b"x", "too long"),
        (gzip.compress(IDX)[:-12], "broken gzip"),
        (b"\x1f\x8bxx", "broken gzip"),
    ],
)
def test_broken_idx_files_are_named(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=f"broken-idx.*{words}"):
        read_idx_images(_write(tmp_path / "broken-idx", content))


def test_labels_of_other_images_are_refused(tmp_path: Path) -> None:
    other = struct.pack(">II", 2049, 2) + b"\0\1"
    with pytest.raises(ValueError, match="3 images, but labels"):
        read_idx_images(_write(tmp_path / "i", IDX), _write(tmp_path / "l", other))
    with pytest.raises(FileNotFoundError):
        read_idx_images(tmp_path / "nowhere")


def _python_2_pickle(data: np.ndarray, labels: list[int]) -> bytes:
    """The opcodes of Python 2 with protocol 2, as CIFAR-10 was published: texts are bytes (U, T)."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"M" + struct.pack("<H", data.shape[0]) + b"M" + struct.pack("<H", data.shape[1]) + b"\x86"
    raw = b"T" + struct.pack("<i", data.size) + data.tobytes()
    state = b"(K\x01" + shape + dtype + b"\x89" + raw + b"tb"
    items = b"".join(b"K" + bytes([label]) for label in labels)
    return b"\x80\x02}(" + text(b"data") + array + state + text(b"labels") + b"](" + items + b"eu."


@pytest.mark.parametrize(
    "content",
    [
        _python_2_pickle(CIFAR, [4, 9]),
        pickle.dumps({b"data": CIFAR, b"labels": [4, 9], b"batch_label": b"one"}, protocol=2),
        pickle.dumps({"data": CIFAR, "labels": [4, 9]}, protocol=4),
    ],
)
def test_batches_of_cifar_are_read_from_pickles_of_any_python(tmp_path: Path, content: bytes) -> None:
    images, labels = read_cifar10(_write(tmp_path / "data_batch_1", content))
    _same(images, CIFAR.reshape(2, 3, 32, 32))
    assert labels is not None
    assert labels.tolist() == [4, 9]


def test_binary_batches_of_cifar_are_joined(tmp_path: Path) -> None:
    records = [bytes([label]) + row.tobytes() for label, row in zip([4, 9], CIFAR, strict=True)]
    files = [_write(tmp_path / f"{i}.bin", r) for i, r in enumerate(records)]
    images, labels = read_cifar10(files)
    _same(images, CIFAR.reshape(2, 3, 32, 32))
    assert labels is not None
    assert labels.tolist() == [4, 9]
    with pytest.raises(ValueError, match="multiple of 3073"):
        read_cifar10(_write(tmp_path / "short.bin", records[0][:-1]))


class _Danger:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path: Path, protocol: int) -> None:
    touched = tmp_path / "touched"
    for harm in (_Danger(touched), eval, pickle.loads):
        bad = _write(tmp_path / "bad", pickle.dumps({"data": harm, "labels": [1]}, protocol))
        with pytest.raises(ValueError, match="not an array"):
            read_cifar10(bad)
    assert not touched.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        pickle.dumps([1, 2]),
        pickle.dumps({"data": CIFAR}),
        pickle.dumps({"data": CIFAR[:, :-1], "labels": [1, 2]}),
        pickle.dumps({"data": CIFAR, "labels": [1, 2]})[:200],
        pickle.dumps({"data": CIFAR, "labels": [1, 2, 3]}),
        pickle.dumps({"data": CIFAR.astype(float), "labels": [1, 2]}),
    ],
)
def test_broken_batches_of_cifar_are_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match="broken-batch"):
        read_cifar10(_write(tmp_path / "broken-batch", content))


def test_npz_files_are_read_in_every_layout(tmp_path: Path) -> None:
    colours = RNG.integers(0, 256, (2, 6, 5, 3), dtype=np.uint8)
    path = tmp_path / "images.npz"
    for x, expected in (
        (PIXELS, PIXELS[:, None]),
        (colours, colours.transpose(0, 3, 1, 2)),
        (colours.transpose(0, 3, 1, 2), colours.transpose(0, 3, 1, 2)),
    ):
        np.savez(path, images=x)
        images, labels = read_npz_images(path)
        _same(images, expected)
        assert labels is None
    np.savez(path, images=PIXELS / 255.0, labels=LABELS)
    images, labels = read_npz_images(path)
    _same(images, PIXELS[:, None])
    assert labels is not None
    assert labels.tolist() == LABELS.tolist()


def test_broken_npz_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    for content, words in (
        ({"train": PIXELS}, "no array 'images'; it holds: train"),
        ({"images": PIXELS[0]}, "shape"),
        ({"images": PIXELS.astype(int)}, "type int64"),
        ({"images": PIXELS * 1.5}, "outside"),
        ({"images": np.array([[[None]]])}, "not an npz file of numbers"),
        ({"images": PIXELS, "labels": LABELS[:2]}, "labels of shape"),
    ):
        np.savez(path, allow_pickle=True, **content)
        with pytest.raises(ValueError, match=words):
            read_npz_images(path)
    np.savez_compressed(path, images=PIXELS)
    for content in (path.read_bytes()[:-30], b"text", b""):
        with pytest.raises(ValueError, match="not an npz"):
            read_npz_images(_write(path, content))
    np.save(tmp_path / "one.npy", PIXELS)
    with pytest.raises(ValueError, match="not an npz"):
        read_npz_images(tmp_path / "one.npy")


def test_a_folder_is_read_in_the_order_of_names_cropped_to_a_square(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    wide = np.zeros((4, 8, 3), np.uint8)
    wide[:, 2:6] = [255, 51, 0]  # the square in the middle
    image.fromarray(wide).save(tmp_path / "b.png")
    image.fromarray(np.full((4, 4), 102, np.uint8)).save(tmp_path / "a.PNG")
    (tmp_path / "notes.txt").write_text("no image")
    images, labels = read_image_folder(tmp_path, size=4)
    assert labels is None
    assert images.shape == (2, 3, 4, 4)
    assert images[0].unique().tolist() == pytest.approx([0.4])
    assert images[1].amax((1, 2)).tolist() == images[1].amin((1, 2)).tolist() == pytest.approx([1, 0.2, 0])
    grey, _ = read_image_folder(tmp_path, size=2, rows=1, grey=True, progress=True)
    assert grey.shape == (1, 1, 2, 2)


def test_bad_folders_are_named(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image")
    with pytest.raises(FileNotFoundError):
        read_image_folder(tmp_path / "nowhere", size=4)
    with pytest.raises(FileNotFoundError, match="no image"):
        read_image_folder(tmp_path, size=4)
    with pytest.raises(ValueError, match="size"):
        read_image_folder(tmp_path, size=0)
    _write(tmp_path / "broken.jpg", b"text")
    with pytest.raises(ValueError, match=r"broken\.jpg"):
        read_image_folder(tmp_path, size=4)
