"""Each case has its sentence, and no sentence stands where its case is not."""

from __future__ import annotations

import math

import pytest
import torch

from mixtura.training import ComponentHealth


def _health(
    usage: list[list[float]],
    at_floor: list[list[list[float]]] | None = None,
    floor: tuple[float, ...] = (1e-3,),
    step: tuple[float, ...] = (0.0,),
) -> ComponentHealth:
    u = torch.tensor(usage)
    shape = (*u.shape, len(floor))
    resting = torch.zeros(shape) if at_floor is None else torch.tensor(at_floor)
    return ComponentHealth(u, torch.ones(shape), resting, torch.tensor(floor).double(), torch.tensor(step).double())


def test_nothing_to_do() -> None:
    assert str(_health([[0.5, 0.5], [0.9, 0.1]])) == "All 4 components are used."
    assert str(_health([[1.0]])) == "The only component is used."


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ([[0.6, 0.0, 0.4, 0.0]], ["2 of 4 components are not used: each explains less than 0.25 %", "components=2"]),
        ([[0.6, 0.0, 0.4]] * 2, ["2 of 6 components are not used", "No network uses more than 2, so components=2"]),
        ([[0.6, 0.0, 0.4], [0.3, 0.3, 0.4]], ["1 of 6 components is not used", "Fewer components would do"]),
        ([[0.6, 0.4, math.nan], [1.0, 0.0, 0.0]], ["2 of 5 components", "less than 0.5 %", "components=2"]),
    ],
)
def test_components_that_are_not_used(usage: list[list[float]], expected: list[str]) -> None:
    advice = str(_health(usage))
    for words in (*expected, "a weight_prior above zero keeps all of them in use"):
        assert words in advice
    assert "scale" not in advice


CELL = 0.1 / math.sqrt(12)


def test_grids_that_matter_and_those_that_do_not() -> None:
    used = [[0.5, 0.5]]
    raised = "The target lies on a grid of step 0.1; no component may be narrower than step/√12 = 0.0289."
    assert str(_health(used, floor=(CELL,), step=(0.1,))) == f"All 2 components are used. {raised}"
    assert "grid" not in str(_health(used, floor=(1.1 * CELL,), step=(0.1,)))  # min_scale is above the grid's own
    advice = str(_health(used, floor=(0.01, 2 * CELL), step=(0.1, 0.2)))
    assert "Target 0 lies on a grid of step 0.1; components as narrow as 0.01 are allowed, less than" in advice
    assert "Target 1 lies on a grid of step 0.2; no component may be narrower than step/√12 = 0.0577." in advice


def test_components_on_the_floor() -> None:
    usage = [[0.5, 0.5], [0.2, 0.8]]
    advice = str(_health(usage, [[[0.0], [0.04]], [[0.12], [0.0]]]))
    assert "The smallest scale allowed is 0.001. Component 0 of network 1 rests on it for 12 % of its rows." in advice
    assert "list them as atoms=" in advice
    assert "raise min_scale" in advice
    advice = str(_health(usage[:1], [[[0.3], [1.0]]]))
    assert "2 of 2 components rest on it, most of all component 1: for 100 % of its rows." in advice
    assert "rest" not in str(_health(usage, [[[0.0], [0.04]], [[0.049], [0.0]]]))  # too few to matter
    dead = str(_health([[0.0, 1.0]], [[[1.0], [0.0]]]))
    assert "rests" not in dead  # what nobody uses may be as narrow as it likes


def test_the_cause_of_a_floor_is_named() -> None:
    resting = [[[0.5, 0.6], [0.0, 0.0]]]
    advice = str(_health([[0.5, 0.5]], resting, (CELL, 7.0), (0.1, 0.0)))
    assert "scale allowed of target 0 is 0.0289. Component 0 rests on it for 50 % of its rows. A grid does" in advice
    assert (
        "scale allowed of target 1 is 7. Component 0 rests on it for 60 % of its rows. The grid of target 0" in advice
    )
    assert "atoms" not in advice
    advice = str(_health([[0.5, 0.5]], [[[0.5, 0.5], [0.0, 0.0]]], (0.1, 0.2), (0.0, 0.0)))
    assert advice.count("rests") == 1  # one scale for all targets
