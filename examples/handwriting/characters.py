"""A network that draws Chinese characters: `python characters.py` teaches it, scores it, and draws characters.png.

Set MIXTURA_DATA to the folder with strokes_kanji.npz.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import mixtura as mx
from mixtura.datasets import data_file, read_strokes, scale_strokes, stroke_lines, stroke_scale

path = data_file("strokes_kanji.npz", "is made of short_kanji.npz of github.com/hardmaru/sketch-rnn-datasets")
drawings = {split: read_strokes(path, split) for split in ("train", "valid", "test")}
scale = stroke_scale(drawings["train"])
train, valid, test = (mx.nn.Drawings(scale_strokes(d, scale)) for d in drawings.values())

# For every next point a mixture of 20 Gaussians beside the state of the pen. The points lie on a grid of step 1, whose
# standard deviation is the least that a component may have.
with mx.training.isolated_seed(0):
    rnn = mx.nn.StrokeRNN(hidden=256, components=20, min_scale=(1 / 12**0.5 / scale).tolist())
mx.training.fit_strokes(rnn, train, validation=valid, epochs=6, verbose=True)
nll = mx.training.stroke_nll(rnn, test)
print(f"{nll[:, 0].sum() / nll[:, 1].sum():.3f} nats per point of characters that it has not seen")

sheets = {
    "real": drawings["test"][:20],
    "drawn, temperature 1": rnn.generate(20, temperature=1.0, max_points=120, random_state=0),
    "drawn, temperature 0.4": rnn.generate(20, temperature=0.4, max_points=120, random_state=0),
}
figure = Figure(figsize=(10, 4.3), dpi=56, layout="constrained")
for axis, (title, sheet) in zip(figure.subplots(1, 3), sheets.items(), strict=True):
    for k, drawing in enumerate(sheet):
        lines = stroke_lines(drawing)
        corners = np.concatenate(lines)
        middle, size = (corners.max(0) + corners.min(0)) / 2, np.ptp(corners, axis=0).max()
        for line in lines:
            x, y = 0.8 * ((line - middle) / max(size, 1e-9)).T
            axis.plot(x + k % 4, y + k // 4, color="#1d5c8f" if "drawn" in title else "#1b2530", lw=1)
    axis.set_title(title, fontsize=10)
    axis.set(aspect="equal", ylim=(4.6, -0.6))
    axis.set_axis_off()
figure.savefig(Path(__file__).with_name("characters.png"))
