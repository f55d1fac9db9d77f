"""Blocks of pairs of isotropic Gaussians: their exponents, and what multiplies them in a gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mixtura.hilbert.distances import FEW_DIMENSIONS, TOLERANCE, product_error

__all__ = ["BITS", "Blocks", "Columns"]

BITS = 1 / math.log(2)
"""Bits in a nat."""

Columns = slice | Tensor
"""A range of columns, or their indices."""
_COLUMNS = 2048
_PAIRS_CACHE, _PAIRS_PRODUCT, _PAIRS_ACCELERATOR = 2**18, 2**21, 2**24
"""Pairs in one block: what stays in a cache, what a product of matrices needs, what fills an accelerator."""


@dataclass
class Blocks:
    """Hold ``w_i N(x_i - y_j; 0, s_ij I) = e^constant 2^(e_ij)`` with ``s_ij = v_i + u_j``, a block of pairs at a time.

    Few dimensions: exact differences, one N x M buffer for each coordinate. Many: products of centred matrices, in
    float64 where float32 would lose digits; exact differences where float64 would, too. Exponents are in bits, because
    a processor takes powers of two more than twice as fast as those of e.
    """

    a: Tensor  # log2-weights, (N,)
    x: Tensor
    v: Tensor
    y: Tensor  # centred
    u: Tensor
    s: float  # the mean of s_ij, which is s of all pairs where variances are tied
    center: Tensor | None = None
    norms: tuple[Tensor, Tensor] | None = None  # ‖x_i‖² and ‖y_j‖² of centred points, where products are safe
    keep: bool = False  # whether the distances of a block are needed after its exponents
    _buffers: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tied = self.v.shape[0] == self.u.shape[0] == 1
        self._equal = bool((self.a == self.a[0]).all())
        self._yt = self.y.T.contiguous()

    @classmethod
    def of(cls, log_w: Tensor, x: Tensor, v: Tensor, y: Tensor, u: Tensor, keep: bool) -> Blocks:
        """Choose the arithmetic for the data."""
        x, v, y, u = (t.detach() for t in (x, v, y, u))
        s = (v.double().mean() + u.double().mean()).item()
        a = log_w.detach() * BITS
        if x.shape[1] <= FEW_DIMENSIONS:
            return cls(a.to(x), x, v, y, u, s, keep=keep)
        center = 0.5 * (x.mean(0) + y.mean(0))
        smallest = (v.amin() + u.amin()).item()
        for dtype in dict.fromkeys((x.dtype, torch.float64)):
            blocks = cls(a.to(dtype), x, v.to(dtype), y.to(dtype) - center, u.to(dtype), s, center.to(dtype), keep=keep)
            xx = torch.cat([_square_norms(blocks._points(i)) for i in blocks.rows()])
            yy = _square_norms(blocks.y)
            if product_error(xx.amax().double() + yy.amax(), smallest, dtype) <= TOLERANCE[x.dtype]:
                blocks.norms = (xx, yy)
                return blocks
        return cls(a.double(), x, v.double(), y.double(), u.double(), s, torch.zeros_like(center).double(), keep=keep)

    @property
    def constant(self) -> float:
        """What the exponents of all pairs share, in float64 also where they are in float32."""
        return -0.5 * self.D * math.log(2 * math.pi * self.s)

    @property
    def N(self) -> int:
        """Number of rows."""
        return self.x.shape[0]

    @property
    def M(self) -> int:
        """Number of columns."""
        return self.y.shape[0]

    @property
    def D(self) -> int:
        """Number of dimensions."""
        return self.x.shape[1]

    def columns(self) -> Iterator[slice]:
        """Blocks of columns."""
        return _slices(self.M, _COLUMNS)

    def rows(self) -> Iterator[slice]:
        """Blocks of rows, so that a block of pairs stays in the cache of a processor or fills an accelerator."""
        return _slices(self.N, self._height)

    def samples(self) -> Iterator[slice]:
        """A few blocks of rows from everywhere, at most one row of 64."""
        step = max(64, self.N // (4 * self._height))
        count = min(4, -(-self.N // (step * self._height)))
        return (slice(k, self.N, step * count) for k in range(0, min(step * count, self.N), step))

    def exponents(self, i: slice, j: Columns, shift: Tensor | None = None) -> Tensor:
        """Return ``e_ij - shift_j`` in a buffer; what the gradient needs stays in others."""
        if self.norms is not None and self.tied and not self.keep:
            return self._product(i, j, shift)
        if self._few and self.tied and not self.keep:
            return self._fused(i, j, shift)
        distances = self._distances(i, j)
        E = self._buffer("exponents", tuple(distances.shape)) if self.keep else distances
        if self.tied:
            torch.add(self.a[i].unsqueeze(-1), distances, alpha=self._scale, out=E)
        else:
            s = self._s(i, j)
            torch.div(distances, s, out=E).mul_(-0.5 * BITS).add_(self.a[i].unsqueeze(-1)).sub_(
                (s / self.s).log2_(), alpha=0.5 * self.D
            )
        return E if shift is None else E.sub_(shift)

    def powers(self, exponents: Tensor) -> Tensor:
        """Return the powers of two in place, never smaller than what no sum could notice.

        A processor is up to a hundred times slower where a number is so small that it loses digits (a subnormal one).
        """
        return exponents.clamp_min_(-115.0 if exponents.dtype == torch.float32 else -995.0).exp2_()

    def variance_moment(self, E: Tensor, i: slice, j: Columns) -> Tensor:
        """Return ``E_ij (‖x_i - y_j‖² / s - D) / 2s`` in place of the distances that were kept."""
        s = self._s(i, j)
        return self._buffers["distances"].div_(s).sub_(self.D).mul_(E).div_(2 * s)

    def offset_columns(self, E: Tensor, total: Tensor, i: slice, j: Columns) -> Tensor:
        """Return ``Σ_i E_ij (x_i - y_j) / s``, shape ``(D, M)``, for ``total = Σ_i E_ij``; uses up the offsets."""
        W = E if self.tied else E.div_(self._s(i, j))
        if self._few:
            R = self._buffers["offsets"].mul_(W).sum(1)
        else:
            R = self._buffer("sums", (self.D, W.shape[1]))
            torch.mm(self._buffers["points"][:, : self.D].T, W, out=R)
            R.addcmul_(self._yt[:, j], total if self.tied else W.sum(0), value=-1)
        return R.div_(self.s) if self.tied else R

    def offset_rows(self, E: Tensor, i: slice, j: Columns) -> Tensor:
        """Return ``Σ_j E_ij (x_i - y_j) / s``, shape ``(N, D)``; uses up the offsets."""
        W = E if self.tied else E.div_(self._s(i, j))
        if self._few:
            R = self._buffers["offsets"].mul_(W).sum(-1).T
        else:
            R = self._buffers["points"][:, : self.D] * W.sum(-1, keepdim=True) - W @ self.y[j]
        return R / self.s if self.tied else R

    def _distances(self, i: slice, j: Columns) -> Tensor:
        """Return ``‖x_i - y_j‖²`` in a buffer."""
        if self._few:
            first, *others = self._offsets(i, j)
            D2 = torch.mul(first, first, out=self._buffer("distances", tuple(first.shape)))
            for t in others:
                D2.addcmul_(t, t)
            return D2
        X, Y = self._points(i), self.y[j]
        D2 = self._buffer("distances", (X.shape[0], Y.shape[0]))
        if self.norms is None:
            return D2.copy_(torch.cdist(X, Y, compute_mode="donot_use_mm_for_euclid_dist")).square_()
        xx, yy = self.norms
        torch.mm(X, Y.T, out=D2)
        return torch.add(yy[j], D2, alpha=-2, out=D2).add_(xx[i].unsqueeze(-1))

    def _offsets(self, i: slice, j: Columns) -> tuple[Tensor, ...]:
        """Return ``x_i - y_j`` for each coordinate, in a buffer."""
        X, Y = self.x[i].T.contiguous().unsqueeze(-1), self._yt[:, j].unsqueeze(-2)
        return torch.sub(X, Y, out=self._buffer("offsets", (self.D, X.shape[1], Y.shape[2]))).unbind()

    def _fused(self, i: slice, j: Columns, shift: Tensor | None) -> Tensor:
        """Return the exponents with one pass for each coordinate and none for the weights, where all are equal."""
        first, *others = self._offsets(i, j)
        at_once = shift is not None and self._equal
        start = self.a[0] - shift if at_once and shift is not None else self.a[i].unsqueeze(-1)
        E = torch.addcmul(start, first, first, value=self._scale, out=self._buffer("exponents", tuple(first.shape)))
        for t in others:
            E.addcmul_(t, t, value=self._scale)
        return E if shift is None or at_once else E.sub_(shift)

    def _product(self, i: slice, j: Columns, shift: Tensor | None) -> Tensor:
        """Return ``[x_i, a_i + c‖x_i‖², 1] · [-2c y_j, 1, c‖y_j‖² - shift_j]``: exponents as one product."""
        assert self.norms is not None
        xx, yy = (norms * self._scale for norms in (self.norms[0][i], self.norms[1][j]))
        X = self._points(i, extra=2)
        X[:, self.D] = self.a[i] + xx
        X[:, self.D + 1] = 1
        Y = self._buffer("columns", (yy.shape[0], X.stride(0)))[:, : self.D + 2]
        torch.mul(self.y[j], -2 * self._scale, out=Y[:, : self.D])
        Y[:, self.D] = 1
        Y[:, self.D + 1] = yy if shift is None else yy - shift
        return torch.mm(X, Y.T, out=self._buffer("exponents", (X.shape[0], Y.shape[0])))

    def _points(self, i: slice, extra: int = 0) -> Tensor:
        """Return rows of x, centred, in a buffer with ``extra`` columns."""
        x = self.x[i]
        if self.center is None:
            return x
        aligned = -(-(self.D + extra) // 16) * 16  # rows that begin on a cache line are multiplied faster
        X = self._buffer("points", (x.shape[0], aligned))[:, : self.D + extra]
        torch.sub(x, self.center, out=X[:, : self.D])
        return X

    def _s(self, i: slice, j: Columns) -> Tensor:
        v = self.v if self.v.shape[0] == 1 else self.v[i]
        u = self.u if self.u.shape[0] == 1 else self.u[j]
        return v.unsqueeze(-1) + u.unsqueeze(-2)

    def _buffer(self, name: str, shape: tuple[int, ...]) -> Tensor:
        buffer = self._buffers.get(name)
        if buffer is None or buffer.shape != shape:
            buffer = self._buffers[name] = self.y.new_empty(shape)
        return buffer

    @property
    def _scale(self) -> float:
        """c of the exponents ``a_i + c ‖x_i - y_j‖²``, where variances are tied."""
        return -0.5 * BITS / self.s

    @property
    def _few(self) -> bool:
        return self.center is None

    @property
    def _height(self) -> int:
        pairs = _PAIRS_ACCELERATOR if self.x.is_cuda else _PAIRS_CACHE if self._few else _PAIRS_PRODUCT
        return max(1, pairs // min(self.M, _COLUMNS))


def _square_norms(x: Tensor) -> Tensor:
    return torch.linalg.vector_norm(x, dim=-1).square()


def _slices(size: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, size)) for start in range(0, size, step))
