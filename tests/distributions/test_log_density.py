"""The closed-form log-density against mpmath, scipy and automatic differentiation of the dense formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from torch import Tensor
from torch.autograd import forward_ad

from mixtura.distributions import GaussianMixture, Isotropic, Precision
from mixtura.distributions.log_density import log_density

Inputs = tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor]

# What scale and B have beside the D dimensions of one component, for means of shape (2, 3, D).
SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...] | None]] = {
    "isotropic": ((2, 3, 1), None),
    "isotropic, tied": ((1,), None),
    "diagonal": ((2, 3, 4), None),
    "diagonal, tied": ((4,), None),
    "full": ((2, 3, 4), (2, 3, 6)),
    "full, tied": ((4,), (6,)),
    "full, over the batch": ((3, 4), (3, 6)),
}
every_shape = pytest.mark.parametrize("shape", list(SHAPES))


def _inputs(shape: str, sample_shape: tuple[int, ...] = (), dtype: torch.dtype = torch.float64) -> Inputs:
    generator = torch.Generator().manual_seed(len(shape))

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64).to(dtype)

    of_scale, of_below = SHAPES[shape]
    below = None if of_below is None else 0.5 * normal(*of_below)
    return normal(2, 3), normal(2, 3, 4), (0.5 * normal(*of_scale)).exp(), below, 2 * normal(*sample_shape, 2, 4)


def _tril(scale: Tensor, below: Tensor | None, D: int) -> Tensor:
    """Return U of ``S⁻¹ = Uᵀ U``, written down entry by entry."""
    lead = torch.broadcast_shapes(scale.shape[:-1], () if below is None else below.shape[:-1])
    s = scale.expand(*lead, D)
    rows = []
    for i in range(D):
        row = [torch.zeros_like(s[..., 0]) if below is None else below[..., i * (i - 1) // 2 + j] for j in range(i)]
        rows.append(torch.stack([*row, torch.ones_like(s[..., 0]), *[torch.zeros_like(s[..., 0])] * (D - 1 - i)], -1))
    return torch.stack(rows, -2) / s.unsqueeze(-1)


def _dense(logits: Tensor, loc: Tensor, scale: Tensor, below: Tensor | None, value: Tensor) -> Tensor:
    """Return the same by a product with the whole factor, whose gradient is automatic."""
    return GaussianMixture(logits, loc, Precision(_tril(scale, below, loc.shape[-1]))).log_prob(value)


def _parameters(inputs: Inputs) -> list[Tensor]:
    return [t.requires_grad_() for t in inputs if t is not None]


def _of(f: Callable[..., Tensor], inputs: Inputs) -> Callable[..., Tensor]:
    """Return f of the inputs that are tensors."""
    if inputs[3] is None:
        return lambda logits, loc, scale, value: f(logits, loc, scale, None, value)
    return f


@every_shape
@pytest.mark.parametrize("sample_shape", [(), (5,)])
def test_values_agree_with_scipy(shape: str, sample_shape: tuple[int, ...]) -> None:
    logits, loc, scale, below, x = _inputs(shape, sample_shape)
    U = np.broadcast_to(_tril(scale, below, 4).numpy(), (2, 3, 4, 4))
    S = np.linalg.inv(np.swapaxes(U, -1, -2) @ U)
    for b in range(2):
        joint = np.stack(
            [multivariate_normal(loc[b, k].numpy(), S[b, k]).logpdf(x[..., b, :].numpy()) for k in range(3)], -1
        )
        expected = logsumexp(joint + torch.log_softmax(logits[b], -1).numpy(), axis=-1)
        np.testing.assert_allclose(log_density(logits, loc, scale, below, x)[..., b].numpy(), expected, rtol=1e-12)


@every_shape
@pytest.mark.parametrize("sample_shape", [(), (5, 2)])
def test_gradients_agree_with_automatic_differentiation(shape: str, sample_shape: tuple[int, ...]) -> None:
    inputs = _inputs(shape, sample_shape)
    parameters = _parameters(inputs)
    weight = torch.randn(*sample_shape, 2, dtype=torch.float64)
    own, dense = log_density(*inputs), _dense(*inputs)
    torch.testing.assert_close(own, dense, rtol=1e-12, atol=1e-12)
    expected = torch.autograd.grad(dense, parameters, weight)
    torch.testing.assert_close(torch.autograd.grad(own, parameters, weight), expected, rtol=1e-10, atol=1e-12)


@every_shape
def test_first_and_second_derivatives(shape: str) -> None:
    inputs = _inputs(shape)
    assert torch.autograd.gradcheck(_of(log_density, inputs), _parameters(inputs))
    assert torch.autograd.gradgradcheck(_of(log_density, inputs), _parameters(inputs))


def test_second_derivatives_of_inputs_that_depend_on_each_other() -> None:
    logits, loc, _, below, _ = _inputs("full")

    def of(f: Callable[..., Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda m: f(logits * m.sum(), m, m.square() + 1, below, m[:, 0] * m[:, 1]).sum()

    own, dense = (torch.autograd.functional.hessian(of(f), loc) for f in (log_density, _dense))
    torch.testing.assert_close(own, dense, rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@every_shape
def test_transforms_see_plain_operations(shape: str) -> None:
    """Of torch.func, of forward mode and of many gradients in one pass."""
    inputs = _inputs(shape)
    tensors = tuple(t for t in inputs if t is not None)
    f, dense = _of(log_density, inputs), _of(_dense, inputs)
    which = tuple(range(len(tensors)))
    torch.testing.assert_close(torch.func.jacrev(f, which)(*tensors), torch.func.jacrev(dense, which)(*tensors))
    torch.testing.assert_close(torch.func.jacfwd(f, which)(*tensors), torch.func.jacrev(dense, which)(*tensors))
    x = _inputs(shape, (5,))[-1]
    torch.testing.assert_close(torch.func.vmap(lambda x: f(*tensors[:-1], x))(x), dense(*tensors[:-1], x))
    with forward_ad.dual_level():
        direction = torch.randn_like(tensors[1])
        moved = f(tensors[0], forward_ad.make_dual(tensors[1], direction), *tensors[2:])
        slope = forward_ad.unpack_dual(moved).tangent
    torch.testing.assert_close(slope, (torch.func.jacrev(dense, 1)(*tensors) * direction).sum((-3, -2, -1)))
    loc = tensors[1].requires_grad_()
    rows = torch.autograd.grad(f(*tensors), loc, torch.eye(2, dtype=torch.float64), is_grads_batched=True)[0]
    torch.testing.assert_close(rows, torch.func.jacrev(dense, 1)(*tensors))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_scales_agree_with_mpmath(dtype: torch.dtype) -> None:
    """Variances from 1e-12 to 1e12 in one mixture, B of the size of their ratio, and a logit of -inf."""
    logits = torch.tensor([0.3, -1.0, -math.inf, 0.0], dtype=dtype)
    loc = torch.tensor([[0.0, 0.0], [1e-6, 2e6], [0.5, 0.5], [3e-6, 1e6]], dtype=dtype)
    scale = torch.tensor([[1e-6, 1e6], [1e-6, 1e6], [1e-6, 1e-6], [1e6, 1e-6]], dtype=dtype)
    below = torch.tensor([[2e11], [-1e11], [0.0], [1e-12]], dtype=dtype)
    x = torch.tensor([2e-6, 1e6], dtype=dtype)
    inputs: Inputs = (logits, loc, scale, below, x)
    parameters = _parameters(inputs)
    value = log_density(*inputs)
    found = torch.autograd.grad(value, parameters)
    with mpmath.workdps(40):
        exact = [np.vectorize(mpmath.mpf, otypes=[object])(t.detach().double().numpy()) for t in parameters]
        expected, gradients = _exact(*exact)
    rtol = 5e-6 if dtype is torch.float32 else 1e-12
    assert value.item() == pytest.approx(expected, rel=rtol)
    for gradient, t in zip(gradients, found, strict=True):
        size = np.abs(gradient).max()
        np.testing.assert_allclose(t.double().numpy() / size, gradient / size, rtol=20 * rtol, atol=20 * rtol)


def _exact(logits: np.ndarray, m: np.ndarray, s: np.ndarray, B: np.ndarray, x: np.ndarray) -> tuple[float, list]:
    """Return the log-density in two dimensions and its gradients, each the derivative of a component by hand."""
    w = np.array([mpmath.exp(a) for a in logits])
    w = w / w.sum()
    d = x - m
    z = np.stack([d[:, 0], d[:, 1] + B[:, 0] * d[:, 0]], -1) / s
    p = w * [mpmath.exp(-(a * a + b * b) / 2) / (2 * mpmath.pi * u * v) for (a, b), (u, v) in zip(z, s, strict=True)]
    r = (p / p.sum())[:, None]
    h = r * z / s
    of_loc = np.stack([h[:, 0] + B[:, 0] * h[:, 1], h[:, 1]], -1)
    of_below = -h[:, 1:] * d[:, :1]
    gradients = [r[:, 0] - w, of_loc, r * (z * z - 1) / s, of_below, -of_loc.sum(0)]
    return float(mpmath.log(p.sum())), [g.astype(float) for g in gradients]


def test_second_derivatives_with_a_weight_of_zero() -> None:
    logits, loc, scale, _, x = _inputs("diagonal")
    logits[:, 1] = -math.inf
    own, dense = (
        torch.autograd.functional.hessian(lambda m, s, f=f: f(logits, m, s, None, x).sum(), (loc, scale))
        for f in (log_density, _dense)
    )
    torch.testing.assert_close(own, dense, rtol=1e-10, atol=1e-12)


def test_a_value_that_no_component_reaches_has_no_density() -> None:
    scale = torch.tensor([1e-6])
    x = torch.tensor([[1e20, 0.0], [0.0, 0.0]])  # z² overflows float32
    found = log_density(torch.zeros(1), torch.zeros(1, 2), scale, None, x)
    assert float(found[0]) == -math.inf
    assert float(found[1]) == pytest.approx(-math.log(2 * math.pi * 1e-12), rel=1e-6)


def test_float64_values_meet_float32_parameters() -> None:
    logits, loc, scale, below, x = _inputs("full", dtype=torch.float32)
    parameters = _parameters((logits, loc, scale, below, x.double()))
    wide = [t.detach().double().requires_grad_() for t in parameters]
    own, dense = log_density(*parameters), _dense(*wide)
    assert own.dtype == torch.float64
    torch.testing.assert_close(own, dense, rtol=1e-6, atol=1e-6)
    for t, expected in zip(
        torch.autograd.grad(own.sum(), parameters), torch.autograd.grad(dense.sum(), wide), strict=True
    ):
        torch.testing.assert_close(t.double(), expected, rtol=1e-5, atol=1e-5)
    assert parameters[0].grad_fn is None


def test_only_what_is_asked_for_has_a_gradient() -> None:
    logits, loc, scale, below, x = _inputs("full")
    (expected,) = torch.autograd.grad(_dense(logits, loc, scale, below, x.requires_grad_()).sum(), x)
    value = log_density(logits, loc, scale, below, x)
    torch.testing.assert_close(torch.autograd.grad(value.sum(), x)[0], expected, rtol=1e-10, atol=1e-12)
    with torch.no_grad():
        assert not log_density(logits, loc, scale, below, x).requires_grad


def test_a_mixture_of_many_components_is_its_own_kernel_density() -> None:
    """The isotropic case with N = 2,000 components against scipy, one weight each."""
    rng = np.random.default_rng(0)
    points, weights, x = rng.standard_normal((2000, 2)), rng.uniform(size=2000), rng.standard_normal((7, 2))
    q = GaussianMixture.from_samples(torch.as_tensor(points), 0.01, torch.as_tensor(weights))
    assert isinstance(q.covariance, Isotropic)
    distance = ((x[:, None] - points) ** 2).sum(-1)
    expected = logsumexp(-distance / 0.02, b=weights / weights.sum(), axis=-1) - math.log(2 * math.pi * 0.01)
    np.testing.assert_allclose(q.log_prob(torch.as_tensor(x)).numpy(), expected, rtol=1e-12)
