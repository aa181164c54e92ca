"""A scorecard as the settings block that a person would have written."""

from models.scorecard import Rule, ScorecardFit, ScorecardSpec
from models.scorecard.points_found import accounts_convert, interval
from pipeline.init.yaml import Page, shown, text


def fitted_block(fit: ScorecardFit) -> str:
    """The learnt scorecard to paste: a line per rule, with what it was before in a comment."""
    page = Page()
    page.say(
        0,
        f"Points learnt from {fit.rows:,} rows, {accounts_convert(fit.converting)}.",
        fit.verdict,
        fit.tiers_told,
    )
    told = {id(one.rule): one for one in fit.rules}
    notes = [_note(told[id(one.rule)]) for one in fit.rules if one.points or not one.has_data]
    write_block(page, fit.spec, notes)
    for one in fit.rules:
        if one.has_data and not one.points:
            page.say(2, f"dropped: {shown(one.rule.name)} had {one.rule.points:+d}")
    return page.content


def write_block(page: Page, spec: ScorecardSpec, notes: list[str]) -> None:
    """Every rule as a line, and the thresholds; no rule is added by a preset or by signals."""
    limits = spec.thresholds
    page.add(0, "scorecard:")
    page.add(1, "hand_raises: false", "signals add no rule to those below")
    tiers = ", ".join(f"{tier}: {getattr(limits, tier):g}" for tier in ("warm", "hot", "critical"))
    page.add(1, f"thresholds: {{{tiers}}}")
    page.add(1, "rules:")
    for rule, note in zip(spec.rules, notes, strict=True):
        page.add(2, f"- {_scalar(rule)}")
        if rule.explanation:
            page.say(2, f"  {shown(rule.explanation, 90)}")
        if note:
            page.say(2, f"  {note}")


def _scalar(rule: Rule) -> str:
    return text(rule.line)


def _note(one) -> str:  # type: ignore[no-untyped-def]
    if not one.has_data:
        return "no data, never counts"
    if not one.share:
        return "nobody earned it, so that nothing was learnt of it"
    return f"was {one.rule.points:+d}; 95 % interval {interval(one)}"
