"""The same density in torch and in scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture as SklearnMixture

from mixtura.distributions import GaussianMixture
from tests.helpers import KINDS, assert_close, random_case


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_to_torch_and_back(kind: str, tied: bool, batch: tuple[int, ...]) -> None:
    case = random_case(kind, batch=batch, D=3, tied=tied)
    x, theirs = case.values((4,)), case.mixture.to_torch()
    assert_close(theirs.log_prob(x), case.dense.log_prob(x.numpy()), 1e-10)
    assert_close(GaussianMixture.from_torch(theirs).log_prob(x), theirs.log_prob(x), 1e-10)


def test_scalars_to_torch_and_back() -> None:
    q = random_case("isotropic", batch=(2,), D=1).mixture.marginal(0)
    x = torch.linspace(-3, 3, 8, dtype=torch.float64).reshape(4, 2)
    assert_close(q.to_torch().log_prob(x), q.log_prob(x), 1e-12)
    assert_close(GaussianMixture.from_torch(q.to_torch()).log_prob(x), q.log_prob(x), 1e-12)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_from_scikit_learn_and_back(kind: str) -> None:
    X = np.random.default_rng(0).normal(size=(200, 3)) @ np.diag([1, 2, 0.1]) + 5
    fitted = SklearnMixture(3, covariance_type=kind, random_state=0).fit(X)
    q = GaussianMixture.from_sklearn(fitted)
    assert_close(q.log_prob(torch.as_tensor(X)), fitted.score_samples(X), 1e-9)
    back = q.to_sklearn()
    np.testing.assert_allclose(back.score_samples(X), fitted.score_samples(X), rtol=1e-9)
    np.testing.assert_allclose(back.predict_proba(X), fitted.predict_proba(X), atol=1e-9)


def test_what_has_no_counterpart() -> None:
    with pytest.raises(ValueError, match="one mixture of vectors"):
        random_case("full", batch=(2,)).mixture.to_sklearn()
    with pytest.raises(ValueError, match="not fitted"):
        GaussianMixture.from_sklearn(SklearnMixture())
    weights, laplace = torch.distributions.Categorical(torch.ones(2)), torch.distributions.Laplace(torch.zeros(2), 1.0)
    with pytest.raises(TypeError, match="Laplace"):
        GaussianMixture.from_torch(torch.distributions.MixtureSameFamily(weights, laplace))
