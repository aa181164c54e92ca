"""The leak audit as a section of the report, and as rows of a table."""

from models.leakage.finding import Audit, Finding

AUDIT_MEANING = (
    "**fail**: training rows see what is known only because of the outcome. **warn**: features "
    "read it, but no training row can see it in time, or it shows the sign without proof. "
    "**told**: it reaches no feature, can't be checked, or is known in time but hardly in time to "
    "act. Every check is also given leaks made "
    "for it; an audit that misses one is not believed. Labels of the test fold are never looked at."
)
FINDING_COLUMNS = ("leak audit", "what", "evidence", "what to do")


def audit_section(audit: Audit) -> str:
    """Verdict, findings with their evidence, and what each check looked at."""
    lines = ["## Leak audit\n", f"**{audit.verdict}**\n"]
    if audit.findings:
        lines += _table(FINDING_COLUMNS, finding_rows(audit))
        lines.append("")
    lines += _table(("check", "looked at", "planted leaks caught"), _check_rows(audit))
    lines += ["", AUDIT_MEANING]
    if audit.unused_allowances:
        lines.append(f"\n{unused(audit)}")
    return "\n".join(lines) + "\n"


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


def _table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    # A name may hold what Markdown takes for the next column.
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return lines + [f"| {' | '.join(row)} |" for row in cells]
