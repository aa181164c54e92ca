"""What an audit says: findings, their evidence, the way out, and whether it can be believed."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from features.errors import few
from models.leakage.origin import Origin

Severity = Literal["fail", "warn", "told"]


@dataclass(frozen=True)
class Finding:
    """One event or column that knows, or could know, the outcome.

    Parameters
    ----------
    severity
        ``fail``: training rows see it. ``warn``: features read it, but no training row can see it
        in time, so it teaches nothing, or it shows the sign of a leak without proof. ``told``: it
        lies in the data and reaches no feature, or it can't be checked.
    evidence
        One sentence with the numbers.
    remedy
        The setting that removes it.
    accepted
        Whether ``audit.allow`` names it.
    """

    check: str
    severity: Severity
    origin: Origin
    evidence: str
    remedy: str
    accepted: bool = False

    @property
    def name(self) -> str:
        return self.origin.name

    def as_dict(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "severity": self.severity,
            "kind": self.origin.kind,
            "name": self.name,
            "evidence": self.evidence,
            "remedy": self.remedy,
            "accepted": self.accepted,
        }


@dataclass(frozen=True)
class Planted:
    """A leak that a check was given to find, and whether it did."""

    name: str
    caught: bool


@dataclass(frozen=True)
class Check:
    """One check: what it looked at and found.

    Parameters
    ----------
    blind
        Why nothing can be concluded from this data; empty where something can.
    seconds
        CPU seconds it took; no part of what is written to files.
    """

    name: str
    looked_at: str
    findings: tuple[Finding, ...] = ()
    planted: tuple[Planted, ...] = ()
    blind: str = ""
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Audit:
    """All checks of one training.

    Parameters
    ----------
    allow
        Names whose findings are accepted.
    strict
        Whether warnings refuse a training too.
    """

    checks: tuple[Check, ...]
    allow: tuple[str, ...] = ()
    strict: bool = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, the gravest first, accepted ones marked."""
        order = {"fail": 0, "warn": 1, "told": 2}
        found = [finding for check in self.checks for finding in check.findings]
        marked = [replace(one, accepted=one.name in self.allow) for one in found]
        return tuple(sorted(marked, key=lambda one: (order[one.severity], one.accepted)))

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """Findings that fail or warn and are not accepted."""
        return tuple(f for f in self.findings if f.severity != "told" and not f.accepted)

    @property
    def missed(self) -> tuple[str, ...]:
        """Planted leaks that were not caught: with any, nothing else can be believed."""
        return tuple(one.name for check in self.checks for one in check.planted if not one.caught)

    @property
    def n_planted(self) -> int:
        return sum(len(check.planted) for check in self.checks)

    @property
    def unused_allowances(self) -> tuple[str, ...]:
        """Names in `allow` that no finding has: spelt wrongly, or needed no longer."""
        return tuple(sorted(set(self.allow) - {finding.name for finding in self.findings}))

    @property
    def refused_by(self) -> tuple[Finding, ...]:
        """The findings that refuse the training."""
        return tuple(one for one in self.alarms if self.strict or one.severity == "fail")

    @property
    def passed(self) -> bool:
        return not self.refused_by and not self.missed

    @property
    def verdict(self) -> str:
        """One sentence: what was found, or why nothing can be believed."""
        if self.missed:
            return (
                f"The leak audit can't be trusted: of {self.n_planted} leaks planted to test it, "
                f"it missed {few(self.missed)}. Its thresholds under `audit` are too loose "
                "for this data."
            )
        if self.refused_by:
            names = dict.fromkeys(str(one.origin) for one in self.refused_by)
            what = "leak, or what looks like one" if len(names) == 1 else "leaks, or what looks so"
            return f"{len(names)} {what}: {', '.join(names)}."
        if self.alarms:
            names = dict.fromkeys(str(one.origin) for one in self.alarms)
            return f"No leak reaches the training rows; to look at: {', '.join(names)}."
        return "No leak was found."

    def as_dict(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "verdict": self.verdict,
            "findings": [finding.as_dict() for finding in self.findings],
            "checks": [
                {
                    "check": check.name,
                    "looked_at": check.looked_at,
                    "blind": check.blind or None,
                    "planted": {one.name: one.caught for one in check.planted},
                }
                for check in self.checks
            ],
            "unused_allowances": list(self.unused_allowances),
        }
