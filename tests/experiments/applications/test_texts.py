"""Texts that are kept apart: nobody learns them, and those that choose settings share no word with those that judge."""

from mixtura.experiments.applications.texts import (
    HELD_OUT_LINES,
    HELD_OUT_WORDS,
    VALIDATION_LINES,
    VALIDATION_WORDS,
)


def _words(texts: tuple[str, ...]) -> set[str]:
    return {word for text in texts for word in text.split(" ")}


def test_texts_for_validation_share_no_word_with_those_that_judge() -> None:
    assert not _words(VALIDATION_WORDS) & _words(HELD_OUT_WORDS + HELD_OUT_LINES)
    assert sorted(word for line in VALIDATION_LINES for word in line.split(" ")) == sorted(VALIDATION_WORDS)


def test_words_are_different_and_of_the_lengths_that_are_learnt() -> None:
    for words in (VALIDATION_WORDS, HELD_OUT_WORDS):
        assert len(set(words)) == len(words) > 100
        assert {len(w) for w in words} == set(range(3, 9))
    assert {c for line in HELD_OUT_WORDS for c in line} == set("abcdefghijklmnopqrstuvwxyz")


def test_lines_are_different() -> None:
    assert len(set(HELD_OUT_LINES)) == len(HELD_OUT_LINES) > 30
    assert {c for line in HELD_OUT_LINES for c in line} == set("abcdefghijklmnopqrstuvwxyz ")
