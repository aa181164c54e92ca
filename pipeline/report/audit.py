"""The leak audit as a section of a page, and as rows of a table."""

from models.leakage.finding import Audit, Finding
from pipeline.report.page import Block, Bullets, Cell, Fold, Section, Table, Text, columns

AUDIT_MEANING = (
    ("fail:", "training rows see what is known only because of the outcome."),
    (
        "warn:",
        "features read it, but no training row can see it in time, or it shows the sign without "
        "proof.",
    ),
    (
        "told:",
        "it reaches no feature, can't be checked, or is known in time but hardly in time to act.",
    ),
)
FINDING_COLUMNS = ("leak audit", "what", "evidence", "what to do")


def audit_section(audit: Audit) -> Section:
    """Verdict, findings with their evidence, and what each check looked at."""
    alarms = [row for row in _rows(audit) if row[0].tone == "bad"]
    others = [row for row in _rows(audit) if row[0].tone != "bad"]
    blocks: list[Block] = [Text(audit.verdict, strong=True)]
    if alarms:
        blocks.append(Table("What leaks", columns(*FINDING_COLUMNS), alarms, stacked=True))
    if audit.unused_allowances:
        blocks.append(Text(unused(audit)))
    checks = Table(
        "Each check is also given leaks made for it: an audit that misses one is not believed",
        columns("check", "looked at", "planted leaks caught"),
        _check_rows(audit),
        stacked=True,
    )
    looked: list[Block] = [checks, Text("Labels of the test fold are never looked at.", muted=True)]
    if others:
        told = Table("No alarm", columns(*FINDING_COLUMNS), others, stacked=True)
        looked += [told, Bullets(AUDIT_MEANING)]
    blocks.append(Fold("What was looked at, and what is no alarm", looked))
    return Section("audit", "Leak audit", blocks)


def finding_rows(audit: Audit, *, told: bool = True) -> list[tuple[str, ...]]:
    """One row of `FINDING_COLUMNS` per finding, the gravest first.

    Parameters
    ----------
    told
        Whether to list what is no alarm as well.
    """
    shown = audit.findings if told else audit.alarms
    return [(_severity(one), str(one.origin), one.evidence, one.remedy) for one in shown]


def unused(audit: Audit) -> str:
    """What `audit.allow` names without need, in a sentence; empty for nothing."""
    if not audit.unused_allowances:
        return ""
    names = ", ".join(repr(name) for name in audit.unused_allowances)
    return f"`audit.allow` names {names}, of which nothing was found: take it out, or check it."


def _rows(audit: Audit) -> list[tuple[Cell, str, str, str]]:
    return [
        (
            Cell(_severity(one), tone="bad" if one in audit.alarms else ""),
            str(one.origin),
            one.evidence,
            one.remedy,
        )
        for one in audit.findings
    ]


def _severity(finding: Finding) -> str:
    return f"{finding.severity}, accepted" if finding.accepted else finding.severity


def _check_rows(audit: Audit) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for check in audit.checks:
        caught = sum(one.caught for one in check.planted)
        told = f"{caught} of {len(check.planted)}" if check.planted else ""
        seen = f"nothing can be said: {check.blind}" if check.blind else check.looked_at
        rows.append((check.name, seen, told))
    return rows
