"""How counts and moments are said to whoever calls."""

from features.clock import DAY_US, to_text


def times(n: int, what: str = "") -> str:
    """How often, or how many of what.

    >>> times(1), times(2), times(1200), times(1, "event"), times(3, "event")
    ('once', 'twice', '1,200 times', '1 event', '3 events')
    """
    if what:
        return f"{n:,} {what}{'' if n == 1 else 's'}"
    return {1: "once", 2: "twice"}.get(n, f"{n:,} times")


def days_ago(as_of: int, at: int) -> str:
    """How long before as_of a moment lies, in whole days.

    >>> days_ago(2 * DAY_US, 2 * DAY_US - 1), days_ago(2 * DAY_US, DAY_US), days_ago(2 * DAY_US, 0)
    ('less than a day ago', '1 day ago', '2 days ago')
    """
    days = int(as_of - at) // DAY_US
    return f"{times(days, 'day')} ago" if days else "less than a day ago"


def date(at: int) -> str:
    """
    >>> date(DAY_US + 1)
    '1970-01-02'
    """
    return to_text(at)[:10]


def one_line(text: str) -> str:
    """A text from the data on one line, without control characters.

    >>> one_line("Acme\\n Corp\\x07")
    'Acme Corp'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
