"""Tables of the scorecard's verbs on a terminal."""

from features.definitions import DIMENSIONS
from models.scorecard import ScorecardFit
from models.scorecard.points_found import accounts_convert, difference, interval
from pipeline.console import show, table
from pipeline.scorecard import Shown


def print_rules(shown: Shown) -> None:
    """Rules by dimension, and where tiers begin."""
    rows = table("dimension", "points", "rule", "earned by", "from")
    for dimension in DIMENSIONS:
        for one in shown.rules:
            if one.rule.dimension == dimension:
                name, earned = one.rule.name, one.earned_by
                rows.add_row(
                    dimension,
                    f"{one.rule.points:+4d}",
                    "" if name == earned else name,
                    earned,
                    one.source,
                )
    limits = shown.spec.thresholds
    show(
        rows,
        f"Warm from {limits.warm:g} points, hot from {limits.hot:g}, critical from "
        f"{limits.critical:g}.",
    )
    if shown.unmapped:
        show(
            f"Without events: {', '.join(shown.unmapped)}. Name yours under scorecard.events, "
            "or their rules never count."
        )
    for told in shown.unknown or ():
        show(f"Warning: {told}")
    if shown.unknown is None:
        show("No data are imported yet: nobody knows whether all these events exist.")
    if any("if not counted" in one.source for one in shown.rules):
        show(
            "A hand-raise gives way to an upgrade rule whose feature counts the same event; the "
            "report of a training lists what is left."
        )


def print_fit(fit: ScorecardFit) -> None:
    """Old against learnt points, and both on later rows."""
    rows = table("dimension", "rule", "old", "new", "95 % interval", "earned by", "verdict")
    for dimension in DIMENSIONS:
        for one in fit.rules:
            if one.rule.dimension == dimension:
                rows.add_row(
                    dimension,
                    one.rule.name,
                    f"{one.rule.points:+4d}",
                    "" if not one.has_data else f"{one.points:+4d}" if one.points else "   0",
                    interval(one),
                    f"{one.share:.1%}" if one.has_data else "",
                    one.verdict,
                )
    later = table("on later rows", "old", "new", "new - old, 95 % interval")
    for row in fit.compared():
        later.add_row(row["name"], f"{row['old']:.3f}", f"{row['new']:.3f}", difference(row))
    show(
        f"Learnt from {fit.rows:,} rows, {accounts_convert(fit.converting)}; judged on "
        f"{fit.later_rows:,} later rows, {accounts_convert(fit.later_converting)}.",
        rows,
        later,
        f"{fit.verdict}\n{fit.tiers_told}",
    )
