"""The classifier on scikit-learn's digits, which it must tell apart."""

import pytest
import torch
from sklearn.datasets import load_digits

from mixtura.experiments.classifier import ImageClassifier, class_histogram, confidence, off_uniform
from tests.helpers import global_state

X, Y = load_digits(return_X_y=True)
IMAGES, LABELS = torch.tensor(X / 16).float().reshape(-1, 1, 8, 8), torch.tensor(Y)
HELD = torch.arange(len(LABELS)) % 4 == 0


def test_it_tells_digits_apart_and_repeats() -> None:
    before = global_state()
    classifier = ImageClassifier(epochs=40).fit(IMAGES[~HELD], LABELS[~HELD])
    p = classifier.predict_proba(IMAGES[HELD])
    assert (p.argmax(-1) == LABELS[HELD]).double().mean() > 0.96
    torch.testing.assert_close(p.sum(-1), torch.ones(len(p)))
    again = ImageClassifier(epochs=40).fit(IMAGES[~HELD], LABELS[~HELD])
    assert torch.equal(again.features(IMAGES), classifier.features(IMAGES))
    assert global_state() == before
    assert confidence(p) > 0.9
    assert confidence(classifier.predict_proba(torch.rand(200, 1, 8, 8))) < confidence(p)
    assert off_uniform(class_histogram(p)) < 0.15


def test_histogram_by_hand() -> None:
    h = class_histogram(torch.tensor([[0.2, 0.8, 0.0], [0.5, 0.4, 0.1], [0.1, 0.9, 0.0], [0.9, 0.1, 0.0]]))
    assert h.tolist() == [0.5, 0.5, 0]
    assert off_uniform(h) == 1


def test_bad_inputs_are_named() -> None:
    classifier = ImageClassifier(epochs=1)
    with pytest.raises(RuntimeError, match="fit"):
        classifier.features(IMAGES)
    with pytest.raises(ValueError, match="images"):
        classifier.fit(IMAGES[:, 0], LABELS)
    with pytest.raises(ValueError, match="labels"):
        classifier.fit(IMAGES, LABELS[:5])
    with pytest.raises(ValueError, match="NaN"):
        classifier.fit(IMAGES[:4] * torch.nan, LABELS[:4])
    with pytest.raises(ValueError, match="shape"):
        classifier.fit(IMAGES[:4], LABELS[:4]).features(IMAGES[..., :4])
