"""Words that can be pronounced but mean nothing, as many as one likes."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

__all__ = ["random_words"]

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


def _word(rng: np.random.Generator) -> str:
    parts = []
    for _ in range(rng.integers(1, _SYLLABLES + 1)):
        parts += [_any(_ONSETS, rng), _any(_VOWELS, rng)]
        parts += [_any(_CODAS, rng)] if rng.random() < 0.5 else []
    return "".join(parts)


def _any(choices: str, rng: np.random.Generator) -> str:
    parts = choices.split()
    return parts[rng.integers(len(parts))]
