"""The loop against known answers and a hand-written optimiser, and what it must not touch."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mixtura.nn import MDN, MixtureHead
from mixtura.training import Epoch, History, evaluate, fit, isolated_seed, loop
from tests.helpers import assert_close, global_state

Loss = Callable[[nn.Module, Sequence[Tensor]], Tensor]


def nll(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
    return -model(batch[0]).log_prob(batch[1]).mean()


def squares(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
    return (model(batch[0]) - batch[1]).square().mean()


def _linear_data(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 2, generator=g)
    return x, x @ torch.tensor([[2.0], [-1.0]]) + 0.5 + 0.3 * torch.randn(n, 1, generator=g)


def _network(seed: int = 0, dropout: float = 0.1) -> MDN:
    with isolated_seed(seed):
        return MDN(2, 1, components=2, hidden=(8,), dropout=dropout)


def test_converges_to_the_maximum_likelihood_of_linear_regression() -> None:
    x, y = _linear_data(1000)
    design = np.column_stack([x.double().numpy(), np.ones(len(x))])
    coefficients, residual, *_ = np.linalg.lstsq(design, y.double().numpy())
    best = 0.5 * math.log(2 * math.pi * math.e * residual[0] / len(x))
    with isolated_seed(0):
        head = MixtureHead(2, 1, 1)
    fit(head, nll, (x, y), epochs=40, batch_size=100, learning_rate=0.05, weight_decay=0)
    found = evaluate(head, nll, (x, y))
    # Weights that depend on x buy a little more than the constant noise of the reference.
    assert best - 0.005 < found < best + 0.002
    assert_close(head(torch.eye(2)).mean, coefficients[:2] + coefficients[2], 0.03, 1.0)


def _phase(n: int, total: int) -> tuple[float, float]:
    """Learning rate (of peak 1) and beta1 of the one-cycle policy at step n, cosine up over 30 % and down again."""
    turn, last = 0.3 * total - 1, total - 1
    if n <= turn:
        share, rates, betas = n / turn, (1 / 25, 1.0), (0.95, 0.85)
    else:
        share, rates, betas = (n - turn) / (last - turn), (1.0, 1 / 25 / 1e4), (0.85, 0.95)
    ease = (1 + math.cos(math.pi * share)) / 2
    return rates[1] + (rates[0] - rates[1]) * ease, betas[1] + (betas[0] - betas[1]) * ease


@pytest.mark.parametrize("skip", [(), (1, 4)], ids=["every step", "two steps skipped"])
def test_weights_are_those_of_a_hand_written_run(skip: tuple[int, ...]) -> None:
    """AdamW with decoupled decay on matrices only, norm clipped to one, one-cycle rate, warmed-up moving average."""
    x, y = (t.double() for t in _linear_data(20))
    y = 10 * y  # so that gradients are clipped
    with isolated_seed(0):
        model = nn.Linear(2, 1).double()
    W = {k: v.detach().numpy().copy() for k, v in model.named_parameters()}
    state = {k: (np.zeros_like(v), np.zeros_like(v)) for k, v in W.items()}
    average, updates, total, peak, decay = copy.deepcopy(W), 0, 7, 0.1, 0.3
    for n in range(total):
        if n in skip:
            continue
        error = x.numpy() @ W["weight"].T + W["bias"] - y.numpy()
        grad = {"weight": 2 * error.T @ x.numpy() / len(x), "bias": 2 * error.mean(0)}
        norm = math.sqrt(sum(float((g**2).sum()) for g in grad.values()))
        rate, beta = _phase(n, total)
        for k, g in grad.items():
            g = g / max(1.0, norm + 1e-6)
            first, second = state[k]
            first, second = beta * first + (1 - beta) * g, 0.999 * second + 0.001 * g**2
            state[k] = first, second
            step = first / (1 - beta ** (updates + 1)) / (np.sqrt(second / (1 - 0.999 ** (updates + 1))) + 1e-8)
            W[k] = W[k] * (1 - peak * rate * (decay if k == "weight" else 0)) - peak * rate * step
            d = min(0.5, (1 + updates) / (10 + updates)) if updates else 0.0
            average[k] = d * average[k] + (1 - d) * W[k]
        updates += 1

    calls, raw = iter(range(total)), {}

    def loss(model: nn.Module, _: Sequence[Tensor]) -> Tensor:
        return squares(model, (x, y)) * (math.nan if next(calls) in skip else 1.0)

    def keep(_: Epoch) -> None:
        raw.update({k: v.detach().clone() for k, v in model.named_parameters()})

    history = fit(
        model,
        loss,
        [torch.zeros(total)],
        epochs=1,
        batch_size=1,
        learning_rate=peak,
        weight_decay=decay,
        average_decay=0.5,
        on_epoch=keep,
    )
    for k, v in model.named_parameters():
        assert_close(raw[k], W[k], 1e-8)
        assert_close(v, average[k], 1e-8)
    assert history.skipped == len(skip)


def test_step_that_is_not_finite_leaves_the_weights_alone() -> None:
    model, seen, bad = _network(dropout=0.0), [], {2: "loss", 5: "gradient", 6: "infinite", 11: "loss"}

    def loss(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        step = len(seen)
        seen.append([p.detach().clone() for p in model.parameters()])
        value = nll(model, batch)
        match bad.get(step):
            case "loss":
                return value * math.nan
            case "infinite":
                return value + math.inf
            case "gradient":  # finite value, derivative 0/0
                return value + 0 * (0 * next(iter(model.parameters()))).sum().sqrt()
            case _:
                return value

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = fit(model, loss, _linear_data(40), epochs=4, batch_size=10)
    for step in range(15):
        same = all(torch.equal(a, b) for a, b in zip(seen[step], seen[step + 1], strict=True))
        assert same == (step in bad), step
    assert [e.skipped for e in history.epochs] == [1, 2, 1, 0]
    assert history.skipped == 4
    assert all(math.isfinite(v) for v in history.loss)
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())


def test_first_step_may_be_the_one_that_is_not_finite() -> None:
    calls = iter(range(100))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch would complain of the order of its own calls
        history = fit(
            _network(),
            lambda m, b: nll(m, b) * (math.nan if next(calls) == 0 else 1),
            _linear_data(20),
            epochs=2,
            batch_size=10,
        )
    assert [e.skipped for e in history.epochs] == [1, 0]


def test_epoch_without_a_finite_step_is_an_error_with_advice() -> None:
    calls = iter(range(100))
    with pytest.raises(FloatingPointError, match=r"epoch 2 .*extreme values.*lower learning_rate = 0\.002"):
        fit(_network(), lambda m, b: nll(m, b) * (math.nan if next(calls) >= 2 else 1), _linear_data(20), batch_size=10)


def test_validation_that_is_never_finite_is_an_error() -> None:
    x, y = _linear_data(20)
    with pytest.raises(FloatingPointError, match="validation loss was not finite"):
        fit(_network(), nll, (x, y), validation=(x, y * math.nan), epochs=3)


def test_best_epoch_is_kept() -> None:
    train, validation = _linear_data(12), _linear_data(200, seed=1)
    model = _network(dropout=0.0)  # it will overfit 12 rows
    history = fit(model, nll, train, validation=validation, epochs=150, learning_rate=0.05, average_decay=0.5)
    scores = [v for v in history.validation if v is not None]
    assert 1 <= history.best_epoch < len(scores) == 150
    assert scores[history.best_epoch - 1] == min(scores)
    assert evaluate(model, nll, validation) == min(scores)
    assert not model.training


def test_last_epoch_is_kept_without_validation() -> None:
    history = fit(_network(), nll, _linear_data(20), epochs=5, patience=1)
    assert (history.best_epoch, len(history.epochs)) == (5, 5)
    assert history.validation == [None] * 5


def _scripted(scores: Sequence[float], seen: list[dict[str, Tensor]]) -> Loss:
    """A loss whose validation follows a script, and which writes down the weights that it is asked to score."""
    script: Iterator[float] = iter(scores)

    def loss(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        if model.training:
            return nll(model, batch)
        seen.append(copy.deepcopy(model.state_dict()))
        return torch.tensor(next(script))

    return loss


@pytest.mark.parametrize(
    ("scores", "patience", "epochs", "best"),
    [
        ([3.0, 2.0, 1.0, 2.0, 2.0, 2.0, 0.0], 3, 6, 3),
        ([3.0, 4.0, 4.0, 2.0, 5.0, 5.0, 5.0], 3, 7, 4),
        ([1.0, 1.0, 1.0], 1, 2, 1),
        ([1.0, math.nan, 0.5, 2.0, 2.0, 2.0], None, 6, 3),
    ],
)
def test_patience_ends_the_run_and_the_best_weights_come_back(
    scores: list[float], patience: int | None, epochs: int, best: int
) -> None:
    model, seen, data = _network(), [], _linear_data(20)
    history = fit(
        model, _scripted(scores, seen), data, validation=data, epochs=len(scores), batch_size=10, patience=patience
    )
    assert (len(history.epochs), history.best_epoch) == (epochs, best)
    np.testing.assert_array_equal(history.validation, scores[:epochs])
    for k, v in model.state_dict().items():
        assert torch.equal(v, seen[best - 1][k])
        assert not torch.equal(v, seen[best - 2][k])


def test_rate_runs_through_one_cycle() -> None:
    steps, epochs, peak = 4, 20, 0.01
    history = fit(_network(), nll, _linear_data(40), epochs=epochs, batch_size=10, learning_rate=peak)
    rates = [e.rate for e in history.epochs]
    expected = [peak * _phase(e * steps, epochs * steps)[0] for e in range(1, epochs)]
    np.testing.assert_allclose(rates[:-1], expected, rtol=1e-9)
    assert max(rates) > 0.9 * peak
    assert rates[-1] < 1e-2 * peak
    assert [e.epoch for e in history.epochs] == list(range(1, epochs + 1))


def test_a_single_step_is_a_whole_run() -> None:
    history = fit(_network(), nll, _linear_data(10), epochs=1)
    assert len(history.epochs) == 1
    assert math.isfinite(history.loss[0])


def test_every_row_is_used_once_per_epoch_in_a_new_order_and_stays_whole() -> None:
    rows, batches = torch.arange(23.0), []

    def loss(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        assert torch.equal(batch[1][:, 0], 10 * batch[0])
        batches.append(batch[0].tolist())
        return model(torch.zeros(1)).sum()

    fit(nn.Linear(1, 1), loss, (rows, 10 * rows.unsqueeze(-1)), epochs=3, batch_size=5)
    assert [len(b) for b in batches] == [5, 5, 5, 5, 3] * 3  # the last batch is a partial one
    orders = [[row for b in batches[5 * e : 5 * e + 5] for row in b] for e in range(3)]
    for order in orders:
        assert sorted(order) == rows.tolist()
        assert order != rows.tolist()
    assert orders[0] != orders[1] != orders[2]


def test_loss_of_an_epoch_is_the_mean_of_its_steps() -> None:
    values = iter([1.0, 2.0, 6.0, 5.0, math.nan, 7.0])

    def loss(model: nn.Module, _: Sequence[Tensor]) -> Tensor:
        return 0 * model(torch.ones(1)).sum() + next(values)

    history = fit(nn.Linear(1, 1), loss, [torch.zeros(3)], epochs=2, batch_size=1)
    assert history.loss == [3.0, 6.0]


def test_validation_in_chunks_is_the_mean_over_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = _network().double(), [t.double() for t in _linear_data(1003)]
    with torch.no_grad():
        expected = float(nll(model.eval(), data))
    model.train()
    for rows in (1, 7, 1003, 5000):
        monkeypatch.setattr(loop, "_EVALUATION_ROWS", rows)
        assert evaluate(model, nll, data) == pytest.approx(expected, rel=1e-12)
    assert model.training  # dropout is off while scoring, and on again afterwards
    assert torch.is_grad_enabled()


def test_seed_decides_everything() -> None:
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(runs))  # the state outside does not matter
        model = _network(dropout=0.3)
        history = fit(model, nll, _linear_data(40), epochs=3, batch_size=10, seed=seed)
        runs.append((history, [p.detach().clone() for p in model.parameters()]))
    assert runs[0][0] == runs[1][0]
    assert all(torch.equal(a, b) for a, b in zip(runs[0][1], runs[1][1], strict=True))
    assert runs[0][0] != runs[2][0]


def test_global_state_is_untouched() -> None:
    before = global_state()
    data = _linear_data(40)
    fit(_network(), nll, data, validation=data, epochs=2)
    assert global_state() == before
    with pytest.raises(FloatingPointError):
        fit(_network(), lambda m, b: nll(m, b) * math.nan, data)
    assert global_state() == before


def test_isolated_seed_repeats_itself_and_puts_the_state_back() -> None:
    torch.manual_seed(7)
    outside = torch.rand(2)
    torch.manual_seed(7)
    with isolated_seed(3):
        first = torch.rand(2)
    with isolated_seed(3, "cpu"):
        assert torch.equal(torch.rand(2), first)
    assert torch.equal(torch.rand(2), outside)
    expected = torch.rand(2, generator=torch.Generator().manual_seed(3))
    assert torch.equal(first, expected)


def test_isolated_seed_of_the_cpu_does_not_seed_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise AssertionError("the generators of the GPUs are not put back, so they must not be seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    monkeypatch.setattr(torch.cuda, "manual_seed", refuse)
    with isolated_seed(0):
        torch.rand(1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_isolated_seed_of_a_gpu() -> None:
    torch.cuda.manual_seed(5)
    state, cpu = torch.cuda.get_rng_state(), torch.get_rng_state()
    with isolated_seed(0, "cuda"):
        first = torch.rand(2, device="cuda")
    with isolated_seed(0, "cuda:0"):
        assert torch.equal(first, torch.rand(2, device="cuda"))
    with isolated_seed(0):
        torch.rand(2)
    assert torch.equal(state, torch.cuda.get_rng_state())
    assert torch.equal(cpu, torch.get_rng_state())


def test_bad_arguments_are_refused_with_a_reason() -> None:
    x, y = _linear_data(10)
    model = _network()
    for data in ((x, y[:9]), (x[:0], y[:0]), ()):
        with pytest.raises(ValueError, match="same number of rows, at least one"):
            fit(model, nll, data)
        with pytest.raises(ValueError, match="same number of rows, at least one"):
            fit(model, nll, (x, y), validation=data)
    with pytest.raises(ValueError, match=r"at least 1, got 0, 256 and None"):
        fit(model, nll, (x, y), epochs=0)
    with pytest.raises(ValueError, match=r"at least 1, got 100, 0 and None"):
        fit(model, nll, (x, y), batch_size=0)
    with pytest.raises(ValueError, match=r"at least 1, got 100, 256 and 0"):
        fit(model, nll, (x, y), patience=0)


def test_history_counts_what_its_epochs_say() -> None:
    history = History([Epoch(1, 2.0, None, 0.1, 3), Epoch(2, 1.0, 0.5, 0.2, 4)])
    assert (history.loss, history.validation, history.skipped) == ([2.0, 1.0], [None, 0.5], 7)


def test_network_without_biases_and_with_frozen_parameters() -> None:
    first = nn.Linear(2, 4, bias=False)
    model, frozen = nn.Sequential(first, nn.Linear(4, 1, bias=False)), first.weight.requires_grad_(False).clone()
    history = fit(model, squares, _linear_data(50), epochs=20, learning_rate=0.05)
    assert history.loss[-1] < history.loss[0]
    assert torch.equal(first.weight, frozen)


def test_buffers_of_the_kept_weights_follow_the_training() -> None:
    """Running statistics of batch normalisation must not stay where they started."""
    x, y = _linear_data(200)
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
    fit(model, squares, (5 + x, y), epochs=30, batch_size=50, validation=(5 + x, y))
    assert_close(model.state_dict()["0.running_mean"], (5 + x).mean(0), 0.05)
