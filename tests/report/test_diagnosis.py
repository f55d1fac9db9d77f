"""Each warning on data made to deserve it, and on data that do not."""

import numpy as np
import pytest
import torch
from scipy import stats

from mixtura.distributions import Diagonal, Full, GaussianMixture, Isotropic
from mixtura.metrics import Coverage, coverage, grid_step, pit
from mixtura.report import diagnosis
from mixtura.report.scores import Score, Scores
from tests.helpers import random_case


@pytest.mark.parametrize("n", [5, 60, 3000])
@pytest.mark.parametrize(
    ("step", "start"), [(1.0, 0.0), (0.1, 12.8), (0.25, -3.0), (5 / 9, 0.3), (1e-9, 1e-4), (1e6, 0)]
)
def test_grid_step(n, step, start):
    k = np.random.default_rng(n).integers(0, 400, n)
    k[:3] = 0, 1, 400  # a step of one occurs
    assert grid_step(start + step * k) == pytest.approx(step, rel=1e-5)
    assert grid_step(start + step * 6 * k) == pytest.approx(6 * step, rel=1e-5)
    assert grid_step(start + step * np.array([0, 6, 10, 25])) == pytest.approx(step, rel=1e-5)
    assert grid_step(start + step * np.cumsum([0.1 + 0.2, 0.3, 3.0])) == pytest.approx(0.3 * step, rel=1e-4)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("n", [4, 20, 1000])
def test_no_grid(n, seed):
    rng = np.random.default_rng(seed)
    assert grid_step(rng.standard_normal(n)) is None
    assert grid_step(1e6 + rng.standard_normal(n)) is None
    assert grid_step(rng.standard_cauchy(n)) is None
    assert grid_step(np.full(n, 3.0)) is None


def test_grids_are_harmful_where_components_are_narrower():
    y = np.round(np.random.default_rng(0).normal(0, 30, (200, 1)))
    wide, narrow = np.full((10, 1), 3.0), np.array([[0.5], *[[3.0]] * 9])
    assert diagnosis.about_grids(y, wide, ["t"], harmful=True) == []
    assert "step 1; no test row" in diagnosis.about_grids(y, wide, ["t"], harmful=False)[0]
    assert "step 1; for 10 % of the test rows" in diagnosis.about_grids(y, narrow, ["t"], harmful=True)[0]
    assert diagnosis.about_grids(y, narrow, ["t"], harmful=False) == []


def test_repeats():
    y = np.random.default_rng(0).standard_normal((100, 2))
    assert diagnosis.about_repeats(y, ["a", "b"]) == []
    y[:5, 1] = 2.5
    assert diagnosis.about_repeats(y, ["a", "b"]) == []  # five in a hundred may happen
    y[:6, 1] = 2.5
    [sentence] = diagnosis.about_repeats(y, ["a", "b"])
    assert sentence.startswith("6.0 % of the rows share one value, b = 2.5.")


def test_copies():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4))
    X[:, 3] = 1
    y = np.column_stack([np.exp(X[:, 1]), X[:, 2] + 0.5 * rng.standard_normal(300)])
    [sentence] = diagnosis.about_copies(X, y, "abcd", "st")
    assert "feature b" in sentence
    assert "target s" in sentence
    correlation = stats.spearmanr(X[:, 2], y[:, 1]).statistic
    assert 0.8 < correlation < 0.999
    y[:, 1] = -X[:, 2] + 0.01 * rng.standard_normal(300)
    sentence = diagnosis.about_copies(X, y, "abcd", "st")[1]
    assert f"rank correlation {stats.spearmanr(X[:, 2], y[:, 1]).statistic:.4f}" in sentence


@pytest.mark.parametrize("kind", ["isotropic", "diagonal", "full", "precision"])
def test_heaviest_scales(kind):
    case = random_case(kind, batch=(5,), K=3, D=3, seed=1)
    unit = np.array([1e-9, 1.0, 1e9])
    got = diagnosis.heaviest_scales(case.mixture.affine(torch.as_tensor(unit), torch.zeros(3).double()), unit)
    for i in range(5):
        S = case.dense.S[i, case.dense.weights[i].argmax()]
        given = [S[0, 0]]
        for t in (1, 2):  # the variance of each target given the ones before it
            given.append(S[t, t] - S[t, :t] @ np.linalg.solve(S[:t, :t], S[:t, t]))
        np.testing.assert_allclose(got[i], unit * np.sqrt(given), rtol=1e-9)


def test_scales_of_scalars():
    q = GaussianMixture(
        torch.tensor([[0.0, 1.0]]), torch.zeros(1, 2), Isotropic(torch.tensor([[1.0, 9.0]])), event_dim=0
    )
    np.testing.assert_allclose(diagnosis.heaviest_scales(q, np.ones(1)), [[3.0]], rtol=1e-6)


def test_the_floor():
    floor = np.array([1.0, 10.0])
    scales = np.array([[1.04, 50], [1.06, 50], [5, 10.4], [5, 11]])
    assert "For 50 % of the test rows" in diagnosis.about_the_floor(scales, floor)[0]
    assert "as narrow as min_scale and the grid" in diagnosis.about_the_floor(scales, floor)[0]
    assert diagnosis.about_the_floor(scales[[1, 3]], floor) == []
    assert diagnosis.about_the_floor(scales, 0 * floor) == []


def test_baselines():
    rng = np.random.default_rng(0)
    base = rng.standard_normal(100)

    def scores(model, regression):
        named = [Score(name, base + gain, (0.0,), (0.0,)) for name, gain in (("m", model), ("r", regression), ("g", 0))]
        return Scores(*named, coverage=[], targets=("t",))

    noise = rng.standard_normal(100)
    noise -= noise.mean()
    assert diagnosis.about_baselines(scores(1 + noise, 0)) == []
    by_chance = diagnosis.about_baselines(scores(0.05 + noise, 0))
    assert len(by_chance) == 2
    assert all("could be chance" in s for s in by_chance)
    [worse] = diagnosis.about_baselines(scores(1 + noise, 3))
    assert "r is better than the model by 2.000 ± 0.096 nats" in worse


def test_a_baseline_with_the_better_crps():
    named = (("m", 9, 2.0), ("r", 0, 1.95), ("g", 0, 1.8))
    three = (Score(name, np.full(3, gain), (1.0, crps), (0.0, 0.0)) for name, gain, crps in named)
    [sentence] = diagnosis.about_baselines(Scores(*three, coverage=[], targets=("s", "t")))
    assert sentence == "By CRPS of t, g is better than the model: 1.8 against 2."


@pytest.mark.parametrize(
    ("scale", "shift", "verdict"),
    [
        (1.0, 0.0, "there is no sign of miscalibration"),
        (1.5, 0.0, "its intervals are too narrow"),
        (0.6, 0.0, "its intervals are too wide"),
        (1.03, 0.0, "its intervals are slightly too narrow"),
        (1.0, 0.08, "its intervals hold what they should, but it predicts too low on average"),
        (1.0, -0.08, "its intervals hold what they should, but it predicts too high on average"),
    ],
)
def test_calibration(scale, shift, verdict):
    n = 10_000
    y = torch.as_tensor(stats.norm.ppf((np.arange(n) + 0.5) / n) * scale + shift)
    q = GaussianMixture(torch.zeros(n, 1), torch.zeros(n, 1).double(), Diagonal(torch.ones(1)), event_dim=0)
    assert diagnosis.calibration(pit(q, y).numpy(), coverage(q, y)) == verdict


def test_an_uneven_histogram():
    u = np.concatenate([np.linspace(0, 0.5, 1000) ** 2 * 2, 1 - np.linspace(0, 0.5, 1000) ** 2 * 2])
    rows = [Coverage(0.5, 0.5, 0.01, 1.0)]
    assert diagnosis.calibration(u, rows) == "its intervals hold what they should, but the PIT histogram is uneven"


def test_few_rows_judge_nothing():
    rows = [Coverage(0.9, 1.0, 0.3, 1.0)]
    assert "so few rows can hardly show one" in diagnosis.calibration(np.array([0.5]), rows)
    assert diagnosis.about_rows(50) == []
    assert "There is only 1 test row:" in diagnosis.about_rows(1)[0]
    assert "There are only 49 test rows:" in diagnosis.about_rows(49)[0]


def test_joint_scales_use_the_order_of_the_targets():
    S = torch.tensor([[1.0, 0.9], [0.9, 1.0]], dtype=torch.float64)
    q = GaussianMixture(torch.zeros(1, 1), torch.zeros(1, 1, 2).double(), Full(torch.linalg.cholesky(S)))
    np.testing.assert_allclose(diagnosis.heaviest_scales(q, np.ones(2)), [[1, np.sqrt(1 - 0.81)]])
