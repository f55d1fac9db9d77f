"""Robot arm and shot against formulas written out, Lambert's function and the integrated equations of motion."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.special import lambertw

from mixtura.datasets import (
    arm_joints,
    arm_prior,
    ballistics,
    ballistics_prior,
    inverse_ballistics,
    inverse_kinematics,
    robot_arm,
)

G, K, M = 9.81, 0.25, 0.2


def test_cumulative_angles_as_kruse_et_al_write_them():
    x1, x2, x3, x4 = x = np.random.default_rng(0).normal(size=(4, 50))
    y1 = 0.5 * np.cos(x2) + 0.5 * np.cos(x2 + x3) + np.cos(x2 + x3 + x4)
    y2 = x1 + 0.5 * np.sin(x2) + 0.5 * np.sin(x2 + x3) + np.sin(x2 + x3 + x4)
    np.testing.assert_allclose(robot_arm(x.T), np.stack([y1, y2], -1), rtol=1e-13, atol=1e-13)


def test_differences_of_angles_as_ardizzone_et_al_write_them():
    x1, x2, x3, x4 = x = np.random.default_rng(1).normal(size=(4, 50))
    y1 = 0.5 * np.cos(x2) + 0.5 * np.cos(x3 - x2) + np.cos(x4 - x2 - x3)
    y2 = x1 + 0.5 * np.sin(x2) + 0.5 * np.sin(x3 - x2) + np.sin(x4 - x2 - x3)
    np.testing.assert_allclose(robot_arm(x.T, angles="differences"), np.stack([y1, y2], -1), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("links", [1, 2, 5])
def test_links_are_rigid_and_each_joint_turns_all_that_follows(links):
    rng = np.random.default_rng(links)
    lengths = rng.uniform(0.2, 2, links)
    x = rng.normal(size=(3, 4, links + 1))
    joints = arm_joints(x, lengths.tolist())
    assert joints.shape == (3, 4, links + 1, 2)
    steps = np.diff(joints, axis=-2)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=-1), np.broadcast_to(lengths, (3, 4, links)), rtol=1e-12)
    np.testing.assert_array_equal(joints[..., 0, :], np.stack([np.zeros((3, 4)), x[..., 0]], -1))
    np.testing.assert_allclose(joints[..., -1, :], robot_arm(x, lengths.tolist()), rtol=1e-12, atol=1e-12)
    turned = x.copy()
    turned[..., 1] += 0.7  # the whole arm around its base
    rotation = np.array([[math.cos(0.7), -math.sin(0.7)], [math.sin(0.7), math.cos(0.7)]])
    np.testing.assert_allclose(np.diff(arm_joints(turned, lengths.tolist()), axis=-2), steps @ rotation.T, atol=1e-12)


def test_prior_of_the_arm():
    x = arm_prior(20_000, random_state=0)
    for column, scale in zip(x.T, (0.25, 0.5, 0.5, 0.5), strict=True):
        assert stats.kstest(column / scale, "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(x.T) - np.eye(4)).max() < 5 / math.sqrt(20_000)
    X, t = inverse_kinematics(30, angles="differences", random_state=3)
    np.testing.assert_array_equal(robot_arm(t, angles="differences"), X)
    np.testing.assert_array_equal(t, arm_prior(30, random_state=np.random.default_rng(3)))


def landing_by_integration(x0, y0, theta, v0):
    """Integrate m v' = -m g e_y - k v until the height crosses zero from above."""

    def hit(t, state):
        return state[1]

    hit.terminal, hit.direction = True, -1  # pyright: ignore[reportFunctionMemberAccess]
    start = [x0, y0, v0 * math.cos(theta), v0 * math.sin(theta)]
    path = solve_ivp(
        lambda t, s: [s[2], s[3], -K / M * s[2], -G - K / M * s[3]],
        (0, 60),
        start,
        method="DOP853",
        events=hit,
        rtol=1e-12,
        atol=1e-13,
    )
    return path.y_events[0][0][0]


SHOTS = [
    [0.0, 1.5, -1.2, 30.0],
    [0.3, -0.5, 1.2, 12.0],
    [0.1, 2.0, 0.4, -9.0],
    [0.0, 100.0, 0.3, 80.0],
    [1.0, 3.0, 0.5, 0.0],
]


def test_landing_against_integration():
    shots = np.concatenate([ballistics_prior(12, random_state=0), SHOTS])
    expected = [landing_by_integration(*shot) for shot in shots]
    np.testing.assert_allclose(ballistics(shots)[:, 0], expected, rtol=0, atol=1e-9)


def test_landing_against_the_closed_form():
    """The larger root is s = h + u + W(-u e^-(h+u))."""
    shots = ballistics_prior(3000, random_state=1)
    x0, y0, theta, v0 = shots.T
    tau = M / K
    h, u = y0 / (G * tau**2), 1 + v0 * np.sin(theta) / (G * tau)
    s = h + u + lambertw(-u * np.exp(-(h + u))).real
    np.testing.assert_allclose(ballistics(shots)[:, 0], x0 - tau * v0 * np.cos(theta) * np.expm1(-s), atol=1e-10)


def test_without_much_time_for_drag_the_path_is_a_parabola():
    """From the ground at speed v the range is v² sin(2θ) / g less a relative term of order v / (g τ)."""
    for v, error in [(1e-3, 1e-3), (1e-6, 1e-6)]:
        reach = ballistics([0.0, 0.0, 0.6, v])[0]
        assert reach == pytest.approx(v**2 * math.sin(1.2) / G, rel=error)


def test_shots_from_below_the_ground():
    """sin θ v0 = 1 m/s rises by less than v²/2g = 5.1 cm, less than drag takes."""
    high, low = (ballistics([[0.0, y, math.pi / 2, 1.0]])[0, 0] for y in (-0.04, -0.052))
    assert high == pytest.approx(0, abs=1e-15)
    assert math.isnan(low)
    assert np.isnan(ballistics([[0.0, -1.0, -0.5, 5.0], [0.0, -1.0, 0.5, 0.0]])).all()


def test_prior_of_the_shot():
    n = 20_000
    x0, y0, theta, v0 = ballistics_prior(n, random_state=0).T
    assert stats.kstest(x0 / 0.5, "norm").pvalue > 1e-3
    assert stats.kstest(y0[y0 > 0], stats.truncnorm(-3, np.inf, 1.5, 0.5).cdf).pvalue > 1e-3
    ground = stats.norm.cdf(-3)
    assert abs((y0 == 0).mean() - ground) < 5 * math.sqrt(ground / n)
    assert stats.kstest(theta, stats.uniform(math.radians(9), math.radians(72)).cdf).pvalue > 1e-3
    counts = np.bincount(v0.astype(int), minlength=40)
    assert stats.chisquare(counts[5:27], n * stats.poisson.pmf(np.arange(5, 27), 15), sum_check=False).pvalue > 1e-3
    X, t = inverse_ballistics(10, random_state=2)
    np.testing.assert_array_equal(ballistics(t), X)


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match=r"each of the 3 links, shape \(\*B, 4\), got \(2, 3\)"):
        robot_arm(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="angles must be 'cumulative' or 'differences', got 'absolute'"):
        robot_arm(np.zeros(4), angles="absolute")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"the angle and the speed, shape \(\*B, 4\), got \(\)"):
        ballistics(1.0)
