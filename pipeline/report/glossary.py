"""What the words on our pages mean: one definition each, wherever a word is shown."""

from models.judging.metric_words import METRIC_MEANINGS, METRIC_NAMES

PART_NAMES = {
    "base_rate": "base rate",
    "mean_probability": "mean probability",
    "pr_auc_over_base_rate": "PR-AUC over base rate",
}
PART_MEANINGS = {
    "base_rate": "share of the rows that convert",
    "mean_probability": "what the model expects that share to be",
    "pr_auc_over_base_rate": "PR-AUC as a multiple of what guessing gives, so that parts with "
    "different base rates compare",
}
_OTHERS = {
    "rows": "snapshots: one account or user at one date (as_of) each",
    "test rows": "snapshots of the last fold, later than anything the model was fitted or "
    "calibrated on",
    "converting rows": "snapshots followed by a conversion within the horizon",
    "converting accounts": "accounts, or entities without one, with a converting row: one account "
    "counts once, however many of its rows convert, and ranges rest on this number",
    "entities": "accounts or users",
    "difference": "the model's value minus the other's, on the same rows and the same draws; bold "
    "where the range leaves out 0",
    "predicted": "mean probability of the rows",
    "converted": "share of the rows that converted within the horizon, with a 95 % Wilson interval "
    "on the effective number of rows: rows of one account hang together and tell less than as many "
    "accounts would",
    "purged": "rows left out because their label window would reach into the next part",
    "churn": "share of accounts or users present at two consecutive dates whose tier differs",
    "taken back": "of the changes of tier, the share undone at the very next date",
    "earned by": "share of the test rows that get a rule's points",
    "share": "how much of what the model leans on is this feature: by gain of the trees, or by "
    "weight",
    "PSI": "population stability index over ten bins of equal size in the reference, less what "
    "chance shows; below 0.1 is usually called no change, from 0.25 on a large one",
    "q": "smallest false discovery rate (Benjamini-Hochberg) at which the change counts as one",
    "promised": "mean probability of the rows",
    "still to come": "conversions that have probably happened but are not known yet",
    "ratio": "conversions, with those still to come, over the sum of probabilities; 1 is "
    "calibrated",
    "lift": "share that converts as a multiple of the share among all; 1 is no better than chance",
    "effect": "how many times as often those convert who have reached it, at the same age and "
    "activity (hazard ratio)",
    "coverage": "share of all that has reached it",
    "precision": "share of those who have reached it that converts",
    "recall": "share of the converting that has reached it",
    "honest": "the metric when the model is judged on rows later than all it has seen",
    "claimed": "what the shortcut's own test says",
    "price": "claimed minus honest: what the shortcut flatters by",
    "on the same rows": "the shortcut's model minus the honest one on rows that both tests hold: "
    "what the leak alone is worth",
    "behind the best": "how much more log loss than the best rung's, paired",
    "standard error": "of the paired difference, over accounts",
}


def metric_name(metric: str) -> str:
    """How a metric, or a number of a part of the rows, is called.

    >>> metric_name("pr_auc"), metric_name("base_rate")
    ('PR-AUC', 'base rate')
    """
    return PART_NAMES.get(metric) or METRIC_NAMES[metric]


def _sentence(meaning: str) -> str:
    return f"{meaning[:1].upper()}{meaning[1:]}."


TERMS = {
    name: _sentence(meaning)
    for name, meaning in (
        {METRIC_NAMES[metric]: meaning for metric, meaning in METRIC_MEANINGS.items()}
        | {PART_NAMES[part]: meaning for part, meaning in PART_MEANINGS.items()}
        | _OTHERS
    ).items()
}
"""Meaning of each word that a page makes a button of, in the order of the glossary."""
