"""A saved model: columns -> similarity -> raw score -> probability, PQL score and tier."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .alike import LookAlike, look_alikes
from .columns import check_columns, encode
from .language import Language
from .learners import Learner
from .probability import calibrate, high_low, points_per_log_odds, tier_basis, tier_of
from .reasons import PARTS, Facts, Former, Reason, by_part, strongest, texts
from .reference import SIMILARITY, Similarity, to_ranks

FORMAT_VERSION = 3
VIEWS = ("fit", "usage")
"""Who they are, and what they do: two further scores of a row."""
WORDING_FILE = "reasons.json"
TEXTS_FILE = "texts.json"

# Rows scored at once: they fit into a processor's cache, and no result depends on it.
_BLOCK = 4_096
# What is looked up for reasons is made once for all rows of a block.
_REASONS_BLOCK = 32_768


def assemble(
    columns: list[dict], similarity: Similarity | None, values: Mapping[str, Any]
) -> tuple[list[str], np.ndarray]:
    """Names and float64 values, shape (n, n_names), of all columns and the similarities."""
    names, encoded = [column["name"] for column in columns], encode(columns, values)
    if similarity is None:
        return names, encoded
    like = similarity(to_ranks(similarity.space, encoded), values)
    return [*names, *SIMILARITY], np.hstack([encoded, like])


class Scorer:
    """A saved model: `score` gives probabilities, `reasons` why, `look_alikes` like whom.

    Parameters
    ----------
    wording
        What `strongest` says of each column.
    language
        What is said beside; without both the model has no words for its reasons.
    """

    def __init__(
        self,
        columns: list[dict],
        learner: Learner,
        space: Mapping[str, np.ndarray] | None,
        calibration: dict | None = None,
        tiers: dict | None = None,
        views: Mapping[str, tuple[Learner, dict]] | None = None,
        wording: Mapping[str, Mapping[str, Any]] | None = None,
        language: Language | None = None,
    ):
        self.columns, self.learner, self.space = columns, learner, space
        self.similarity = None if space is None else Similarity(space)
        self.calibration, self.tiers = calibration or {}, tiers or {}
        self.views, self.wording = dict(views or {}), dict(wording or {})
        self.language = language or Language()

    @classmethod
    def load(cls, folder: str | Path) -> "Scorer":
        """Read a bundle folder; ValueError when its format is another than this file reads."""
        root = Path(folder)
        about, calibration, tiers = (
            _json(root / f"{name}.json") for name in ("bundle", "calibration", "tiers")
        )
        if about["format_version"] != FORMAT_VERSION:
            raise ValueError(f"Format {about['format_version']} is not {FORMAT_VERSION}: retrain.")
        space, wording, language = None, None, None
        if (root / "similarity.npz").is_file():
            with np.load(root / "similarity.npz", allow_pickle=False) as arrays:
                space = dict(arrays)
        # Bundles made before models kept texts have sentences that nothing reads any more.
        if (root / TEXTS_FILE).is_file():
            wording, language = _json(root / WORDING_FILE), Language(_json(root / TEXTS_FILE))
        views = {
            name: (Learner.read(root, f"{name}-"), _json(path))
            for name in VIEWS
            if (path := root / f"{name}-view.json").is_file()
        }
        learner = Learner.read(root)
        return cls(about["columns"], learner, space, calibration, tiers, views, wording, language)

    def raw(self, values: Mapping[str, Any]) -> np.ndarray:
        """Raw scores (log-odds before calibration), shape (n,)."""
        return self.learner.raw(*assemble(self.columns, self.similarity, values))

    def contributions(self, values: Mapping[str, Any], threads: int = 1) -> dict[str, np.ndarray]:
        """What each column adds to the raw score, by name, shape (n,) each; "" is the constant."""
        return self.learner.contributions(*assemble(self.columns, self.similarity, values), threads)

    def score(self, values: Mapping[str, Any], threads: int = 1) -> dict[str, np.ndarray]:
        """Scores by name, each of shape (n,); those of a view that is not there are missing.

        `values` maps names to arrays: every model column, ``as_of`` (int64 microseconds UTC or
        datetime64), and where known ``account_id`` and ``domain``. A row has the same scores, to
        the last bit, alone and among others, on one thread and on many.

        Raises
        ------
        ColumnError
            When a column is missing, unknown or of another type.
        """
        parts = [self._score(part, threads) for part in self._blocks(values)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def reasons(self, values: Mapping[str, Any], top: int, threads: int = 1) -> list[list[Reason]]:
        """The `top` strongest reasons of each row, for and against, strongest first.

        Exact Shapley values of the raw score (Lundberg et al. 2020).

        Raises
        ------
        ColumnError
            As `score`.
        """
        return [reason for part in self._why(values, top, threads) for reason in part[0]]

    def told(
        self,
        values: Mapping[str, Any],
        most: int,
        threads: int = 1,
        former: Former | None = None,
    ) -> dict[str, Any]:
        """What a scores table says of why: columns by name.

        Parameters
        ----------
        former
            The rows at an earlier time: reasons say how their points changed since.

        Returns
        -------
        dict
            ``engagement_points`` and so on for all `PARTS`, float64 of shape (n,): percentage
            points of probability, which together are the row's probability less `typical`; and
            ``reasons`` and ``reasons_against``, lists of texts of at most `most` of the reasons
            that raise and lower it, strongest first. Of these only the 3 x `most` strongest are
            looked at: where one direction outweighs all, there are fewer of the other.
        """
        whole = self._why(values, 3 * most, threads, former)
        points = {f"{name}_points": [part[1][name] for part in whole] for name in PARTS}
        reasons = [reason for part in whole for reason in part[0]]
        return {
            **{name: np.concatenate([*parts, np.empty(0)]) for name, parts in points.items()},
            "reasons": [texts(found, "raises", most) for found in reasons],
            "reasons_against": [texts(found, "lowers", most) for found in reasons],
        }

    def typical(self, values: Mapping[str, Any]) -> float:
        """Probability of a row of which nothing is known, in the units of `score`."""
        first = {name: column[:1] for name, column in values.items()}
        return float(calibrate(self.calibration, self.contributions(first)[""])[0])

    def _why(
        self,
        values: Mapping[str, Any],
        top: int,
        threads: int,
        former: Former | None = None,
    ) -> list[tuple[list[list[Reason]], dict[str, np.ndarray]]]:
        before = None if former is None else self._former_facts(former, threads)
        since, say = "" if former is None else former.since, self.language
        found, start = [], 0
        for part in self._blocks(values, _REASONS_BLOCK):
            # LightGBM divides by the number of rows.
            if not (n := len(part["as_of"])):
                continue
            contributions, facts = self._facts(part, threads)
            then = None if before is None else before.between(start, start + n)
            reasons = strongest(facts, contributions, self.wording, part, top, say, then, since)
            found.append((reasons, by_part(contributions, facts.per_log_odds, self.wording)))
            start += n
        return found

    def _facts(
        self, values: Mapping[str, Any], threads: int
    ) -> tuple[dict[str, np.ndarray], Facts]:
        contributions = self.contributions(values, threads)
        base, raw = contributions[""], np.sum(list(contributions.values()), axis=0)
        worth = points_per_log_odds(self.calibration, raw, base)
        return contributions, Facts.of(contributions, worth, self.wording)

    def _former_facts(self, former: Former, threads: int) -> Facts | None:
        """Facts of the rows then, NaN for who was not there."""
        parts = [
            self._facts(part, threads)[1]
            for part in self._blocks(former.values, _REASONS_BLOCK)
            if len(part["as_of"])
        ]
        if not parts:
            return None
        added = np.vstack([part.added for part in parts])
        per_log_odds = np.concatenate([part.per_log_odds for part in parts])
        return Facts(parts[0].names, added, per_log_odds).take(former.place)

    def look_alikes(
        self, values: Mapping[str, Any], k: int, most: int = 3
    ) -> list[list[LookAlike]]:
        """The k nearest customers of each row, nearest first, with at most `most` shared facts."""
        if self.similarity is None:
            return [[] for _ in range(check_columns(self.columns, values))]
        names = [column["name"] for column in self.columns]
        found: list[list[LookAlike]] = []
        for part in self._blocks(values, _REASONS_BLOCK):
            ranks = to_ranks(self.similarity.space, encode(self.columns, part))
            nearest = self.similarity.customers.nearest(ranks, part, k)
            space = self.similarity.space
            found += look_alikes(
                space, names, self.wording, part, ranks, nearest, most, self.language
            )
        return found

    def _score(self, values: Mapping[str, Any], threads: int) -> dict[str, np.ndarray]:
        names, matrix = assemble(self.columns, self.similarity, values)
        raw = self.learner.raw(names, matrix, threads)
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
            judged = high_low(mapping, learner.raw(names, matrix, threads))
            scores[f"{name}_score"], scores[f"{name}_tier"] = judged
        return scores

    def _blocks(self, values: Mapping[str, Any], size: int = _BLOCK) -> Iterator[dict[str, Any]]:
        """The same columns, some rows at a time; one empty block where there are no rows."""
        n = check_columns(self.columns, values)
        for start in range(0, max(n, 1), size):
            yield {name: column[start : start + size] for name, column in values.items()}


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
