"""Forward models of two inverse problems of mechanics, with the priors of the literature: a robot arm and a shot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "arm_joints",
    "arm_prior",
    "ballistics",
    "ballistics_prior",
    "inverse_ballistics",
    "inverse_kinematics",
    "robot_arm",
]

Array = NDArray[np.float64]
Angles = Literal["cumulative", "differences"]
Seed = int | np.random.Generator | None

_LENGTHS = (0.5, 0.5, 1.0)
_GRAVITY = 9.81
_TIME = 0.2 / 0.25
"""Mass over drag, m / k in seconds: the time over which drag stops the shot."""
_FALL = _GRAVITY * _TIME
"""Speed at which drag balances gravity, g m / k in m/s."""
_STEPS = 80


def arm_joints(x: ArrayLike, lengths: Sequence[float] = _LENGTHS, angles: Angles = "cumulative") -> Array:
    r"""Return where base, joints and tip of a planar robot arm are.

    The base slides to the height ``x_1``; link i leads from there by ``l_i (cos φ_i, sin φ_i)``. Two conventions are in
    use for the angles of the links: each joint turns all that follows, ``φ_i = x_2 + … + x_(i+1)`` (``"cumulative"``),
    or ``φ_i = x_(i+1) - x_2 - … - x_i`` (``"differences"``: φ_2 = x_3 - x_2, φ_3 = x_4 - x_3 - x_2).

    Args:
        x: height of the base and an angle in radians per link, shape ``(*B, L + 1)``.
        lengths: of the L links.
        angles: the convention.

    Returns:
        Horizontal and vertical positions, shape ``(*B, L + 1, 2)``: the base first, the tip last.

    Raises:
        ValueError: where x has another number of columns, or the convention is none of the two.

    Source:
        ``"cumulative"``: Kruse, Ardizzone, Rother & Köthe 2021, "Benchmarking invertible architectures on inverse
        problems"; ``"differences"``: Ardizzone et al. 2019, "Analyzing inverse problems with invertible neural
        networks".

    Example:
        >>> arm_joints([0.0, np.pi / 2, -np.pi / 2, 0.0]).round(6)
        array([[0. , 0. ], [0. , 0.5], [0.5, 0.5], [1.5, 0.5]])
    """
    x, phi = _link_angles(x, lengths, angles)
    links = np.asarray(lengths, np.float64)[:, None] * np.stack([np.cos(phi), np.sin(phi)], -1)
    base = np.stack([np.zeros_like(x[..., 0]), x[..., 0]], -1)
    return np.concatenate([base[..., None, :], links], -2).cumsum(-2)


def robot_arm(x: ArrayLike, lengths: Sequence[float] = _LENGTHS, angles: Angles = "cumulative") -> Array:
    """Return where the tip of a planar robot arm is, horizontally and vertically, shape ``(*B, 2)``.

    Args, Raises and Source are those of :func:`arm_joints`.

    Example:
        >>> robot_arm([0.25, 0.0, 0.0, 0.0])
        array([2.  , 0.25])
    """
    x, phi = _link_angles(x, lengths, angles)
    return np.stack([np.cos(phi) @ lengths, x[..., 0] + np.sin(phi) @ lengths], -1)


def arm_prior(n: int, links: int = 3, random_state: Seed = None) -> Array:
    """Draw heights from N(0, 0.25²) and angles from N(0, 0.5²), in radians, shape ``(n, links + 1)``.

    Source:
        as :func:`arm_joints`; both conventions have this prior.

    Example:
        >>> arm_prior(4, random_state=0).shape
        (4, 4)
    """
    return np.random.default_rng(random_state).standard_normal((n, links + 1)) * ([0.25] + [0.5] * links)


def inverse_kinematics(
    n: int, lengths: Sequence[float] = _LENGTHS, angles: Angles = "cumulative", random_state: Seed = None
) -> tuple[Array, Array]:
    """Draw pairs for the inverse problem of the robot arm: given the tip, which height and angles led there?

    Args:
        n: number of rows.
        lengths: of the links.
        angles: the convention of :func:`arm_joints`.
        random_state: seed, or a generator to draw from.

    Returns:
        X of shape (n, 2), the tips, and targets t of shape (n, links + 1) from :func:`arm_prior`.

    Example:
        >>> X, t = inverse_kinematics(5, random_state=0)
        >>> X.shape, t.shape, bool((robot_arm(t) == X).all())
        ((5, 2), (5, 4), True)
    """
    t = arm_prior(n, len(lengths), random_state)
    return robot_arm(t, lengths, angles), t


def ballistics(x: ArrayLike) -> Array:
    r"""Return where a shot lands that gravity and drag in proportion to its speed act upon, in metres.

    ``m v' = -m g e_y - k v`` with g = 9.81 m/s², k = 0.25 kg/s, m = 0.2 kg. With τ = m/k, the height after the time τs
    is zero where ``h + u (1 - e^-s) - s = 0`` for ``h = y_0 / (g τ²)`` and ``u = 1 + v_0 sin θ / (g τ)``. The shot
    lands at the larger root s, at ``x_0 + τ v_0 cos θ (1 - e^-s)``. Newton's iteration finds it from a side where it is
    monotone, up to rounding, also where the shot starts on the ground and hardly leaves it. The source's code takes
    the last of 1,500 points of time on [0, 6] s before the landing instead, up to 4 ms early.

    Args:
        x: horizontal and vertical start in metres, angle θ in radians, speed v_0 in m/s, shape ``(*B, 4)``.

    Returns:
        Horizontal position of the landing, shape ``(*B, 1)``; NaN where the shot starts below the ground and never
        comes down on it.

    Raises:
        ValueError: where x has another number of columns.

    Source:
        Kruse, Ardizzone, Rother & Köthe 2021, "Benchmarking invertible architectures on inverse problems".

    Example:
        >>> ballistics([0.0, 1.5, np.pi / 4, 15.0]).round(4)
        array([7.6927])
        >>> ballistics([0.0, -1.0, np.pi / 4, 1.0])
        array([nan])
    """
    x0, y0, theta, v0 = np.moveaxis(_columns(x, 4, "x_0, y_0, the angle and the speed"), -1, 0)
    s = _landing(y0 / (_FALL * _TIME), 1 + v0 * np.sin(theta) / _FALL)
    return (x0 - _TIME * v0 * np.cos(theta) * np.expm1(-s))[..., None]


def ballistics_prior(n: int, random_state: Seed = None) -> Array:
    """Draw shots: ``x_0 ~ N(0, 0.5²)``, ``y_0 ~ max(0, N(1.5, 0.5²))``, ``θ ~ U(9°, 81°)`` and ``v_0 ~ Poisson(15)``.

    Returns:
        In metres, radians and m/s, shape ``(n, 4)``; v_0 is a whole number.

    Source:
        as :func:`ballistics`.

    Example:
        >>> ballistics_prior(3, random_state=0)[:, 3]
        array([22., 11., 15.])
    """
    rng = np.random.default_rng(random_state)
    start = rng.standard_normal((n, 2)) * 0.5 + [0, 1.5]
    theta, v0 = rng.uniform(0.05 * math.pi, 0.45 * math.pi, n), rng.poisson(15, n).astype(np.float64)
    return np.column_stack([start[:, 0], np.maximum(start[:, 1], 0), theta, v0])


def inverse_ballistics(n: int, random_state: Seed = None) -> tuple[Array, Array]:
    """Draw pairs for the inverse problem of the shot: given the landing, which shot was it?

    Args:
        n: number of rows.
        random_state: seed, or a generator to draw from.

    Returns:
        X of shape (n, 1), the landings, and targets t of shape (n, 4) from :func:`ballistics_prior`.

    Example:
        >>> X, t = inverse_ballistics(5, random_state=0)
        >>> X.shape, t.shape, bool((ballistics(t) == X).all())
        ((5, 1), (5, 4), True)
    """
    t = ballistics_prior(n, random_state)
    return ballistics(t), t


def _link_angles(x: ArrayLike, lengths: Sequence[float], angles: Angles) -> tuple[Array, Array]:
    """Return x as an array, and the angle φ_i of every link against the horizontal."""
    x = _columns(x, len(lengths) + 1, f"the height of the base and an angle for each of the {len(lengths)} links")
    turns = x[..., 1:]
    total = turns.cumsum(-1)
    if angles == "cumulative":
        return x, total
    if angles == "differences":
        return x, 2 * turns - total
    raise ValueError(f"angles must be 'cumulative' or 'differences', got {angles!r}.")


def _landing(h: Array, u: Array) -> Array:
    """Return the larger root s of ``h + u (1 - e^-s) - s``, or NaN where it has none.

    For u > 0 the function is concave and falls at ``s = h + u``, where it is not positive, for u <= 0 it falls
    everywhere, is convex, and is not negative at 0: from there Newton's steps are monotone, and halve the way at worst.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        lands = (h >= 0) | ((u > 1) & (h + u - 1 - np.log(u) >= 0))
        s = np.where(lands, np.where(u > 0, h + u, 0.0), np.nan)
        for _ in range(_STEPS):
            slope = u * np.exp(-s) - 1
            value = h - u * np.expm1(-s) - s
            step = np.where(slope < 0, value / slope, 0.0)
            s = s - step
            if not (np.abs(step) > 1e-15 * (1 + s)).any():
                break
    return np.maximum(s, 0)


def _columns(x: ArrayLike, columns: int, what: str) -> Array:
    x = np.asarray(x, np.float64)
    if x.ndim == 0 or x.shape[-1] != columns:
        raise ValueError(f"x must hold {what}, shape (*B, {columns}), got {x.shape}.")
    return x
