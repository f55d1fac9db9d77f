"""Words and lines that can be pronounced but mean nothing, as many as one likes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

__all__ = ["random_lines", "random_words"]

_ONSETS = (
    "b bl br c ch cl cr d dr f fl fr g gl gr h j j k k l m n p pl pr qu qu r s sc sh sk sl sm sp squ st str sw t th tr "
    "tw v v w wh y z z"
)
_VOWELS = "a a e e i i o o u u ai ay ea ee ie oa oo ou ue y"
_CODAS = "b ck ct d f ff ft g k l ll lt m mp n nd ng nk nt p r rd rk rn rt s sk ss st t th v w x x x zz"
_SYLLABLES = 3
_TRIES = 2_000
"""Without a new word, before it is said that there are hardly more."""


def random_words(
    n: int,
    lengths: tuple[int, int] = (3, 8),
    *,
    exclude: Collection[str] = (),
    random_state: int | np.random.Generator | None = None,
) -> list[str]:
    """Draw different words of one to three syllables in small letters a to z.

    Words that a model shall be tested on are kept from those it learns by ``exclude``.

    Raises:
        ValueError: where there are hardly n such words.

    Example:
        >>> random_words(4, random_state=0) == random_words(4, random_state=0)
        True
        >>> words = random_words(50, (3, 5), exclude=["bat"], random_state=0)
        >>> len(set(words)), min(map(len, words)), max(map(len, words)), "bat" in words
        (50, 3, 5, False)
    """
    rng = np.random.default_rng(random_state)
    shortest, longest = lengths
    found: dict[str, None] = {}
    barred = set(exclude)
    tries = 0
    while len(found) < n:
        word = _word(rng)
        if shortest <= len(word) <= longest and word not in barred and word not in found:
            found[word], tries = None, 0
        elif (tries := tries + 1) == _TRIES:
            raise ValueError(
                f"{n} different words of {shortest} to {longest} letters are hardly to be had: no new one in {_TRIES} "
                f"tries after {len(found)}; ask for fewer or for longer ones."
            )
    return list(found)


def random_lines(
    n: int,
    words: Sequence[str],
    *,
    longest: int = 14,
    most: int = 3,
    random_state: int | np.random.Generator | None = None,
) -> list[str]:
    """Draw lines of one to ``most`` of the words, with a space between two, of at most ``longest`` characters.

    Every number of words comes as often as another; the words of a line are drawn again until it is short enough.

    Raises:
        ValueError: where lines of so many words are hardly that short.

    Example:
        >>> lines = random_lines(100, ["oak", "beech", "elm"], longest=10, most=2, random_state=0)
        >>> sorted({len(line.split()) for line in lines}), max(map(len, lines))
        ([1, 2], 9)
    """
    rng = np.random.default_rng(random_state)
    lines = []
    for _ in range(n):
        count = int(rng.integers(1, most + 1))
        tries = (" ".join([words[int(i)] for i in rng.integers(len(words), size=count)]) for _ in range(_TRIES))
        line = next((text for text in tries if len(text) <= longest), None)
        if line is None:
            raise ValueError(
                f"lines of {count} of the words are hardly to be had in {longest} characters: none in {_TRIES} tries; "
                "ask for longer lines, or for fewer words in one."
            )
        lines.append(line)
    return lines


def _word(rng: np.random.Generator) -> str:
    parts = []
    for _ in range(rng.integers(1, _SYLLABLES + 1)):
        parts += [_any(_ONSETS, rng), _any(_VOWELS, rng)]
        parts += [_any(_CODAS, rng)] if rng.random() < 0.5 else []
    return "".join(parts)


def _any(choices: str, rng: np.random.Generator) -> str:
    parts = choices.split()
    return parts[rng.integers(len(parts))]
