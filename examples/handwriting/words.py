"""Lines by hand: `python words.py ["a line" ...]` learns to write, writes some, and draws lines.svg and picture.png.

It takes some minutes. Needs `pip install 'mixtura[app,handwriting]'`.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from mixtura.datasets import (
    draw_text,
    random_lines,
    random_words,
    random_writer,
    scale_strokes,
    stroke_lines,
    stroke_scale,
)
from mixtura.nn import Drawings, StrokeRNN
from mixtura.report import write_strokes_svg
from mixtura.training import fit_strokes, isolated_seed

HERE = Path(__file__).parent
LETTERS = "abcdefghijklmnopqrstuvwxyz "
wanted = sys.argv[1:] or [
    "the quick brown fox",
    "jumps over the lazy dog",
    "mixture density networks",
    "to be or not to be",
    "yellow submarine",
    "question and answer",
]


def codes(texts):
    """Return the places of the characters among the letters, and one more number that says where the line ends."""
    return [[*map(LETTERS.index, text), len(LETTERS)] for text in texts]


# Lines of one to three made-up words, each in the hand of another writer; the wanted words are not among them.
words = random_words(6_000, (2, 8), exclude=" ".join(wanted).split(), random_state=0)
lines = random_lines(8_000, words, longest=14, most=3, random_state=0)
rng = np.random.default_rng(0)
drawn = [draw_text(line, random_writer(rng), rng) for line in lines]
scale = stroke_scale(drawn)

# A network that is given the characters of a line, and says where the pen goes next.
with isolated_seed(0):
    rnn = StrokeRNN(hidden=128, components=10, characters=len(LETTERS) + 1)
data = Drawings(scale_strokes(drawn, scale), codes(lines))
fit_strokes(rnn, data, epochs=6, batch_size=16, learning_rate=8e-3, verbose=True)

# The wanted lines, each in a hand that the network chooses.
made = rnn.generate(text=codes(wanted), temperature=0.3, max_points=1_000, random_state=0)
written = scale_strokes(made, 1 / scale)
write_strokes_svg(HERE / "lines.svg", written, wanted, columns=2)

# The same as a still picture, and where the network looked while it wrote the first line.
points = Drawings(made[:1], codes(wanted[:1])).batch(torch.tensor([0])).points
with torch.no_grad():
    phi = rnn.attention(points, torch.tensor(codes(wanted[:1])))[0, :, : len(wanted[0])]
figure = Figure(figsize=(9, 0.9 * len(written)), dpi=72, layout="constrained")
grid = figure.add_gridspec(len(written), 2, width_ratios=(2, 1))
for row, (drawing, line) in enumerate(zip(written, wanted, strict=True)):
    axis = figure.add_subplot(grid[row, 0])
    for stroke in stroke_lines(drawing):
        axis.plot(*stroke.T, color="#1b2530", lw=1.1)
    axis.set_title(line, fontsize=8, color="#5c6873")
    axis.set(aspect="equal")
    axis.invert_yaxis()
    axis.set_axis_off()
axis = figure.add_subplot(grid[:, 1])
axis.imshow(phi, aspect="auto", cmap="Blues", interpolation="nearest")
axis.set_xticks(range(len(wanted[0])), list(wanted[0]))
axis.set(ylabel="point")
axis.set_title("where the network looks", fontsize=9)
figure.savefig(HERE / "picture.png")
