"""Advice on a terminal: a cell of the call list, the day's work in a line, one entity's whole."""

import textwrap
from typing import TYPE_CHECKING, Any

from features.clock import to_text
from models.actions.advice import FOLLOW_UP, ORDER
from pipeline.actions_told import Told
from pipeline.console import show

if TYPE_CHECKING:
    import pandas as pd

_TODAY = ("outreach today", FOLLOW_UP)


def what_to_do(row: dict[str, Any]) -> str:
    """The cell of one row: what to do, what crossed the line, and what holds it back.

    >>> row = {"trigger_fact": "active daily", "why_not_now": "too early", "reasons": ["new team"]}
    >>> what_to_do({"next_action": "nurture", **row}).splitlines()
    ['nurture', 'active daily', 'too early']
    >>> what_to_do({"next_action": "nurture", **row, "reasons": ["active daily"]}).splitlines()
    ['nurture', 'too early']
    """
    fact = row["trigger_fact"]
    # By the score alone the fact is the first reason, which stands beside this cell.
    beside = fact == next(iter(row["reasons"]), None)
    told = (row["next_action"], None if beside else fact, row["why_not_now"])
    # Read from a file, what is not there is no text but a NaN.
    return "\n".join(part for part in told if isinstance(part, str)) or "nothing"


def due_first(scores: "pd.DataFrame") -> "pd.DataFrame":
    """Who is to be called today before all others; among equals the order stays.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"entity_id": list("abc"), "next_action": ["wait", "follow up", None]})
    >>> due_first(rows)["entity_id"].tolist()
    ['b', 'a', 'c']
    """
    due = scores["next_action"].isin(_TODAY)
    return scores.loc[[*scores.index[due], *scores.index[~due]]]


def order_told(scores: "pd.DataFrame") -> str:
    """The order of `due_first`, in a sentence.

    >>> import pandas as pd
    >>> order_told(pd.DataFrame({"next_action": ["wait", None]}))
    'By score.'
    """
    due = scores["next_action"].isin(_TODAY).any()
    return "First who is to be called today, then by score." if due else "By score."


def to_do(scores: "pd.DataFrame") -> str:
    """How much of each action there is, the most pressing first."""
    counts = scores["next_action"].value_counts()
    found = [f"{counts[name]:,} {name}" for name in ORDER if name in counts]
    told = f"To do: {', '.join(found)}" if found else "To do: nothing"
    if found and scores["trigger"].dropna().isin(("score", "look-alike")).all():
        told += (
            ". No event of `signals` has crossed the line for any of them: it goes by the score "
            "alone"
        )
    return told


def print_advice(told: Told) -> None:
    """What crossed the line, what to do and why that, then the draft."""
    one = told.advice
    if one is None:
        show(f"Tier {told.tier}: nothing to do, the table of actions has no line for this.\n")
        return
    when = "" if one.triggered_at is None else f", at {to_text(one.triggered_at)[:16]}"
    lines = [
        f"Trigger: {one.trigger}{when}",
        told.trigger_fact and f"  {told.trigger_fact}",
        f"Next action: {one.action}. {one.text}",
        f"  by the line {one.rule}",
        one.moment and f"  a good moment: {one.moment}",
        one.why_not_now and f"  held back: {one.why_not_now}",
        one.asked_at and f"  asked for since {to_text(one.asked_at)}",
        told.contact and f"Write to: {told.contact}",
    ]
    show("\n".join(line for line in lines if line))
    if told.draft is not None:
        indented = "\n".join(
            textwrap.fill(line, 90, initial_indent="  ", subsequent_indent="  ")
            for line in told.draft.splitlines()
        )
        show(f"Draft ({told.message}), for you to change and to send:\n\n{indented}\n")
