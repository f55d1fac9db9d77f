"""The best variance: its score against scikit-learn, its rule and what its record says."""

import importlib
import json

import pytest
from sklearn.neighbors import KernelDensity

from mixtura.experiments import EXPERIMENTS, Options
from mixtura.training import likelihood_variance
from tests.helpers import global_state

BEST = importlib.import_module("mixtura.experiments.optimal_variance")
RANKS = [0.98, 0.9, 0.6, 0.3, 0.1, 0.05]


@pytest.mark.parametrize("data", ["moons", "ring", "grid"])
def test_other_samples_of_the_same_density_lose_nothing(data: str) -> None:
    case = BEST._Case(data, 0.1)
    x, test, a, b = (case.draw(seed) for seed in range(4))
    lost = BEST._log_likelihood(a[:1000], x, test) - BEST._log_likelihood(b[:1000], x, test)
    assert abs(lost) < 0.05
    far = BEST._log_likelihood(a[:1000], x, test) - BEST._log_likelihood(1.3 * b[:1000], x, test)
    assert far > 0.1


def test_the_score_is_that_of_a_kernel_density() -> None:
    case = BEST._Case("moons", 0.1)
    x, test, c = case.draw(0), case.draw(1), case.draw(2)[:50]
    kde = KernelDensity(bandwidth=likelihood_variance(x, c) ** 0.5).fit(c.numpy())
    expected = kde.score_samples(test.numpy()).mean()
    assert BEST._log_likelihood(c, x, test) == pytest.approx(expected, abs=1e-6)


def test_a_sweep_by_hand() -> None:
    case = BEST._Case("moons", 0.1, 128)
    s = BEST._Sweep(case, 0.02, [0.8, 0.5, 0.2, 0.3, 0.6, 0.9], [0.0] * 6, RANKS)
    assert (s.best, s.variance, s.at_rule) == (2, 0.005, 0.3)
    assert s.loss_of_rule == pytest.approx(0.1)
    assert case.centers == 32
    other = BEST._Sweep(case, 0.08, [0.8, 0.7, 0.4, 0.1, 0.6, 0.9], [0.0] * 6, RANKS)
    mean = BEST._mean([s, other])
    assert mean.rule == pytest.approx(0.04)
    assert mean.lost == pytest.approx([0.8, 0.6, 0.3, 0.2, 0.6, 0.9])
    far = BEST._Sweep(case, 0.02, [1.0] * 6, [0.0] * 6, [0.5] * 6)
    said = " ".join(BEST._findings([mean, s]))
    assert "is 0.5 to 4 times" in said
    assert "0.25 to 1 times the rule's" in said
    assert "0.050 nats on average against" in said
    assert "0.100 at most" in said
    assert "0.30 to 0.60 of its size" in said
    assert "nats against as many real samples in 1 of 2 cases" in " ".join(BEST._findings([mean, BEST._mean([far])]))


def test_a_law_is_found_where_there_is_one() -> None:
    lost = [3.0, 2.0, 1.0, 0.0, 1.0, 2.0]
    sweeps = [
        BEST._Sweep(BEST._Case("moons", noise), rule, lost, lost, lost) for noise, rule in ((1, 2), (2, 1), (4, 9))
    ]
    assert BEST._law(sweeps, BEST._rule) == (pytest.approx(1), pytest.approx(0, abs=1e-9))
    assert BEST._law(sweeps, BEST._noise)[1] > 0.5
    same = [BEST._Sweep(BEST._Case("moons", n), 4 * n**2, lost, lost, lost) for n in (0.1, 0.2, 0.4)]
    assert BEST._law(same, BEST._noise) == (pytest.approx(4), pytest.approx(0, abs=1e-9))


def test_the_record_says_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = (BEST._Case("moons", 0.1, 64), BEST._Case("moons", 0.05, 64), BEST._Case("grid", 0.2, 32))
    for name, value in {"_ROWS": 200, "_CENTERS": 100, "_STEPS": 4, "_CASES": cases}.items():
        monkeypatch.setattr(BEST, name, value)
    before = global_state()
    record = EXPERIMENTS["optimal-variance"](Options(say=lambda line: None))
    assert global_state() == before
    json.dumps(record.to_json(), allow_nan=False)
    best, everything = record.tables
    assert len(everything.rows) == len(cases) * len(BEST._FACTORS)
    for row, case in zip(best.rows, cases, strict=True):
        own = [r for r in everything.rows if list(r[:3]) == list(row[:3])]
        assert row[8] == min(float(r[5]) for r in own)  # pyright: ignore[reportArgumentType]
        assert row[6] == own[3][3]
        assert own[3][4] == pytest.approx(0.3, abs=0.01)  # the rule's rank
        assert row[4] == pytest.approx(float(row[3]) / case.noise**2)  # pyright: ignore[reportArgumentType]
