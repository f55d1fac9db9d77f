"""Fit bundled data and write one report: an inverse problem with a known answer, diabetes, two moons and digits."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes, load_digits, make_moons
from sklearn.model_selection import train_test_split

from mixtura.datasets import inverse_sine, inverse_sine_log_prob, inverse_sine_optimum
from mixtura.estimators import MixtureAutoencoder, MixtureDensityEstimator, MixtureDensityRegressor
from mixtura.report import (
    autoencoder_chapter,
    chapter,
    check_folder,
    density_chapter,
    page,
    paragraph,
    regression_chapter,
    write_page,
)

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mixtura demo``."""
    parser.add_argument("--report", type=Path, default=Path("mixtura-demo.html"), help="report to write")
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the training: shows that it runs, not how well"
    )


def run(options: argparse.Namespace) -> None:
    """Fit the four problems, print their scores and write the report."""
    check_folder(options.report)
    chapters = [_inverse_problem(options), _diabetes(options), _moons(options), _digits(options)]
    opening = paragraph(
        "Four problems to which one number is no answer. In the first the exact answer is known, so the model can be "
        "compared with the best there is; the second is a small real table; the third has no target at all: what is "
        "learnt is where the points lie. In the last a whole image is to be told from a single number.",
        "lead",
    )
    write_page(options.report, page("What mixtura learns", opening, *chapters))
    print(f"\nreport: {options.report.resolve()}")


def _inverse_problem(options: argparse.Namespace) -> str:
    print("1. The toy inverse problem: y = t + 0.3 sin(2πt) + noise; given y, what was t?")
    train, test = inverse_sine(4_000, random_state=options.seed), inverse_sine(4_000, random_state=options.seed + 1)
    model = _fit(train, 1, options)
    truth = -inverse_sine_log_prob(*test).mean()
    html, scores = regression_chapter(
        model,
        train,
        test,
        feature_names=["y"],
        target_names=["t"],
        facts=[("data", f"y = t + 0.3 sin(2πt) + N(0, 0.1²), t uniform; 4,000 rows each, seed {options.seed}")],
        notes=[
            f"The exact conditional density scores {truth:.3f} nats on these test rows "
            f"({inverse_sine_optimum():.4f} in expectation, by quadrature): no model can do better.",
            "Between y = 0.3 and y = 0.7 three values of t answer one y. Their average, which a regression gives, is "
            "rarely one of them.",
        ],
    )
    print(f"{scores}\n{'the exact density':22} {truth:8.3f}\n")
    return chapter("The toy inverse problem", html)


def _diabetes(options: argparse.Namespace) -> str:
    print("2. Diabetes progression a year after ten measurements (scikit-learn's bundled table, 442 patients)")
    data = load_diabetes(as_frame=False, scaled=False)
    X, X_test, y, y_test = train_test_split(data["data"], data["target"], test_size=0.25, random_state=options.seed)
    html, scores = regression_chapter(
        _fit((X, y), 5, options),
        (X, y),
        (X_test, y_test),
        feature_names=data["feature_names"],
        target_names=["progression"],
        facts=[("data", f"sklearn.datasets.load_diabetes, {len(X)} rows to learn from, {len(X_test)} to test on")],
        notes=["Few rows and much noise: here a density earns little over a regression, and should not claim more."],
    )
    print(scores)
    return chapter("Diabetes progression", html)


def _moons(options: argparse.Namespace) -> str:
    print("\n3. Two moons: no target, the density of the points themselves, by the SVD cost")
    X, _ = make_moons(3_000, noise=0.05, random_state=options.seed)
    train, test = X[:2_000], X[2_000:]
    model = MixtureDensityEstimator(steps=200 if options.quick else 2_000, verbose=True, random_state=options.seed)
    html, scores = density_chapter(
        model.fit(train),
        train,
        test,
        column_names=["x", "y"],
        facts=[("data", f"sklearn.datasets.make_moons, noise 0.05, seed {options.seed}")],
        notes=[
            "The network makes centers of noise; the cost pulls them to the points until, through kernels, the two "
            "sets look the same. No variance was tuned.",
        ],
    )
    print(scores)
    return chapter("Two moons", html)


def _digits(options: argparse.Namespace) -> str:
    print("\n4. Digits from one number: what a code stands for, in many answers (scikit-learn's bundled images)")
    X, y = load_digits(return_X_y=True)
    train, test, _, classes = train_test_split(X, y, test_size=397, random_state=options.seed)

    def fit(**how: Any) -> MixtureAutoencoder:
        steps = 70 if options.quick else 700
        model = MixtureAutoencoder(1, standardize=False, steps=steps, verbose=True, random_state=options.seed)
        return model.set_params(**how).fit(train)

    html, scores = autoencoder_chapter(
        fit(centers=30),
        train,
        test,
        rivals={"standard autoencoder": fit(centers=1, cost="squared_error")},
        image_shape=(1, 8, 8),
        classes=classes,
        facts=[("data", "sklearn.datasets.load_digits, 8 x 8 pixels from 0 to 16")],
        notes=[
            "One number cannot tell 1,400 images apart, so many share a code. A standard autoencoder answers with "
            "their average, which is none of them; the mixture lists them.",
        ],
    )
    print(scores)
    return chapter("Digits from one number", html)


def _fit(data: tuple[np.ndarray, np.ndarray], ensemble: int, options: argparse.Namespace) -> MixtureDensityRegressor:
    model = MixtureDensityRegressor(
        5, ensemble=ensemble, epochs=20 if options.quick else None, verbose=True, random_state=options.seed
    )
    return model.fit(*data)
