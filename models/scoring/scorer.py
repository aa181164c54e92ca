"""A saved model: columns -> similarity -> raw score -> probability, PQL score and tier."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .columns import check_columns, encode
from .learners import Learner
from .probability import calibrate, high_low, tier_basis, tier_of
from .reference import SIMILARITY, Reference, similarity, to_ranks

FORMAT_VERSION = 2
VIEWS = ("fit", "usage")
"""Who they are, and what they do: two further scores of a row."""


def assemble(
    columns: list[dict], space: Mapping[str, np.ndarray] | None, values: Mapping[str, Any]
) -> tuple[list[str], np.ndarray]:
    """Names and float64 values, shape (n, n_names), of all columns and the similarities."""
    names, encoded = [column["name"] for column in columns], encode(columns, values)
    if space is None:
        return names, encoded
    like = similarity(space, to_ranks(space, encoded), values)
    return [*names, *SIMILARITY], np.hstack([encoded, like])


class Scorer:
    """A saved model: `score` gives probabilities, `look_alikes` the nearest customers."""

    def __init__(
        self,
        columns: list[dict],
        learner: Learner,
        space: Mapping[str, np.ndarray] | None,
        calibration: dict | None = None,
        tiers: dict | None = None,
        views: Mapping[str, tuple[Learner, dict]] | None = None,
    ):
        self.columns, self.learner, self.space = columns, learner, space
        self.calibration, self.tiers = calibration or {}, tiers or {}
        self.views = dict(views or {})

    @classmethod
    def load(cls, folder: str | Path) -> "Scorer":
        """Read a bundle folder; ValueError when its format is another than this file reads."""
        root = Path(folder)
        about, calibration, tiers = (
            json.loads((root / f"{name}.json").read_text(encoding="utf-8"))
            for name in ("bundle", "calibration", "tiers")
        )
        if about["format_version"] != FORMAT_VERSION:
            raise ValueError(f"Format {about['format_version']} is not {FORMAT_VERSION}: retrain.")
        space = None
        if (root / "similarity.npz").is_file():
            with np.load(root / "similarity.npz", allow_pickle=False) as arrays:
                space = dict(arrays)
        views = {
            name: (Learner.read(root, f"{name}-"), json.loads(path.read_text(encoding="utf-8")))
            for name in VIEWS
            if (path := root / f"{name}-view.json").is_file()
        }
        return cls(about["columns"], Learner.read(root), space, calibration, tiers, views)

    def raw(self, values: Mapping[str, Any]) -> np.ndarray:
        """Raw scores (log-odds before calibration), shape (n,)."""
        return self.learner.raw(*assemble(self.columns, self.space, values))

    def contributions(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """What each column adds to the raw score, by name, shape (n,) each; "" is the constant."""
        return self.learner.contributions(*assemble(self.columns, self.space, values))

    def score(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Scores by name, each of shape (n,); those of a view that is not there are missing.

        `values` maps names to arrays: every model column, ``as_of`` (int64 microseconds UTC or
        datetime64), and where known ``account_id`` and ``domain``.

        Raises
        ------
        ColumnError
            When a column is missing, unknown or of another type.
        """
        names, matrix = assemble(self.columns, self.space, values)
        raw = self.learner.raw(names, matrix)
        probability = calibrate(self.calibration, raw)
        scores = {
            "raw_score": raw,
            "probability": probability,
            "pql_score": np.interp(probability, self.tiers["knots"], self.tiers["heights"]),
            "tier": tier_of(self.tiers["cutoffs"], tier_basis(self.tiers, probability, values)),
        }
        for name in VIEWS:
            scores[f"{name}_score"] = np.full(len(raw), np.nan)
            scores[f"{name}_tier"] = np.full(len(raw), None, object)
        for name, (learner, mapping) in self.views.items():
            judged = high_low(mapping, learner.raw(names, matrix))
            scores[f"{name}_score"], scores[f"{name}_tier"] = judged
        return scores

    def look_alikes(self, values: Mapping[str, Any], k: int) -> list[list[tuple[str, float]]]:
        """Names and distances of the k nearest customers of each row, nearest first."""
        if self.space is None:
            return [[] for _ in range(check_columns(self.columns, values))]
        ranks = to_ranks(self.space, encode(self.columns, values))
        distance, index = Reference(self.space, "customer").nearest(ranks, values, k)
        names = self.space["customer_names"]
        rows = zip(index.tolist(), distance.tolist(), strict=True)
        return [[(str(names[i]), d) for i, d in zip(*row, strict=True) if i >= 0] for row in rows]
