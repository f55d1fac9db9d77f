"""What the components of trained networks say about the data and the settings, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["about_floors", "about_grids", "about_usage"]

_TOLD = 0.05
"""Share of the rows of a component that rest on the floor, from which on it is worth a sentence."""
_CELLS = "judge the model by the probability of a grid cell (interval_log_prob) rather than by likelihood"


def about_usage(usage: Tensor, dead: Tensor, limit: float) -> str:
    """Say how many components are used, and what to do where some are not.

    Args:
        usage: shares of the rows, shape ``(E, K)``, NaN where there is no component.
        dead: which are not used, shape ``(E, K)``.
        limit: part of an even share of the rows below which a component counts as not used.
    """
    counts = (~usage.isnan()).sum(-1)
    n, unused = int(counts.sum()), int(dead.sum())
    if not unused:
        return "The only component is used." if n == 1 else f"All {n} components are used."
    share = f"less than {_percent(limit / counts.min().item())} of the rows"
    who = f"{unused} of {n} components are not used: each explains {share}."
    if unused == 1:
        who = f"1 of {n} components is not used: it explains {share}."
    most = int((counts - dead.sum(-1)).max())
    fewer = "Fewer components would do"
    if most < int(counts.max()):
        fewer = f"No network uses more than {most}, so components={most} would do"
    return f"{who} {fewer}; a weight_prior above zero keeps all of them in use."


def about_grids(step: Sequence[float], floor: Sequence[float]) -> list[str]:
    """Say which targets lie on a grid that is coarse enough to matter, and what follows from it.

    Args:
        step: of the grid of each of T targets, zero for none.
        floor: smallest scale that a component may have, in units of each target.
    """
    sentences = []
    for t, (width, least) in enumerate(zip(step, floor, strict=True)):
        cell = width / 12**0.5
        if least > 1.001 * cell:
            continue
        meaning = f"no component may be narrower than step/√12 = {cell:.3g}"
        if least < 0.999 * cell:
            meaning = f"components as narrow as {least:.3g} are allowed, less than step/√12 = {cell:.3g}: {_CELLS}"
        target = "The target" if len(step) == 1 else f"Target {t}"
        sentences.append(f"{target} lies on a grid of step {width:.3g}; {meaning}.")
    return sentences


def about_floors(at_floor: Tensor, step: Sequence[float], floor: Sequence[float]) -> list[str]:
    """Say which components rest on the floor of the scales, and what may be the cause.

    Args:
        at_floor: share of the rows of each component that rest there, shape ``(E, K, T)``.
        step: as in :func:`about_grids`.
        floor: as in :func:`about_grids`.
    """
    E, K, T = at_floor.shape
    gridded = [width > 0 and least <= 1.001 * width / 12**0.5 for width, least in zip(step, floor, strict=True)]
    sentences = []
    for t in range(T):
        share = at_floor[..., t]
        resting = int((share >= _TOLD).sum())
        if not resting or (t and torch.equal(share, at_floor[..., 0])):  # one scale for all targets: said once
            continue
        e, k = divmod(int(share.argmax()), K)
        which = f"component {k} of network {e}" if E > 1 else f"component {k}"
        who = f"{resting} of {E * K} components rest on it, most of all {which}: "
        if resting == 1:
            who = f"{which.capitalize()} rests on it "
        target = "" if T == 1 else f" of target {t}"
        sentences.append(
            f"The smallest scale allowed{target} is {floor[t]:.3g}. {who}for {_percent(share.max().item())} of its "
            f"rows. {_cause(t, gridded)}"
        )
    return sentences


def _cause(t: int, gridded: Sequence[bool]) -> str:
    if gridded[t]:
        return f"A grid does that: {_CELLS}."
    if any(gridded):
        return f"The grid of target {gridded.index(True)} set it for all targets: fit this target by itself."
    return (
        "The target may repeat values: list them as atoms=... Or it follows from the inputs with hardly any noise: "
        "raise min_scale if densities so narrow are not believed."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
