"""What `recalibrate` prints: what was claimed, what came, and what is claimed from now on."""

from pipeline.console import show, table
from pipeline.recalibrate import Recalibration, sentence
from pipeline.wording import cut_words, percent


def print_recalibration(result: Recalibration) -> None:
    """One line per question, then the new version."""
    rates = table("on the newest mature rows", "share that converts")
    seen = result.observed
    rates.add_row(f"version {result.before.number} expected", percent(result.claimed))
    came = f"{percent(seen.rate)} (95 % interval {percent(seen.low)} to {percent(seen.high)})"
    rates.add_row("came", came)
    rates.add_row(f"version {result.version.number} expects", percent(result.claims))
    alias = " and ".join(result.version.aliases)
    _, low, high = result.shift.factor
    unsure = result.shift.how == "labels" and low <= 1 <= high
    lines = ["No move is shown: no change lies within the range."] if unsure else []
    if "champion" not in result.version.aliases:
        lines.append(
            "The champion stays what `predict` uses; to replace it: recalibrate --champion, to try "
            f"this one: predict --model {result.version.number}"
        )
    show(
        rates,
        f"{sentence(result.shift, result.first_as_of, result.last_as_of)}\n"
        f"Tiers before: {cut_words(result.cutoffs_before)}\n"
        f"Tiers now: {cut_words(result.cutoffs)} (those by capacity are counted anew)\n"
        f"Registered {result.version.name} version {result.version.number} as {alias}; the order "
        "of scores is as it was.",
        *lines,
    )
