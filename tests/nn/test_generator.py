"""Generators: what they emit, what they learn, and the costs as quantisers of a small data set."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor

from mixtura.costs import COSTS
from mixtura.distributions import GaussianMixture
from mixtura.nn import FreeCenters, MixtureGenerator
from mixtura.nn.generator import even_normal
from mixtura.training import isolated_seed
from tests.helpers import assert_close, global_state


def clusters() -> Tensor:
    """Four tight groups of eight points."""
    g = torch.Generator().manual_seed(0)
    corners = torch.tensor([[0.0, 0.0], [0.0, 3.0], [3.0, 0.0], [3.0, 3.0]])
    return corners.repeat_interleave(8, 0) + 0.1 * torch.randn(32, 2, generator=g)


@pytest.mark.parametrize("cost", COSTS)
def test_free_centers_quantise_by_every_cost(cost: str) -> None:
    """From starts 1 away from the groups, each of the centers ends in a group of its own."""
    x = clusters()
    p = GaussianMixture.from_samples(x, 0.2)
    corners = x.reshape(4, 8, 2).mean(1)
    pairs = x.reshape(4, 8, 2).transpose(0, 1).reshape(32, 2)  # as many centers as samples, for the trace
    start = (pairs if cost == "trace" else corners) + torch.tensor([0.8, -0.5])
    model = FreeCenters(start, variance=0.2)
    if cost == "trace":
        p = GaussianMixture.from_samples(pairs, 0.2)

    def target() -> float:
        bound = COSTS[cost](p, model())
        return (bound.loss if cost in ("likelihood", "bures") else bound.gap).item()

    before = target()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(120):
        optimizer.zero_grad()
        COSTS[cost](p, model()).loss.backward()
        optimizer.step()
    assert target() < 0.7 * before if before > 0 else target() < before - 0.5
    distances = torch.cdist(corners, model.centers.detach())
    assert bool((distances.amin(1) < 0.3).all())


def test_weights_are_learnt() -> None:
    """Groups of 3/4 and 1/4 of the samples: so are the weights of their centers."""
    x = torch.tensor([[0.0], [0.0], [0.0], [9.0]])
    model = FreeCenters(torch.tensor([[0.0], [9.0]]), variance=0.5, learn_weights=True)
    p = GaussianMixture.from_samples(x, 0.5)
    optimizer = torch.optim.Adam([model.logits], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        COSTS["nuclear_norm"](p, model()).loss.backward()
        optimizer.step()
    assert_close(model().weights, [0.75, 0.25], 1e-2, 1)
    fixed = FreeCenters(torch.zeros(2, 1), variance=0.5)
    assert [name for name, _ in fixed.named_parameters()] == ["centers"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_variance_is_learnt(dtype: torch.dtype) -> None:
    """The likelihood of samples at ±1 around one center at 0 is largest at variance 1."""
    p = GaussianMixture.from_samples(torch.tensor([[-1.0], [1.0]], dtype=dtype), 1.0)
    model = FreeCenters(torch.zeros(1, 1, dtype=dtype), variance=5.0, learn_variance=True)
    optimizer = torch.optim.Adam([model.log_variance], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        COSTS["likelihood"](p, model()).loss.backward()
        optimizer.step()
    assert model.variance == pytest.approx(1.0, rel=1e-2)


@pytest.mark.parametrize("model", ["free", "generator"])
def test_gradient_of_the_variance(model: str) -> None:
    """∂/∂ log v of the mean log-likelihood is v times that in v, by differences."""
    torch_state = torch.get_rng_state()
    torch.manual_seed(0)
    noise, x = torch.randn(6, 2), torch.randn(5, 2)
    made = (
        FreeCenters(noise, 0.7, learn_variance=True)
        if model == "free"
        else MixtureGenerator(2, hidden=(8,), variance=0.7, learn_variance=True)
    )
    torch.set_rng_state(torch_state)

    def likelihood() -> Tensor:
        mixture = made() if isinstance(made, FreeCenters) else made.from_noise(noise)
        return mixture.log_prob(x).double().mean()

    (gradient,) = torch.autograd.grad(likelihood(), made.log_variance)
    values = []
    for sign in (1, -1):
        made.variance = 0.7 * 1.01**sign
        values.append(likelihood().detach())
    assert_close(gradient, (values[0] - values[1]) / (2 * torch.tensor(1.01).double().log()), 1e-3, 0.1)


def test_the_variance_can_be_set_by_a_schedule() -> None:
    for made in (FreeCenters(torch.zeros(2, 3), 1.0), MixtureGenerator(3, hidden=(4,))):
        made.variance = 0.125
        assert made.variance == pytest.approx(0.125, rel=1e-12)
        mixture = made() if isinstance(made, FreeCenters) else made(2)
        assert_close(mixture.covariance.dense(3)[..., 0, 0], torch.tensor(0.125), 1e-6)
        assert "log_variance" in made.state_dict()
        assert not made.log_variance.requires_grad


def test_generator_is_a_function_of_its_noise_and_of_seeds() -> None:
    def build() -> MixtureGenerator:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            return MixtureGenerator(4, noise_features=3, hidden=(16, 16), learn_weights=True)

    one, two = build(), build()
    noise = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    assert_close(one.from_noise(noise).loc, two.from_noise(noise).loc, 0.0)
    assert_close(one.from_noise(noise).logits, two.from_noise(noise).logits, 0.0)
    assert_close(one.from_noise(noise[[5]]).loc, one.from_noise(noise).loc[[5]], 1e-5, 1)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        first = one(20).loc
        assert not torch.equal(one(20).loc, first)
        torch.manual_seed(5)
        assert torch.equal(one(20).loc, first)


def test_generator_emits_weights_only_if_asked() -> None:
    noise = torch.randn(9, 2, generator=torch.Generator().manual_seed(1))
    fixed, free = MixtureGenerator(2, hidden=(8,)), MixtureGenerator(2, hidden=(8,), learn_weights=True)
    assert_close(fixed.from_noise(noise).weights, torch.full((9,), 1 / 9), 1e-6)
    weights = free.from_noise(noise).weights
    assert weights.std() > 0
    gradients = torch.autograd.grad(weights[0], list(free.parameters()), allow_unused=True)
    assert sum(g is not None and bool((g != 0).any()) for g in gradients) >= 2


def test_generator_learns_two_points() -> None:
    """A network reaches both of two modes from noise: the SVD cost, annealed."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = MixtureGenerator(1, hidden=(32, 32))
        p = GaussianMixture.from_samples(torch.tensor([[-2.0], [2.0]]).repeat(32, 1), 0.1)
        optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
        for step in range(200):
            generator.variance = max(0.1, 3.0 * 0.97**step)
            p = GaussianMixture.from_samples(p.loc, generator.variance)
            optimizer.zero_grad()
            COSTS["nuclear_norm"](p, generator(64)).loss.backward()
            optimizer.step()
        y = generator(1000).loc.detach()
    assert ((y.abs() - 2).abs() < 0.5).float().mean() > 0.85
    assert 0.35 < (y > 0).float().mean() < 0.65


def test_images_are_vectors_of_their_pixels() -> None:
    generator = MixtureGenerator((3, 8, 12), noise_features=5, hidden=(16, 8), learn_weights=True)
    noise = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    mixture = generator.from_noise(noise)
    assert mixture.event_shape == (3 * 8 * 12,)
    assert mixture.components == 6
    assert bool(((mixture.loc > 0) & (mixture.loc < 1)).all())
    generator.eval()
    assert_close(generator.from_noise(noise[:1]).loc, generator.from_noise(noise).loc[:1], 1e-5, 1)
    loss = COSTS["nuclear_norm"](
        GaussianMixture.from_samples(torch.rand(6, 288, generator=torch.Generator().manual_seed(2)), 1.0), mixture
    ).loss
    gradients = torch.autograd.grad(loss, list(generator.parameters()), allow_unused=True)
    assert all(g is None or bool(g.isfinite().all()) for g in gradients)


def test_errors_name_the_argument() -> None:
    for variance in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="variance must be positive and finite"):
            FreeCenters(torch.zeros(2, 2), variance)
        with pytest.raises(ValueError, match="variance must be positive and finite"):
            MixtureGenerator(2, variance=variance)
    for centers in (torch.zeros(3), torch.zeros(0, 2), torch.zeros(2, 2, 2)):
        with pytest.raises(ValueError, match=r"centers must have the shape \(M, D\) with M > 0"):
            FreeCenters(centers, 1.0)
    for out_features, noise_features in ((0, 2), (2, 0), ((3, 4), 2)):
        with pytest.raises(ValueError, match="out_features must be a number or"):
            MixtureGenerator(out_features, noise_features)
    for hidden in ((), (8, 0)):
        with pytest.raises(ValueError, match="hidden name at least one width"):
            MixtureGenerator(2, hidden=hidden)
    with pytest.raises(ValueError, match="multiples of 4"):
        MixtureGenerator((1, 6, 8))
    with pytest.raises(ValueError, match="n must be positive, got 0"):
        MixtureGenerator(2)(0)


def test_centers_are_copied_and_nothing_else_is_touched() -> None:
    x = torch.zeros(2, 2)
    model = FreeCenters(x, 1.0)
    with torch.no_grad():
        model.centers.add_(1)
    assert not bool(x.any())
    noise = torch.randn(3, 2)
    generator = MixtureGenerator(2)
    before = global_state()
    generator.from_noise(noise)
    model()
    assert global_state() == before


@pytest.mark.parametrize("d", [1, 2, 16])
def test_even_noise_is_standard_normal_with_less_chance_in_it(d: int) -> None:
    """Uniform marginals by Kolmogorov and Smirnov over many batches; means of a batch vary less than those of draws."""
    with isolated_seed(0):
        batches = torch.stack([even_normal(128, d) for _ in range(200)])
    for j in range(d):
        assert kstest(batches[:, 5, j].numpy(), "norm").pvalue > 1e-4  # one point of every batch: independent draws
    assert batches.mean(1).std() < 0.8 * 128**-0.5
    assert batches.std() == pytest.approx(1, abs=0.02)


def test_even_noise_is_for_centers_that_need_not_be_independent() -> None:
    generator = MixtureGenerator(2, hidden=(16,))
    with isolated_seed(3):
        even = generator(64, even=True).loc
    with isolated_seed(3):
        expected = generator.from_noise(even_normal(64, 2)).loc
    assert torch.equal(even, expected)
    with isolated_seed(3):
        assert not torch.equal(generator(64).loc, even)


def test_images_are_vectors_of_pixels_between_zero_and_one_and_learn_a_picture() -> None:
    with isolated_seed(0):
        generator = MixtureGenerator((1, 8, 8), noise_features=4, hidden=(32, 8), variance=0.5)
        picture = torch.zeros(1, 8, 8)
        picture[:, 2:6, 2:6] = 1
        p = GaussianMixture.from_samples(picture.flatten().repeat(16, 1), 0.5)
        optimizer = torch.optim.Adam(generator.parameters(), lr=0.02)
        for _ in range(150):
            optimizer.zero_grad()
            COSTS["nuclear_norm"](p, generator(16)).loss.backward()
            optimizer.step()
        centers = generator(16).loc.detach()
    assert float(centers.min()) >= 0
    assert float(centers.max()) <= 1
    assert float((centers - picture.flatten()).abs().mean()) < 0.1


@pytest.mark.parametrize(("shape", "hidden"), [((1, 10, 8), (32, 8)), ((1, 8, 8), (32,)), ((8, 8), (32, 8))])
def test_wrong_sizes_of_images_are_refused(shape: tuple[int, ...], hidden: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"multiples of 4|\(C, H, W\)"):
        MixtureGenerator(shape, hidden=hidden)
