"""Precision, recall, diversity and purity against brute force, scikit-learn, scipy and closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.neighbors import NearestNeighbors

from mixtura.datasets.densities import draw, ring, separated_gaussians
from mixtura.metrics import features
from mixtura.metrics.manifold import clustering_purity, distance_distribution_error, diversity, precision_recall


@given(st.integers(0, 2**16), st.sampled_from([1, 2, 40]), st.integers(1, 4), st.sampled_from([0.0, 1e4]))
def test_precision_and_recall_are_those_of_scikit_learns_neighbours(seed: int, D: int, k: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((23, D)) + offset, 0.8 * rng.standard_normal((17, D)) + 0.5 + offset
    r, s = (NearestNeighbors(n_neighbors=k).fit(z).kneighbors()[0][:, -1] for z in (x, y))
    d = np.linalg.norm(x[:, None] - y, axis=-1)
    inside = d <= r[:, None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "_PAIRS", 60)  # several blocks
        got = precision_recall(torch.tensor(x), torch.tensor(y), k)
    assert got.precision == pytest.approx(inside.any(0).mean())
    assert got.recall == pytest.approx((d <= s).any(1).mean())
    assert got.density == pytest.approx(inside.sum() / (k * 17))
    assert got.coverage == pytest.approx(inside.any(1).mean())


@pytest.mark.parametrize("D", [2, 64])
def test_equal_distributions_have_density_one_and_the_known_coverage(D: int) -> None:
    """Naeem et al. 2020: ``E density = 1`` and ``E coverage = 1 - Π_j (N - j) / (N + M - j)`` ~ ``1 - 2^-k``."""
    g = torch.Generator().manual_seed(1)
    x, y = torch.randn(4000, D, generator=g), torch.randn(4000, D, generator=g)
    got = precision_recall(x, y, 5)
    assert got.density == pytest.approx(1, abs=0.05)
    assert got.coverage == pytest.approx(1 - 0.5**5, abs=0.015)


def test_a_missing_mode_costs_recall_and_a_wrong_one_precision() -> None:
    x = draw(ring(), 2000, seed=0)
    right = x[:, 0] > 1  # three modes of eight
    assert precision_recall(x, x[right]).recall == pytest.approx(right.double().mean().item())
    assert precision_recall(x[right], x).precision == pytest.approx(right.double().mean().item())
    assert precision_recall(x, x + 100) == precision_recall(x + 100, x)


def test_diversity_is_scipys_mean_distance() -> None:
    g = torch.Generator().manual_seed(0)
    for D in (1, 3, 784):
        x = torch.randn(60, D, generator=g)
        assert diversity(x) == pytest.approx(pdist(x.double().numpy()).mean(), rel=1e-12)
    assert diversity(torch.ones(5, 784)) == 0


def test_diversity_of_many_samples_is_that_of_a_normal_and_repeats() -> None:
    x = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0))
    state = torch.get_rng_state()
    assert diversity(x) == diversity(x) == pytest.approx(2 / math.sqrt(math.pi), abs=0.03)
    assert torch.equal(state, torch.get_rng_state())


def test_the_distance_distributions_of_moved_sets_agree_and_of_scaled_ones_do_not() -> None:
    x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    assert distance_distribution_error(x, x[:, [1, 0, 2, 3]] + 5) == pytest.approx(0, abs=1e-6)
    assert distance_distribution_error(x, 1.5 * x) == pytest.approx(0.5 * diversity(x), rel=1e-6)


def test_purity_is_one_for_a_good_generator_and_falls_with_every_missing_mode() -> None:
    truth = separated_gaussians(4)
    real = draw(truth, 400, seed=0)
    labels = torch.cdist(real, truth.loc).argmin(-1)
    generated = draw(truth, 400, seed=1)
    assert clustering_purity(generated, real, labels) == 1
    which = torch.cdist(generated, truth.loc).argmin(-1)
    counts = torch.bincount(labels)
    lost = clustering_purity(generated[which != 0], real, labels)
    assert 1 - counts[0].item() / 400 <= lost < 0.9  # the spare center splits a class, one half joins the lost one
    one = clustering_purity(generated[:1].expand(50, 2), real, labels)
    assert one == counts.max().item() / 400


def test_purity_takes_any_names_of_classes() -> None:
    real = torch.tensor([[0.0], [1.0], [10.0], [11.0], [0.5]])
    assert clustering_purity(real, real, torch.tensor([7, 7, -2, -2, -2])) == 0.8


def test_bad_inputs_are_named() -> None:
    x = torch.zeros(4, 2)
    with pytest.raises(ValueError, match="N >= 6"):
        precision_recall(x, torch.zeros(9, 2), 5)
    with pytest.raises(ValueError, match="neighbours"):
        precision_recall(x, x, 0)
    with pytest.raises(ValueError, match="same features"):
        precision_recall(x, torch.zeros(4, 3), 1)
    with pytest.raises(ValueError, match="finite"):
        diversity(torch.full((4, 2), math.inf))
    with pytest.raises(ValueError, match="rows"):
        diversity(x, rows=1)
    with pytest.raises(ValueError, match="labels"):
        clustering_purity(x, x, torch.zeros(3))
    with pytest.raises(ValueError, match="fewer than the 4 classes"):
        clustering_purity(x[:2], x, torch.arange(4))
