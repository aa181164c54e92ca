"""What `promote`, `rollback` and `versions` print: tables, what was done, and what to do next."""

from features.clock import to_text
from features.errors import few
from pipeline.console import show, table
from pipeline.promote import Decision, Rollback
from pipeline.versions import Versions
from pipeline.wording import shown


def print_decision(result: Decision) -> None:
    """Rule by rule, then one sentence on the alias."""
    if not result.rulings:
        show(_nothing(result))
        return
    rules = table("rule", "found", "limit", "result", "meaning")
    for one in result.rulings:
        rules.add_row(one.rule, one.found, one.limit, one.verdict, one.meaning)
    lines = [_done(result)]
    if result.first_as_of is not None and result.last_as_of is not None:
        rows = f"Fresh rows: {to_text(result.first_as_of)} to {to_text(result.last_as_of)}. "
        lines.insert(0, f"{rows}Intervals are paired, over accounts.{_asked(result.asked)}")
    show(rules, *lines)


def print_rollback(result: Rollback) -> None:
    """Who is champion again, and how to come back."""
    change = result.change
    show(
        f"{result.name} version {change.version} is the champion again, in place of version "
        f"{change.former}. To score with it: predict. To return: promote --model {change.former}"
    )


def print_versions(result: Versions) -> None:
    """Newest version first; then the record of champions, oldest first."""
    versions = table("version", "alias", "registered", "learner", "PR-AUC", "scorecard's", "gate")
    for one in result.versions:
        scores = [
            "-" if value is None else shown(value) for value in (one.pr_auc, one.scorecard_pr_auc)
        ]
        when = to_text(one.created)[:16]
        versions.add_row(str(one.number), one.alias, when, one.rung or "-", *scores, one.gate)
    record = table("when", "what", "champion", "before", "reason")
    for change in result.record:
        record.add_row(
            "-" if change.at is None else to_text(change.at)[:16],
            change.kind,
            str(change.version),
            "-" if change.former is None else str(change.former),
            change.reason,
        )
    show(versions)
    if result.record:
        show(record)
    show(
        f"Model {result.name}. PR-AUC is that of each version's own test rows: two versions are "
        "compared by `promote`, not by this column. Gate: what `promote` did with it last."
    )


def _nothing(result: Decision) -> str:
    if result.version is None:
        return (
            f"{result.name} has no challenger; version {result.champion} stays the champion. "
            "`train` registers one, and --model names any version."
        )
    return f"{result.name} version {result.version} is the champion already."


def _asked(times: int) -> str:
    if times < 2:
        return ""
    return f" Asked {times} times since the last promotion, by whatever version: that widens them."


def _done(result: Decision) -> str:
    who = f"{result.name} version {result.version}"
    former = "" if result.champion is None else f" in place of version {result.champion}"
    against = f"{few(result.failed)} {'stands' if len(result.failed) == 1 else 'stand'} against it"
    if result.outcome == "promoted":
        return f"Promoted: {who} is the champion{former}. To take it back: rollback"
    if result.outcome == "forced":
        return f"Forced: {who} is the champion{former}, though {against}. To take it back: rollback"
    if result.outcome == "overtaken":
        return (
            f"Another version became the champion while {who} was judged; nothing was moved. "
            "Judge it again."
        )
    stays = "there is no champion" if not former else f"version {result.champion} stays"
    return f"Refused: {who} is not promoted ({against}); {stays}. To do it anyway: --force --reason"
