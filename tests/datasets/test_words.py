"""Words at random: different, allowed, and with every letter."""

import numpy as np
import pytest

from mixtura.datasets import random_lines, random_words


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


def test_lines_have_every_number_of_words_as_often_and_are_short_enough():
    words = random_words(500, (2, 8), random_state=0)
    lines = random_lines(3000, words, longest=14, random_state=1)
    counts = np.bincount([len(line.split(" ")) for line in lines])
    np.testing.assert_allclose(counts, [0, 1000, 1000, 1000], atol=5 * np.sqrt(3000 * 2 / 9))
    assert max(map(len, lines)) == 14
    assert {word for line in lines for word in line.split(" ")} <= set(words)
    assert lines == random_lines(3000, words, longest=14, random_state=1)


def test_lines_that_cannot_be_short_enough_are_refused():
    with pytest.raises(ValueError, match="lines of 3 of the words are hardly to be had in 8 characters"):
        random_lines(50, ["two", "six"], longest=8, random_state=0)
