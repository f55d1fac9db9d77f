"""Words at random: different, allowed, and with every letter."""

import numpy as np
import pytest

from mixtura.datasets import random_words


def test_words_keep_to_the_lengths_and_away_from_the_excluded_ones():
    first = random_words(500, (4, 6), random_state=0)
    second = random_words(500, (4, 6), exclude=first, random_state=0)
    assert len({*first, *second}) == 1000
    assert {len(w) for w in first + second} == {4, 5, 6}


def test_every_letter_is_practised():
    letters = "".join(random_words(2000, random_state=0))
    counts = np.array([letters.count(c) for c in "abcdefghijklmnopqrstuvwxyz"])
    assert counts.sum() == len(letters)
    assert counts.min() > 0.01 * len(letters)


def test_too_many_words_are_refused():
    with pytest.raises(ValueError, match="9999 different words of 2 to 2 letters are hardly to be had"):
        random_words(9999, (2, 2), random_state=0)
