"""What every shown number means, in one line each, and how it is written."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from features.errors import few
from models.scoring import TIERS


def learnt_told(share: float) -> str:
    """How much of a score is learnt, in one sentence; empty where all or nothing is.

    >>> learnt_told(0.8), learnt_told(1.0)
    ("80 % of a score is learnt, 20 % is the scorecard's, by how many accounts converted.", '')
    """
    told = round(100 * share)
    if share in (0, 1):
        return ""
    return (
        f"{told} % of a score is learnt, {100 - told} % is the scorecard's, by how many accounts "
        "converted."
    )


ACTIONS = {
    "critical": "contact at once",
    "hot": "personal outreach within 24 h",
    "warm": "light touch, automated nurture",
    "cold": "long-term nurture",
}


def falling(cutoffs: dict[str, float]) -> list[tuple[str, float]]:
    """Tiers with their cut-offs, highest first, whatever order the file had.

    >>> falling({"hot": 0.3, "warm": 0.1, "critical": 0.5})
    [('critical', 0.5), ('hot', 0.3), ('warm', 0.1)]
    """
    return [(name, cutoffs[name]) for name in reversed(TIERS) if name in cutoffs]


def cut_words(cutoffs: dict[str, float]) -> str:
    """Tiers with their cut-offs in words.

    >>> cut_words({"hot": 0.3, "warm": 0.1, "critical": 2.0})
    'critical out of reach, hot from 30.0 %, warm from 10.0 %'
    """
    return ", ".join(
        f"{name} from {percent(cut)}" if cut <= 1 else f"{name} out of reach"
        for name, cut in falling(cutoffs)
    )


def near(path: Path) -> str:
    """A path as short as it can be told from here."""
    here = Path.cwd()
    inside = path.is_relative_to(here) and here != Path(here.anchor)
    return str(path.relative_to(here) if inside else path)


def shown(value: float) -> str:
    """About three digits that matter; whole numbers whole.

    >>> shown(0.12345), shown(0.00123), shown(7.0), shown(12.109), shown(7)
    ('0.123', '0.0012', '7.00', '12.1', '7')
    """
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if size < 0.01:
        return f"{value:.2g}"
    return f"{value:.3f}" if size < 1 else f"{value:.2f}" if size < 10 else f"{value:.1f}"


def interval(low: float, high: float) -> str:
    """
    >>> interval(0.1, 0.25)
    '0.100 to 0.250'
    """
    return f"{shown(low)} to {shown(high)}"


def percent(share: float) -> str:
    """
    >>> percent(0.1234), percent(0.001)
    ('12.3 %', '0.1 %')
    """
    return f"{100 * share:.1f} %"


def did_you_mean(unknown: Iterable[str], known: Iterable[str]) -> str:
    """What to put behind names that do not exist: the nearest that do, or nothing.

    Examples
    --------
    >>> did_you_mean(["limit_reach", "zebra"], ["limit_reached", "signed_up"])
    ". Did you mean 'limit_reached'?"
    """
    there = list(known)
    near = [next(iter(get_close_matches(name, there, n=1)), None) for name in unknown]
    found = dict.fromkeys(name for name in near if name is not None)
    return f". Did you mean {few(found)}?" if found else ""
