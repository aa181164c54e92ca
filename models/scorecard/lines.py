"""A rule as one line of text: a small strict grammar, read and written.

    line     = [ name "|" ] points dimension ":" fact
    points   = ( "+" | "-" ) whole number
    fact     = events range "times" window
             | events "on" range "days" ["in a row"] window
             | events "in" range "weeks" window
             | events "by" range "members" window
             | range "active members" window
             | range "different events" window
             | range "minutes per session" window
             | "first" events range "days ago"
             | "no" events window
             | attribute ( range | "is" value { "or" value } )
             | "feature" column ( range | "is" value { "or" value } )
             | "no data"
    range    = ">=" number | "=" number | number "to" number
    events   = "any event" | event { "or" event }
    window   = "in" number "days" | "ever"             ever where it is left out

An example: ``+30 upgrade: limit_reached >= 3 times in 28 days``. Names with spaces, signs or a word
of the grammar stand in double quotes, as in JSON.
"""

import json
import re
from typing import TYPE_CHECKING, Any, get_args

from features.definitions import Dimension
from features.errors import SettingsError
from models.scorecard.line_reader import Reader
from models.scorecard.line_words import OF_VALUES, nearest, number, plural, quoted, unquoted

if TYPE_CHECKING:
    from models.scorecard.rules import Rule

_HEAD = re.compile(r"\s*([+-]\s*[\d,]+)\s+([^\s:\"]+)\s*:\s*(.*)", re.DOTALL)
_CUT = re.compile(r"(.*\|)?\s*[+-]?\s*\d[\d,]*\s+[^\s:]+\s*", re.DOTALL)
"""Name, points and dimension: what YAML takes for the key of a line without quotes."""
EXAMPLE = "+30 upgrade: limit_reached >= 3 times in 28 days"


def read_line(text: str) -> dict[str, Any]:
    """Fields of `models.scorecard.Rule` from a line of text.

    Raises
    ------
    SettingsError
        Saying what was expected where, and the nearest valid word.

    Examples
    --------
    >>> read_line("+20 engagement: any event on >= 5 days in 7 days")["measure"]
    {'statistic': 'active_days', 'events': (), 'days': 7}
    """
    name, rest = _named(text)
    head = _HEAD.fullmatch(rest)
    if head is None:
        raise SettingsError(
            f"a rule begins with its points and dimension, such as `{EXAMPLE}`; a name may stand "
            "in front, with | behind it"
        )
    points, dimension, said = head.groups()
    known = get_args(Dimension)
    if dimension not in known:
        raise SettingsError(f"there is no dimension {dimension!r}; {nearest(dimension, known)}")
    fields = Reader(said).fact()
    fields["name"] = name or write_fact(fields)
    return {"points": int(re.sub(r"[\s,]", "", points)), "dimension": dimension, **fields}


def to_quote(head: str, fact: str) -> str | None:
    """What to do about a line that YAML cut at its colon; None for what is none.

    Examples
    --------
    >>> to_quote("+30 upgrade", "limit_hit >= 1 time ever")
    'put the line in quotes: "+30 upgrade: limit_hit >= 1 time ever"'
    >>> to_quote("at_least", "3")
    """
    if not _CUT.fullmatch(head):
        return None
    line = f"{head}: {fact}"
    if '"' in line or "\\" in line:
        doubled = line.replace("'", "''")
        return f"put the line in quotes: '{doubled}'"
    return f'put the line in quotes: "{line}"'


def write_line(rule: "Rule") -> str:
    """The line of a rule; `read_line` gives the rule back.

    Examples
    --------
    >>> from models.scorecard import Rule
    >>> rule = Rule.model_validate("- 20 engagement:no event in 14 days")
    >>> write_line(rule)
    '-20 engagement: no event in 14 days'
    """
    fields = rule.model_dump(exclude_none=True)
    said = write_fact(fields)
    name = "" if rule.name == said else f"{_name(rule.name)} | "
    return f"{name}{rule.points:+d} {rule.dimension}: {said}"


def write_fact(fields: dict[str, Any]) -> str:
    """What earns the points, as the line says it."""
    if fields.get("feature") is not None and not fields.get("measure"):
        return f"feature {quoted(fields['feature'])} {_condition(fields)}"
    measure = fields.get("measure")
    if measure is None:
        return "no data"
    statistic, days = measure["statistic"], measure.get("days")
    if statistic == "attribute":
        return f"{quoted(measure['attribute'])} {_condition(fields)}"
    events = " or ".join(map(quoted, measure.get("events", ()))) or "any event"
    window = f" in {days} day{plural(days)}" if days else " ever"
    if statistic == "count" and fields.get("equals") == 0:
        return f"no {'event' if events == 'any event' else events}{window}"
    span, s = _condition(fields), plural(_last(fields))
    told = {
        "count": f"{events} {span} time{s}{window}",
        "active_days": f"{events} on {span} day{s}{window}",
        "longest_streak": f"{events} on {span} day{s} in a row{window}",
        "active_weeks": f"{events} in {span} week{s}{window}",
        "breadth": f"{span} different event{s}{window}",
        "session_minutes": f"{span} minute{s} per session{window}",
        "days_since_first": f"first {events} {span} day{s} ago",
    }
    if statistic == "members":
        active = not measure.get("events")
        return (
            f"{span} active member{s}{window}"
            if active
            else f"{events} by {span} member{s}{window}"
        )
    return told[statistic]


def _named(text: str) -> tuple[str | None, str]:
    """The name in front, if there is one, and the rest."""
    quoted = re.match(r'\s*("(?:[^"\\]|\\.)*")\s*\|', text)
    if quoted:
        return str(unquoted(quoted[1])), text[quoted.end() :]
    name, bar, rest = text.partition("|")
    # A bar behind the colon belongs to a quoted name.
    if bar and not _HEAD.match(name):
        if not name.strip():
            raise SettingsError("the name in front of | is empty")
        return name.strip(), rest
    return None, text


def _name(name: str) -> str:
    plain = name == name.strip() and name.isprintable() and not re.search(r'[|"]', name)
    return name if plain and name and not _HEAD.match(name) else json.dumps(name)


def _condition(fields: dict[str, Any]) -> str:
    if fields.get("at_least") is not None:
        return f">= {number(fields['at_least'])}"
    if fields.get("between") is not None:
        return " to ".join(map(number, fields["between"]))
    if fields.get("one_of") is not None:
        return "is " + " or ".join(quoted(value, OF_VALUES) for value in fields["one_of"])
    equal = fields["equals"]
    return f"is {quoted(equal, OF_VALUES)}" if isinstance(equal, str) else f"= {number(equal)}"


def _last(fields: dict[str, Any]) -> float | None:
    return (fields.get("between") or (fields.get("at_least", fields.get("equals")),))[-1]
