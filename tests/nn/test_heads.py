"""The head: its formulas by hand, its floor, its start, its gradients, on any backbone."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from mixtura.distributions import Precision
from mixtura.nn import MixtureHead
from mixtura.nn.heads import CovarianceKind
from tests.helpers import Array, assert_close, global_state

COVARIANCES: list[CovarianceKind] = ["isotropic", "diagonal", "full"]
every_covariance = pytest.mark.parametrize("covariance", COVARIANCES)


def _by_hand(head: MixtureHead, h: Array) -> tuple[Array, Array, Array]:
    """Weights (n, K), means (n, K, T) and covariances (n, K, T, T) from the raw outputs, in plain loops."""
    W, b = (p.detach().double().numpy() for p in (head.linear.weight, head.linear.bias))
    K, T, n = head.components, head.out_features, len(h)
    raw = h @ W.T + b
    weights, S = np.exp(raw[:, :K] - logsumexp(raw[:, :K], axis=1, keepdims=True)), np.zeros((n, K, T, T))
    loc, rest = raw[:, K : K + K * T].reshape(n, K, T), raw[:, K + K * T :]
    scale = head.min_scale[0].item() + np.logaddexp(0, rest)
    for i in range(n):
        for k in range(K):
            if head.covariance == "isotropic":
                S[i, k] = scale[i, k] ** 2 * np.eye(T)
                continue
            sd, B = scale[i, k * T : (k + 1) * T], np.zeros((T, T))
            if head.covariance == "full":
                coefficients = iter(rest[i, K * T + k * T * (T - 1) // 2 :])
                for row in range(T):
                    for column in range(row):
                        B[row, column] = next(coefficients)
            root = np.linalg.inv((np.eye(T) + B) / sd[:, None])
            S[i, k] = root @ root.T
    return weights, loc, S


def _head(covariance: CovarianceKind, T: int = 2, K: int = 3, seed: int = 0, min_scale: float = 1e-3) -> MixtureHead:
    torch.manual_seed(seed)
    head = MixtureHead(4, T, K, covariance, min_scale)
    with torch.no_grad():
        for p in head.parameters():
            p.normal_()
    return head


@given(st.sampled_from(COVARIANCES), st.integers(1, 4), st.integers(1, 5), st.integers(0, 1000), st.booleans())
def test_log_prob_agrees_with_the_formulas(covariance: CovarianceKind, T: int, K: int, seed: int, double: bool) -> None:
    head = _head(covariance, T, K, seed, min_scale=0.1)
    head = head.double() if double else head
    h, y = torch.randn(3, 4, dtype=head.linear.weight.dtype), torch.randn(3, T, dtype=head.linear.weight.dtype)
    q = head(h)
    weights, loc, S = _by_hand(head, h.double().numpy())
    component = np.array(
        [[stats.multivariate_normal.logpdf(y[i].double(), loc[i, k], S[i, k]) for k in range(K)] for i in range(3)]
    )
    assert_close(q.log_prob(y), logsumexp(component, b=weights, axis=1), 1e-9 if double else 2e-4, 1.0)
    assert_close(q.mean, np.einsum("nk,nkt->nt", weights, loc), 1e-9 if double else 1e-4, 1.0)
    assert (q.batch_shape, q.event_shape, q.components) == ((3,), (T,), K)


def test_precision_factor_is_a_unit_regression_over_the_conditional_scale() -> None:
    head = _head("full", T=3, K=2)
    q = head(torch.randn(5, 4))
    assert isinstance(q.covariance, Precision)
    U = q.covariance.tril.detach()
    scale = 1 / U.diagonal(dim1=-2, dim2=-1)
    unit = U * scale.unsqueeze(-1)
    assert_close(unit.diagonal(dim1=-2, dim2=-1), np.ones((5, 2, 3)), 1e-6)
    assert float(unit.triu(1).abs().max()) == 0
    S = q.covariance.dense(3).detach().double().numpy()
    for i in range(3):  # scale is the standard deviation of y_i given the targets before it
        S11, S12, S22 = S[..., :i, :i], S[..., :i, i], S[..., i, i]
        explained = (S12 * np.linalg.solve(S11, S12[..., None])[..., 0]).sum(-1) if i else 0.0
        assert_close(scale[..., i], np.sqrt(S22 - explained), 1e-3)


@pytest.mark.parametrize(
    ("covariance", "floors"), [("diagonal", [0.5, 0.1]), ("full", [0.5, 0.1]), ("isotropic", [0.1] * 2)]
)
def test_each_target_has_its_own_floor(covariance: CovarianceKind, floors: list[float]) -> None:
    head = MixtureHead(1, 2, 4, covariance, min_scale=[0.5, 0.1]).double()
    with torch.no_grad():
        head.linear.weight.zero_()
        head._part(2).fill_(-100.0)
    S = head(torch.zeros(1, 1, dtype=torch.float64)).covariance.dense(2)
    assert_close(S, np.broadcast_to(np.diag(np.square(floors)), S.shape), 1e-6)


@every_covariance
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("min_scale", [1e-3, 0.3])
def test_scales_never_fall_below_their_floor(covariance: CovarianceKind, dtype: torch.dtype, min_scale: float) -> None:
    head = MixtureHead(1, 3, 4, covariance, min_scale=min_scale).to(dtype)
    with torch.no_grad():
        head.linear.weight.zero_()
        for raw in (-1e4, -100.0, -10.0, 0.0, 1e4):
            head._part(2).fill_(raw)
            q = head(torch.zeros(1, 1, dtype=dtype))
            S = q.covariance.dense(3).expand(1, 4, 3, 3)
            assert float(S.det().min()) ** (1 / 6) >= min_scale * (1 - 1e-5)
            peak = -1.5 * math.log(2 * math.pi) - 3 * math.log(min_scale)
            assert float(q.log_prob(q.loc[:, 0]).max()) <= peak + 1e-3
            assert bool(torch.isfinite(q.log_prob(q.loc[:, 0])).all())


@every_covariance
def test_gradient_reaches_every_parameter(covariance: CovarianceKind) -> None:
    torch.manual_seed(0)
    head = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), MixtureHead(4, 2, 3, covariance))
    head(torch.randn(50, 2)).log_prob(torch.randn(50, 2)).mean().backward()
    for p in head.parameters():
        assert p.grad is not None
        assert bool(torch.isfinite(p.grad).all())
        assert float(p.grad.abs().amin(-1).max()) > 0


@every_covariance
@pytest.mark.parametrize("raw", [-1e4, -50.0, 50.0, 1e4])
def test_gradients_of_extreme_outputs_are_finite(covariance: CovarianceKind, raw: float) -> None:
    head = MixtureHead(1, 2, 3, covariance)
    with torch.no_grad():
        head._part(2).fill_(raw)
        head._part(0).copy_(torch.tensor([1e4, 0.0, -1e4]))
    (-head(torch.zeros(4, 1)).log_prob(torch.randn(4, 2)).mean()).backward()
    for p in head.parameters():
        assert p.grad is not None
        assert bool(torch.isfinite(p.grad).all())


@every_covariance
def test_gradient_of_the_loss_is_right(covariance: CovarianceKind) -> None:
    head = _head(covariance, min_scale=0.2).double()
    h, y = torch.randn(2, 4, dtype=torch.float64), torch.randn(2, 2, dtype=torch.float64)

    def loss(weight: Tensor, bias: Tensor, h: Tensor) -> Tensor:
        parameters = {"linear.weight": weight, "linear.bias": bias}
        return -torch.func.functional_call(head, parameters, (h,)).log_prob(y).mean()

    inputs = [t.detach().clone().requires_grad_() for t in (head.linear.weight, head.linear.bias, h)]
    assert torch.autograd.gradcheck(loss, inputs)


@every_covariance
def test_one_component_is_the_gaussian_likelihood_of_torch(covariance: CovarianceKind) -> None:
    head = _head(covariance, T=1, K=1, min_scale=1e-9).double()
    h, y = torch.randn(20, 4, dtype=torch.float64), torch.randn(20, 1, dtype=torch.float64)
    _, loc, raw = head.linear(h).split(1, -1)
    variance = nn.functional.softplus(raw).square()
    expected = nn.GaussianNLLLoss(full=True, eps=0)(loc, y, variance)
    assert_close(-head(h).log_prob(y).mean(), expected, 1e-6)


@every_covariance
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)])
def test_any_backbone_and_batch_shape(covariance: CovarianceKind, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), MixtureHead(4, 2, 3, covariance))
    x, y = torch.randn(*shape, 2), torch.randn(*shape, 2)
    q = model(x)
    assert (q.batch_shape, q.event_shape) == (shape, (2,))
    one_by_one = torch.stack([model(a).log_prob(b) for a, b in zip(x.view(-1, 2), y.view(-1, 2), strict=True)])
    assert_close(q.log_prob(y), one_by_one.view(shape), 1e-4, 1.0)
    assert q.sample((7,)).shape == (7, *shape, 2)


@every_covariance
def test_state_dict_restores_the_head(covariance: CovarianceKind) -> None:
    head, other = _head(covariance, seed=1), _head(covariance, seed=2)
    h, y = torch.randn(5, 4), torch.randn(5, 2)
    other.load_state_dict(head.state_dict())
    assert torch.equal(head(h).log_prob(y), other(h).log_prob(y))
    assert "covariance='" + covariance in repr(head)


def test_autocast_keeps_the_digits_of_a_likelihood() -> None:
    head = _head("full")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        q = head(torch.randn(5, 4))
    assert q.log_prob(torch.zeros(2)).dtype == torch.float32


# ------------------------------------------------------------------------------------------------- initialisation


def test_start_on_the_quantiles_of_one_target() -> None:
    rng = np.random.default_rng(0)
    y = rng.exponential(size=(400, 1))
    head = MixtureHead(3, 1, 4)
    head.initialize(torch.as_tensor(y))
    q = head(torch.zeros(3))
    assert_close(q.loc[:, 0], np.quantile(y, [0.125, 0.375, 0.625, 0.875]), 1e-5)
    assert_close(q.weights, [0.25] * 4, 1e-6)
    assert_close(q.covariance.variances(1), np.full((4, 1), y.var() / 4), 1e-4)


@every_covariance
def test_start_on_the_clusters_of_several_targets(covariance: CovarianceKind) -> None:
    rng = np.random.default_rng(0)
    centers, counts = np.array([[0.0, 0.0], [100.0, 1.0], [0.0, 5.0]]), [100, 200, 300]
    y = np.concatenate([c + [0.5, 0.02] * rng.standard_normal((n, 2)) for c, n in zip(centers, counts, strict=True)])
    head = MixtureHead(3, 2, 3, covariance)
    head.initialize(torch.as_tensor(y))
    q = head(torch.zeros(3))
    order = q.loc[:, 0].add(q.loc[:, 1], alpha=-1).argsort()  # (0, 5), (0, 0), (100, 1)
    assert_close(q.loc[order], [[0.0, 5.0], [0.0, 0.0], [100.0, 1.0]], 0.2, 1.0)
    assert_close(q.weights[order], [0.5, 1 / 6, 1 / 3], 1e-5)
    within = np.array([y[sum(counts[:i]) : sum(counts[: i + 1])].std(0) for i in (2, 0, 1)])
    scale = np.maximum(within, 0.1 * y.std(0))  # of each cluster, but not so small that it could not move
    if covariance == "isotropic":
        scale = np.sqrt((scale**2).mean(1, keepdims=True)).repeat(2, 1)
    assert_close(q.covariance.variances(2).expand(3, 2)[order], scale**2, 1e-3)


def _targets(name: str) -> Array:
    rng = np.random.default_rng(1)
    return {
        "skewed": rng.exponential(5, (300, 1)),
        "large": 1e6 + 1e3 * rng.standard_normal((300, 2)),
        "clusters": np.repeat([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]], 100, 0) + rng.standard_normal((300, 2)),
        "duplicates": np.repeat(rng.standard_normal((4, 2)), 75, 0),
        "fewer distinct than components": np.repeat([[0.0, 1.0], [3.0, 2.0]], 20, 0),
        "constant column": np.column_stack([rng.standard_normal(300), np.full(300, 7.0)]),
        "constant": np.full((50, 1), 3.0),
        "constant rows": np.full((50, 2), 3.0),
        "one row": np.array([[1.0, 2.0, 3.0]]),
        "nearly coincident": 1 + np.array([[0.0, 0.0], [1e-15, 0.0], [0.0, 1.0]]).repeat(5, 0),
    }[name]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@every_covariance
@pytest.mark.parametrize(
    "name",
    [
        "skewed",
        "large",
        "clusters",
        "duplicates",
        "fewer distinct than components",
        "constant column",
        "constant",
        "constant rows",
        "one row",
        "nearly coincident",
    ],
)
def test_initialised_head_is_better_than_a_random_one_on_any_targets(name: str, covariance: CovarianceKind) -> None:
    torch.manual_seed(0)
    y = torch.as_tensor(_targets(name))
    head = MixtureHead(3, y.shape[1], 5, covariance).double()
    h = torch.zeros(len(y), 3, dtype=torch.float64)
    before = -head(h).log_prob(y).mean().item()
    head.initialize(y)
    after = head(h)
    assert_close(after.weights.sum(-1), np.ones(len(y)), 1e-12)
    nll = -after.log_prob(y).mean().item()
    assert math.isfinite(nll)
    assert nll < before
    if name not in ("one row", "constant", "constant rows"):  # nor may it be much worse than a single Gaussian
        sd = y.std(0, correction=0).clamp_min(1e-3)
        sd = sd.square().mean().sqrt().expand_as(sd) if covariance == "isotropic" else sd
        gaussian = -torch.distributions.Normal(y.mean(0), sd).log_prob(y).sum(1).mean()
        assert nll < float(gaussian) + 1


def test_nearly_coincident_targets_leave_no_component_without_weight() -> None:
    y = torch.as_tensor(_targets("nearly coincident"))
    head = MixtureHead(1, 2, 3)
    with pytest.warns(ConvergenceWarning):  # scikit-learn's word that it found two clusters
        head.initialize(y)
    assert all(bool(torch.isfinite(p).all()) for p in head.parameters())


def test_initialisation_uses_no_global_random_state_and_is_repeatable() -> None:
    y, head = torch.randn(100, 2), MixtureHead(3, 2, 4)
    other = copy.deepcopy(head)
    state = global_state()
    head.initialize(y)
    other.initialize(y)
    assert global_state() == state
    assert all(torch.equal(a, b) for a, b in zip(head.parameters(), other.parameters(), strict=True))


# --------------------------------------------------------------------------------------------------------- errors


def test_bad_settings_are_refused_with_a_reason() -> None:
    with pytest.raises(ValueError, match=r"must be positive, got 0, 1, 5"):
        MixtureHead(0, 1)
    with pytest.raises(ValueError, match=r"must be positive, got 1, 1, 0"):
        MixtureHead(1, 1, components=0)
    with pytest.raises(ValueError, match=r"covariance must be one of 'isotropic', .*, got 'spherical'"):
        MixtureHead(1, 1, covariance="spherical")  # pyright: ignore[reportArgumentType]
    for floor in (-1.0, math.inf, math.nan, [0.1, 0.1], [-1.0]):
        with pytest.raises(ValueError, match="min_scale must be"):
            MixtureHead(1, 1, min_scale=floor)


@pytest.mark.parametrize("shape", [(5,), (5, 3), (0, 2), (5, 2, 1)])
def test_targets_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"y has shape .*; it must be \(N, 2\)"):
        MixtureHead(1, 2).initialize(torch.zeros(shape))


@pytest.mark.parametrize("T", [1, 2])
def test_targets_that_are_not_finite_are_refused(T: int) -> None:
    with pytest.raises(ValueError, match="not finite"):
        MixtureHead(1, T).initialize(torch.tensor([[0.0] * T, [math.nan] * T]))
