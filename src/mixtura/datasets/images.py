"""Readers of files of images: IDX (MNIST), CIFAR-10, npz and folders."""

from __future__ import annotations

import codecs
import gzip
import math
import pickle
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mixtura._optional import require

__all__ = ["Images", "read_cifar10", "read_idx_images", "read_image_folder", "read_npz_images"]

Images = tuple[Tensor, Tensor | None]
"""Images in float32 in [0, 1], shape ``(n, C, H, W)``, and their labels, int64 of shape ``(n,)``, if there are any."""

_CIFAR = (3, 32, 32)
_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def read_idx_images(images: str | Path, labels: str | Path | None = None) -> Images:
    """Read images, and labels if there are, from IDX files as of MNIST, plain or gzipped.

    Args:
        images: such as ``train-images-idx3-ubyte.gz``.
        labels: such as ``train-labels-idx1-ubyte.gz``.

    Returns:
        Images in [0, 1] of shape ``(n, 1, H, W)`` and labels of shape ``(n,)`` or None.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where a file is no IDX file of bytes, is cut short, or the two files do not belong together.

    Source:
        LeCun, Cortes & Burges, "The MNIST database of handwritten digits" (file format).
    """
    pixels = _read_idx(Path(images), 3)
    return _finish(pixels[:, None], None if labels is None else _read_idx(Path(labels), 1), str(images))


def read_cifar10(files: str | Path | Sequence[str | Path]) -> Images:
    """Read batches of CIFAR-10, of the Python version or, with the suffix ``.bin``, of the binary version.

    The Python version holds pickles; they are read without executing anything that they contain.

    Args:
        files: one file or several, such as ``data_batch_1`` or ``test_batch.bin``.

    Returns:
        Images in [0, 1] of shape ``(n, 3, 32, 32)`` and labels of shape ``(n,)``.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where a file is no batch of CIFAR-10 or is cut short.

    Source:
        Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    paths = [Path(f) for f in ([files] if isinstance(files, str | Path) else files)]
    if not paths:
        raise ValueError("files names no file: give at least one batch of CIFAR-10.")
    batches = [_read_cifar_binary(p) if p.suffix == ".bin" else _read_cifar_pickle(p) for p in paths]
    pixels, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return _finish(pixels.reshape(-1, *_CIFAR), labels, ", ".join(map(str, paths)))


def read_npz_images(path: str | Path, images: str = "images", labels: str = "labels") -> Images:
    """Read images, and labels if there are, from the arrays of an npz file.

    Args:
        path: the file.
        images: name of the array: bytes or floats in [0, 1], shape ``(n, H, W)``, ``(n, C, H, W)`` or ``(n, H, W, C)``
            with C of 1 or 3.
        labels: name of the array of labels, if there is one.

    Returns:
        Images in [0, 1] of shape ``(n, C, H, W)`` and labels of shape ``(n,)`` or None.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: where it is no npz file, lacks the array or holds something else than images.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in (images, labels) if name in file}
            names = file.files
    except (zipfile.BadZipFile, zlib.error, EOFError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not an npz file of numbers, or a broken one.") from error
    if images not in arrays:
        raise ValueError(f"{path} has no array {images!r}; it holds: {', '.join(names)}.")
    x, y = arrays[images], arrays.get(labels)
    channels = (1, 3)
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and x.shape[1] not in channels and x.shape[3] in channels:
        x = np.moveaxis(x, 3, 1)
    if x.ndim != 4 or x.shape[1] not in channels:
        raise ValueError(
            f"{images!r} of {path} has shape {x.shape}; images are (n, H, W), (n, C, H, W) or (n, H, W, C)."
        )
    return _finish(x, y, str(path))


def read_image_folder(
    folder: str | Path, size: int, rows: int | None = None, grey: bool = False, progress: bool = False
) -> Images:
    """Read the images of a folder, such as CelebA's, in the order of their names, cropped to a square and resized.

    Args:
        folder: its own files are read, not those of folders in it.
        size: height and width of the result, in pixels.
        rows: so many of them; None reads all.
        grey: whether to turn colours into grey.
        progress: whether to show a bar.

    Returns:
        Images in [0, 1] of shape ``(n, 3, size, size)``, or ``(n, 1, size, size)`` if grey, and None.

    Raises:
        FileNotFoundError: where there is no such folder, or no image in it.
        ImportError: where Pillow, or tqdm for the bar, is not installed.
        ValueError: where a file cannot be read or ``size`` or ``rows`` is below 1.
    """
    image, ops = (require(f"PIL.{name}", "A folder of images") for name in ("Image", "ImageOps"))
    if size < 1 or (rows is not None and rows < 1):
        raise ValueError(f"size and rows must be at least 1, got {size} and {rows}.")
    files = sorted(p for p in Path(folder).iterdir() if p.suffix.lower() in _SUFFIXES)[:rows]
    if not files:
        raise FileNotFoundError(f"{folder} holds no image; looked for {', '.join(sorted(_SUFFIXES))}.")
    pixels = np.empty((len(files), size, size, 1 if grey else 3), np.uint8)
    bar = require("tqdm.auto", "A progress bar").tqdm(files, unit="image", desc="reading") if progress else files
    for i, path in enumerate(bar):
        try:
            with image.open(path) as opened:
                square = ops.fit(opened.convert("L" if grey else "RGB"), (size, size))
        except (OSError, SyntaxError, image.DecompressionBombError) as error:
            raise ValueError(f"{path} is not an image, or a broken one: mend or remove it.") from error
        pixels[i] = np.asarray(square).reshape(size, size, -1)
    return _finish(np.moveaxis(pixels, 3, 1), None, str(folder))


def _read_idx(path: Path, dims: int) -> NDArray[np.uint8]:
    """Return the bytes of an IDX file: 0, 0, 8 for bytes, the number of dimensions, their sizes, the values."""
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is a broken gzip file: get it again.") from error
    if raw[:4] != bytes([0, 0, 8, dims]):
        raise ValueError(
            f"{path} is no IDX file of bytes in {dims} dimensions: it should start with 0 0 8 {dims}, "
            f"but starts with {' '.join(map(str, raw[:4]))}."
        )
    start = 4 + 4 * dims
    shape = tuple(np.frombuffer(raw[4:start], ">u4").tolist()) if len(raw) >= start else (0,)
    if len(raw) < start or len(raw) - start != math.prod(shape):
        raise ValueError(f"{path} is cut short or too long: {len(raw)} bytes for an array of shape {shape}.")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def _read_cifar_binary(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    record = 1 + math.prod(_CIFAR)
    if len(raw) == 0 or len(raw) % record:
        raise ValueError(f"{path} has {len(raw)} bytes; a batch of CIFAR-10 has a multiple of {record}.")
    rows = raw.reshape(-1, record)
    return rows[:, 1:], rows[:, 0]


def _read_cifar_pickle(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        with open(path, "rb") as file:
            batch = _Unpickler(file, encoding="bytes").load()
        batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
        pixels, labels = np.asarray(batch["data"]), np.asarray(batch["labels"])
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{path} is no batch of CIFAR-10, or a broken one: {error}") from error
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != math.prod(_CIFAR):
        raise ValueError(
            f"{path} holds data of shape {pixels.shape} and type {pixels.dtype}; CIFAR-10 is (n, 3072) bytes."
        )
    return pixels, labels


class _Unpickler(pickle.Unpickler):
    """Read arrays of numbers and nothing else."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        name = f"{module_name}.{global_name}".replace("numpy._core.", "numpy.core.")
        if name == "numpy.core.multiarray._reconstruct":
            return np.ndarray.__reduce__(np.empty(0))[0]
        if name in ("numpy.ndarray", "numpy.dtype"):
            return getattr(np, global_name)
        if name == "_codecs.encode":
            return _to_bytes
        raise pickle.UnpicklingError(f"it holds {module_name}.{global_name}, which is not an array.")


def _to_bytes(text: str, encoding: str | bytes) -> bytes:
    """Return the bytes that old protocols write as text."""
    if encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"it holds text in the encoding {encoding!r}.")
    return codecs.encode(text, "latin1")


def _finish(pixels: NDArray[Any], labels: NDArray[Any] | None, source: str) -> Images:
    """Return bytes as numbers in [0, 1], checked against their labels."""
    if pixels.dtype == np.uint8:
        images = torch.from_numpy(pixels.astype(np.float32)).div_(255)
    elif pixels.dtype.kind == "f":
        images = torch.from_numpy(pixels.astype(np.float32))
        if not bool(((images >= 0) & (images <= 1)).all()):
            raise ValueError(f"{source} holds pixels outside [0, 1]: scale them first.")
    else:
        raise ValueError(f"{source} holds pixels of type {pixels.dtype}; they must be bytes or floats in [0, 1].")
    if labels is None:
        return images, None
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{source} has {len(images)} images, but labels of shape {labels.shape} and type {labels.dtype}: "
            "there must be one integer per image."
        )
    return images, torch.from_numpy(labels.astype(np.int64))
