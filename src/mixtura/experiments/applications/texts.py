"""English that nobody learns to write: words to choose settings by, and other words and lines to be judged by."""

from __future__ import annotations

__all__ = ["HELD_OUT_LINES", "HELD_OUT_WORDS", "VALIDATION_LINES", "VALIDATION_WORDS"]

_VALIDATION = """
able about above across after again air animal answer apple baby beauty begin below bird black blood book bridge
bring brother build cause change child circle city clear cloud cold colour common complete country cover cross
dance dark decide deep degree direct doctor dream earth eight engine every example family field figure final
fire fish flower follow force friend garden glass golden great green ground group happy heart heavy horse hour
house hundred island jump key king language laugh letter light machine market measure moon morning mountain
music natural night number ocean order paper pattern picture plant point power question quick quiet reason
record river round science second sentence seven shape simple six square star stone story strange summer surface
system table teacher thing travel tree value village voice water weather week wheel window winter wonder world
yellow young zero
"""
_LINES = """
actions speak louder than words
bad news travels fast
beggars cannot be choosers
better late than never
birds that flock together
curiosity killed the cat
easy come easy go
empty vessels make most noise
first come first served
five wizards boxed in jest
fools rush in blindly
fortune favours the bold
haste makes waste
honesty is the best policy
jack of all trades
let sleeping dogs lie
many hands make short work
never judge by covers
no smoke without flame
nymphs vex big fjords
old habits die hard
once bitten twice shy
out of sight out of mind
pack my box with five dozen jugs
practice makes perfect
quit while you are ahead
rome fell in one day
speak of the devil
still waters run wide
strike while the iron is hot
the grass is always taller
the lazy dog slept
the proof of the pudding
the sky is the limit
too many cooks spoil the broth
two heads beat one
when it rains it pours
you reap what you sow
"""
_WORDS = """
acid agent album arrow autumn bacon badge bamboo banjo basket beach berry blanket bottle bucket butter cabin
camera candle carpet castle cheese cherry chimney coffee copper corner cousin crystal curtain dagger desert
diamond dinner dolphin dragon drawer eagle elbow evening fabric faith feather fever finger forest fox frozen
galaxy ghost giant giraffe guitar hammer harvest hazel helmet honey hotel hungry insect ivory jacket jelly jewel
judge juice jungle kettle kidney kitchen kitten knife ladder lemon lizard luck magnet maple marble mask meadow
melody mirror monkey muscle needle nephew nest noise novel onion orange orchard oven oxygen parcel peanut pencil
pepper piano pigeon pilot pirate pocket potato puzzle quarter quartz queen rabbit racket ribbon rocket saddle
salt sandal shadow shelter shovel silver sister spider spoon squash statue storm sugar swallow taxi temple
ticket tiger tomato tower tractor trumpet tunnel turtle twelve umbrella valley velvet violin vixen volcano wagon
walnut whisper willow wizard wolf yard yeast zebra
"""
VALIDATION_WORDS = tuple(_VALIDATION.split())
"""Of three to eight letters; settings are chosen by them."""
VALIDATION_LINES = tuple(" ".join(VALIDATION_WORDS[i::35]) for i in range(35))
"""Of four of these words; settings are chosen by them too."""
HELD_OUT_LINES = tuple(_LINES.strip().splitlines())
"""None of their words is among those for validation, and each is longer than any line that is learnt."""
HELD_OUT_WORDS = tuple(_WORDS.split())
"""Of three to eight letters, none of them among those for validation; no setting was chosen by them."""
