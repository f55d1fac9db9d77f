"""What every way to a nuclear norm returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from torch import Tensor
from torch.autograd import Function

__all__ = ["Certificate", "once"]


@dataclass(frozen=True)
class Certificate:
    """Hold ``lower <= ‖C‖_* <= upper``, both of shape ``(*B)``, and the factor that attains the lower side.

    The factor W, shape ``(*B, N, M)``, has singular values in [0, 1] and is the gradient of ``lower`` in C; on the
    numerical range of C it is the polar factor U Vᵀ, and zero off it. So repeated and zero singular values are no
    special cases.
    """

    lower: Tensor
    upper: Tensor
    factor: Tensor

    @property
    def value(self) -> Tensor:
        """The lower side, so that what bounds the norm bounds the value."""
        return self.lower


def once(gradient: Tensor, *of: Tensor) -> Tensor:
    """Return a gradient, of these tensors, that says so where somebody differentiates it."""
    found: Any = _Once.apply(gradient, *of)
    return found


class _Once(Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *of: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> NoReturn:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise NotImplementedError(
            "a nuclear norm can be differentiated once only: its second derivative does not exist where singular "
            "values repeat or vanish. Take Hessian-vector products of another cost, such as matrix_matrix."
        )
