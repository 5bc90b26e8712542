"""Synthetic studies: `study_of` makes a study from given values, `whole_study` a study with every part."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from restoration.names import ARTEFACTS, METRICS, UNTRAINED, metric
from restoration.study.curves import CURVE
from restoration.study.records import RUN, VARYING, Study
from restoration.study.values import Condition

SETTINGS = {
    "learning_rate": 0.001,
    "model": "cnn",
    "optimizer": "adam",
    "patches": 100_000,
    "batch": 8,
    "precision": "fp32",
    "hardware": "abacus",
    "seconds": 1.0,
    "commit": "abc",
    "photographs": 7,
    "photographs_hash": "0123456789abcdef",
    "protocol": "as agreed",
    "degradation": "some",
}
Scores = Mapping[tuple[Condition, str], np.ndarray]


def study_of(
    scores: Scores,
    *,
    families: Mapping[str, str] | None = None,
    alphas: Mapping[str, tuple[float, float]] | None = None,
    shares: Mapping[str, float] | None = None,
    test_sets: Mapping[str, Mapping[str, object]] | None = None,
) -> Study:
    """A study with these scores.

    Args:
        scores: (photographs,) of one seed, or (photographs, seeds), by condition and column; photograph i is "0i.png".
            Only the first seed counts for columns without a training.
        families: families by loss; by default each loss is a family.
        alphas: α and the unit of L1, by loss.
        shares: share of L1 in the gradient, by loss, constant over the training.
        test_sets: facts by name; by default the title of a test set is its name.
    """
    rows, runs = [], {}
    for (condition, column), values in scores.items():
        table = np.asarray(values, dtype=float).reshape(len(values), -1)
        table = table[:, :1] if column in UNTRAINED else table
        for (image, seed), value in np.ndenumerate(table):
            key = (
                ("", condition.task, column, -1)
                if column in UNTRAINED
                else (condition.part, condition.task, column, seed)
            )
            rows.append((*key, condition.test_set, f"{image:02}.png", condition.metric, value))
            if column not in UNTRAINED:
                alpha, scale = (alphas or {}).get(column, (np.nan, np.nan))
                runs[key] = {
                    **dict(zip(RUN, key, strict=True)),
                    **SETTINGS,
                    "title": column.upper(),
                    "family": (families or {}).get(column, column),
                    "alpha": alpha,
                    "l1_scale": scale,
                    "sigma": np.nan,
                }
    frame = pd.DataFrame(rows, columns=[*RUN, "test_set", "image", "metric", "value"])
    facts = pd.DataFrame(runs.values())
    curves = [
        (part, task, loss, seed, "train/gradient_share/l1", patches, shares[loss])
        for part, task, loss, seed in runs
        if shares and loss in shares
        for patches in (500, 1000)
    ]
    return Study(
        data="photos",
        variant="quick",
        scores=frame.merge(facts[[*RUN, *VARYING]], how="left", on=RUN).assign(data="photos"),
        runs=facts,
        read_curves=lambda: pd.DataFrame(curves, columns=CURVE).astype({"tag": str, "value": float}),
        test_sets={
            name: {"title": name.title(), "images": int(count), **(test_sets or {}).get(name, {})}
            for name, count in frame.groupby("test_set")["image"].nunique().items()
        },
    )


def around(mean: float, *, images: int = 12, spread: float = 0.01, seed: int = 0) -> np.ndarray:
    """(images, 2) values of two trainings with nearly equal scores; their mean is exactly `mean`."""
    values = np.random.default_rng(seed).normal(0, spread, (images, 1)).repeat(2, axis=1)
    return mean + values - values.mean()


GAINS = {"input": -4.0, "bm3d": -1.0, "l2": 0.0, "l1": 0.4, "ssim5": -0.8, "ms_ssim": -1.0, "mix": 0.8}  # dB over L2
WHOLE: dict[str, Sequence[str]] = {
    "main": ("input", "bm3d", "l2", "l1", "ssim5", "ms_ssim", "mix"),
    "seeds": ("l2", "l1", "ms_ssim", "mix"),
    "adamw": ("l2", "l1", "mix"),
    "alpha": ("mix", "mix_low", "mix_high", "mix_code", "mix_naive"),
}
SECOND: dict[str, Sequence[str]] = {  # parts of the second edition
    "main": (*WHOLE["main"], "ms_ssim_dense", "mix_dense"),
    "longer": ("l2", "l1"),
    "alpha": WHOLE["alpha"],
    "gaussians": ("ms_ssim_dense", "mix_dense", "ms_ssim_small", "mix_small"),
    "sgd": ("l2", "l1"),
    "adam": ("l2", "l1", "mix"),
    "residual": ("l2", "l1", "mix"),
}
ALPHAS = {
    "mix": (0.84, 255.0),
    "mix_low": (0.8, 255.0),
    "mix_high": (0.99, 255.0),
    "mix_code": (0.025, 1.0),
    "mix_naive": (0.84, 1.0),
}


def whole_study(
    parts: Mapping[str, Sequence[str]] = WHOLE,
    *,
    repeated: str = "seeds",
    images: int = 8,
    tests: Sequence[str] = ("fivek40", "kodak24"),
    gains: Mapping[str, float] = GAINS,
) -> Study:
    """Scores by every metric, in all tasks: a loss with a gain of 1 dB has 23 % less error.

    Args:
        repeated: the part with three seeds.
    """
    scores = {}
    for part, columns in parts.items():
        for task in ("demosaic", "sr", "jpeg"):
            for column in columns:
                if column == "bm3d" and task != "demosaic":
                    continue
                for test in tests:
                    for number, name in enumerate((*METRICS, *ARTEFACTS)):
                        seeds = 3 if part == repeated else 1
                        rng = np.random.default_rng([*f"{part}{column}".encode(), number, len(task)])
                        noise = rng.normal(0, 0.02, (images, seeds))
                        scores[Condition(part, task, test, name), column] = score(name, gains.get(column, 0.7) + noise)
    return study_of(scores, alphas=ALPHAS, families=dict.fromkeys(GAINS, "any"), shares=dict.fromkeys(ALPHAS, 0.25))


def score(name: str, gain: np.ndarray) -> np.ndarray:
    """The score of a metric; a gain of 0 dB is 30 dB of PSNR, an error of 0.001, or a similarity of 0.9."""
    if metric(name).absolute:
        return 30 + gain
    error = 10 ** (-gain / 10)
    return 1 - 0.1 * error if metric(name).higher_is_better else 0.001 * error
