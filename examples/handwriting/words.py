"""Words by hand: `python words.py [WORD ...]` learns to draw words, writes some, and draws words.svg and words.png.

It takes some minutes. Needs `pip install 'mixtura[app,handwriting]'`.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from mixtura.datasets import draw_text, random_words, random_writer, scale_strokes, stroke_lines, stroke_scale
from mixtura.nn import Drawings, StrokeRNN
from mixtura.report import write_strokes_svg
from mixtura.training import fit_strokes, isolated_seed

HERE = Path(__file__).parent
wanted = sys.argv[1:] or [
    "mixture",
    "density",
    "network",
    "machine",
    "answer",
    "question",
    "strange",
    "yellow",
    "quick",
]


def letters(words):
    """Return the places of the letters in the alphabet, and a 26 that says where the word ends."""
    return [[*(ord(c) - ord("a") for c in word), 26] for word in words]


# Made-up words, each in the hand of another writer; the wanted ones are not among them.
words = random_words(6_000, (3, 8), exclude=wanted, random_state=0)
rng = np.random.default_rng(0)
drawn = [draw_text(word, random_writer(rng), rng) for word in words]
scale = stroke_scale(drawn)

# A network that knows the letters of a word, and says where the pen goes next.
with isolated_seed(0):
    rnn = StrokeRNN(hidden=128, components=10, characters=27)
data = Drawings(scale_strokes(drawn, scale), letters(words))
fit_strokes(rnn, data, epochs=16, batch_size=32, learning_rate=8e-3, verbose=True)

# The wanted words, each in a hand that the network chooses.
made = rnn.generate(text=letters(wanted), temperature=0.3, random_state=0)
written = scale_strokes(made, 1 / scale)
write_strokes_svg(HERE / "words.svg", written, wanted, columns=4)

# The same as a still picture, and where the network looked while it wrote the first word.
figure = Figure(figsize=(9, 4.6), dpi=80, layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=(2, 1))
columns = 3
for axis, drawing, word in zip(left.subplots(-(-len(wanted) // columns), columns).flat, written, wanted, strict=False):
    for line in stroke_lines(drawing):
        axis.plot(*line.T, color="#1b2530", lw=1.1)
    axis.set_title(word, fontsize=8, color="#5c6873")
    axis.set(aspect="equal")
    axis.invert_yaxis()
for axis in left.axes:
    axis.set_axis_off()
b = Drawings(made[:1], letters(wanted[:1])).batch(torch.tensor([0]))
with torch.no_grad():
    phi = rnn.attention(b.points, b.text)[0, :, : len(wanted[0])]
axis = right.subplots()
axis.imshow(phi, aspect="auto", cmap="Blues")
axis.set_xticks(range(len(wanted[0])), list(wanted[0]))
axis.set(ylabel="point")
axis.set_title("where the network looks", fontsize=9)
figure.savefig(HERE / "words.png")
